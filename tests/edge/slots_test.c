/* Installs policies in two slots of a simulated flash and takes the power away at every step of it.
 *
 * Prints the number of runs; ends with status 1 at the first state that must not be. */
#include "slots.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_UNIT 4u   /* what the flash writes at once */
#define ERASE_UNIT 16u  /* and erases, for the cut */
#define STILL_ERASED 1u /* the bit that a cut leaves erased in the unit under way */
#define BUNDLE_BYTES 96u

static uint8_t flash[SLOTS_PAGES * SLOTS_PAGE_BYTES];
static uint32_t floor_version;
static uint8_t stuck; /* bits that a worn flash does not write */
static long power; /* units until the power goes; negative: it stays */
static jmp_buf reset;

static int goes_out(void)
{
    if (power == 0) {
        return 1;
    }
    power -= power > 0;
    return 0;
}

static void fail(const char *what)
{
    printf("failed: %s\n", what);
    exit(1);
}

static void erase(uint32_t page)
{
    if (page >= SLOTS_PAGES) {
        fail("an erase outside the flash");
    }
    for (uint32_t i = 0u; i < SLOTS_PAGE_BYTES; i += ERASE_UNIT) {
        if (goes_out()) {
            longjmp(reset, 1);
        }
        memset(flash + page * SLOTS_PAGE_BYTES + i, 0xff, ERASE_UNIT);
    }
}

static void write_flash(uint32_t address, const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0u; i < count; i += WRITE_UNIT) {
        const int cut = goes_out();
        for (uint32_t j = i; j < count && j < i + WRITE_UNIT; j++) {
            if (address + j >= sizeof(flash) || flash[address + j] != 0xffu) {
                fail("a write outside the flash or over what is not erased");
            }
            flash[address + j] = (uint8_t)(from[j] | (cut && j == i ? STILL_ERASED : stuck));
        }
        if (cut) {
            longjmp(reset, 1);
        }
    }
}

static uint32_t floor_now(void)
{
    return floor_version;
}

static void raise_floor(uint32_t version)
{
    if (version > floor_version) {
        if (goes_out()) {
            longjmp(reset, 1);
        }
        floor_version = version;
    }
}

/* --- bundles: a version, bytes that follow from it, and a sum that stands for the signature --- */

static uint8_t bundle_byte(uint32_t version, uint32_t i)
{
    return (uint8_t)(i == 0u ? version : version * 31u + i * 7u);
}

static void make_bundle(uint8_t *to, uint32_t version)
{
    for (uint32_t i = 0u; i < BUNDLE_BYTES; i++) {
        to[i] = bundle_byte(version, i);
    }
}

static uint32_t version_of(const uint8_t *bundle, uint32_t length)
{
    uint8_t whole[BUNDLE_BYTES];
    if (length != BUNDLE_BYTES) {
        return 0u;
    }
    make_bundle(whole, bundle[0]);
    return memcmp(whole, bundle, BUNDLE_BYTES) == 0 ? bundle[0] : 0u;
}

static const slots_board_t board = { flash, erase, write_flash, version_of, floor_now, raise_floor };

/* --- what a board does, and what must hold --- */

static uint32_t kept;   /* the version whose confirmation was acknowledged last */
static uint32_t newer;  /* the version that may decide beside it: installed, not yet confirmed */
static uint32_t asked;  /* the version whose confirmation was asked for last */

static uint32_t running_version(int32_t slot)
{
    uint32_t length;
    const uint8_t *const bundle = slots_bundle(&board, slot, &length);
    return slot == SLOTS_NONE ? 0u : version_of(bundle, length);
}

static int32_t boot(void)
{
    const int32_t slot = slots_boot(&board);
    const uint32_t version = running_version(slot);
    if (slot == SLOTS_NONE) {
        fail("no policy decides");
    }
    if (version != kept && version != newer) {
        fail("a policy decides that should not");
    }
    if (version < floor_version) {
        fail("a policy below the floor decides");
    }
    return slot;
}

static void install(int32_t running, uint32_t version)
{
    uint8_t bundle[BUNDLE_BYTES];
    make_bundle(bundle, version);
    newer = version;
    if (slots_install(&board, running, bundle, BUNDLE_BYTES) != 0) {
        fail("an install was refused");
    }
}

static void confirm(int32_t running)
{
    asked = running_version(running);
    slots_confirm(&board, running);
    kept = running_version(running);
    if (floor_version != kept) {
        fail("a confirmed policy does not raise the floor");
    }
}

static void must_refuse(int32_t running, uint32_t version)
{
    uint8_t bundle[BUNDLE_BYTES];
    make_bundle(bundle, version);
    if (slots_install(&board, running, bundle, BUNDLE_BYTES) != SLOTS_REFUSED) {
        fail("an old version was not refused");
    }
    make_bundle(bundle, 200u);
    bundle[BUNDLE_BYTES - 1u] ^= 1u;
    if (slots_install(&board, running, bundle, BUNDLE_BYTES) != SLOTS_REFUSED) {
        fail("a bundle with a flipped bit was not refused");
    }
}

static void fresh(void)
{
    uint8_t length[4] = { BUNDLE_BYTES, 0u, 0u, 0u };
    memset(flash, 0xff, sizeof(flash));
    memcpy(flash, length, sizeof(length));
    make_bundle(flash + 4, 1u);
    floor_version = 0u;
    kept = 1u;
    newer = 1u;
    asked = 1u;
}

/* A policy that proves itself, one that does not, one that does again. */
static void three_policies(uint32_t version)
{
    int32_t slot = boot();
    install(slot, version);
    slot = boot();
    confirm(slot);
    must_refuse(slot, version - 1u);
    must_refuse(slot, version);
    install(boot(), version + 1u);
    if (running_version(boot()) != version + 1u || running_version(boot()) != version) {
        fail("a trial without a confirmation did not end");
    }
    install(boot(), version + 2u);
    slot = boot();
    confirm(slot);
    must_refuse(slot, version + 1u);
}

static void life(void)
{
    three_policies(2u);
    install(boot(), 5u);
    confirm(boot());
    three_policies(6u);
}

/* What any state allows: the trial ends, a newer policy is installed and kept. */
static void goes_on(void)
{
    (void)boot();
    int32_t slot = boot();
    const uint32_t version = running_version(slot);
    if (version < kept || floor_version != version) {
        fail("what was confirmed is gone, or does not hold the floor");
    }
    if (version != kept && version != asked) {
        fail("a trial ended as if it had been confirmed");
    }
    install(slot, 20u);
    slot = boot();
    if (running_version(slot) != 20u) {
        fail("a new policy is not tried");
    }
    confirm(slot);
    must_refuse(boot(), version);
    if (running_version(boot()) != 20u || floor_version != 20u) {
        fail("a confirmed policy was not kept");
    }
}

static void worn_out(void)
{
    uint8_t bundle[BUNDLE_BYTES];
    const int32_t slot = boot();
    make_bundle(bundle, 2u);
    stuck = 0x10u;
    if (slots_install(&board, slot, bundle, BUNDLE_BYTES) != SLOTS_BROKEN) {
        fail("a bundle that was not written as it is was taken");
    }
    stuck = 0u;
    if (boot() != slot) {
        fail("what did not read back was tried");
    }
}

/* Runs until the power goes; 1 if it went. */
static int until_cut(void (*what)(void), long units)
{
    power = units;
    if (setjmp(reset) != 0) {
        return 1;
    }
    what();
    return 0;
}

static void two_boots(void)
{
    (void)boot();
    (void)boot();
}

int main(void)
{
    long runs = 0;
    int went = 1;
    for (long first = 0; went != 0; first++) {
        fresh();
        went = until_cut(life, first);
        static uint8_t then[sizeof(flash)];
        const uint32_t then_floor = floor_version, then_kept = kept, then_newer = newer, then_asked = asked;
        memcpy(then, flash, sizeof(flash));
        int again = 1;
        for (long second = 0; again != 0; second++) {
            memcpy(flash, then, sizeof(flash));
            floor_version = then_floor;
            kept = then_kept;
            newer = then_newer;
            asked = then_asked;
            again = until_cut(two_boots, second);
            if (until_cut(goes_on, -1) != 0) {
                fail("the power went although it stays");
            }
            runs++;
        }
    }
    fresh();
    if (until_cut(worn_out, -1) != 0) {
        fail("the power went although it stays");
    }
    printf("%ld\n", runs);
    return 0;
}
