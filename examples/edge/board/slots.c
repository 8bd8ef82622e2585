/* See slots.h and docs/boards.md.  No heap, no static data, no C library. */
#include "slots.h"

#include <stddef.h>

enum state { TRIAL = 1, STARTED = 2, CONFIRMED = 3 };

/* A line of the journal: the newest whole one holds.  `check` is over the words before it. */
struct record {
    uint32_t sequence;
    uint32_t slot;
    uint32_t state;
    uint32_t check;
};

#define RECORD_BYTES 16u
#define RECORDS_EACH (SLOTS_PAGE_BYTES / RECORD_BYTES)
#define RECORDS (2u * RECORDS_EACH)
#define LENGTH_BYTES 4u

static uint32_t word_at(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void put_word(uint8_t *to, uint32_t word)
{
    for (uint32_t i = 0u; i < 4u; i++) {
        to[i] = (uint8_t)(word >> (8u * i));
    }
}

/* CRC-32 (IEEE 802.3): it finds what a cut write leaves; who may write the flash at all could forge it. */
static uint32_t crc_of(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0u; i < count; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0u; bit < 8u; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0u ? 0xedb88320u : 0u);
        }
    }
    return ~crc;
}

/* --- the journal ---------------------------------------------------------------------------------- */

static uint32_t record_address(uint32_t number)
{
    return SLOTS_JOURNAL_PAGE * SLOTS_PAGE_BYTES + number * RECORD_BYTES;
}

static int is_erased(const slots_board_t *board, uint32_t number)
{
    const uint8_t *const bytes = board->flash + record_address(number);
    for (uint32_t i = 0u; i < RECORD_BYTES; i++) {
        if (bytes[i] != 0xffu) {
            return 0;
        }
    }
    return 1;
}

static int read_record(const slots_board_t *board, uint32_t number, struct record *record)
{
    const uint8_t *const bytes = board->flash + record_address(number);
    record->sequence = word_at(bytes);
    record->slot = word_at(bytes + 4);
    record->state = word_at(bytes + 8);
    record->check = word_at(bytes + 12);
    return record->slot < 2u && record->state >= (uint32_t)TRIAL && record->state <= (uint32_t)CONFIRMED &&
           record->check == crc_of(bytes, 12u);
}

/* The newest record and its number; RECORDS if there is none. */
static uint32_t newest(const slots_board_t *board, struct record *found)
{
    uint32_t best = RECORDS;
    for (uint32_t number = 0u; number < RECORDS; number++) {
        struct record one;
        if (read_record(board, number, &one) && (best == RECORDS || one.sequence > found->sequence)) {
            *found = one;
            best = number;
        }
    }
    return best;
}

/* Where the next record goes.  A full page makes room in the other one, whose records are all older. */
static uint32_t room(const slots_board_t *board, uint32_t last)
{
    const uint32_t page = last == RECORDS ? 0u : last / RECORDS_EACH;
    uint32_t number = last == RECORDS ? 0u : last + 1u;
    while (number < (page + 1u) * RECORDS_EACH && !is_erased(board, number)) {
        number++; /* a record that was cut off */
    }
    if (number < (page + 1u) * RECORDS_EACH) {
        return number;
    }
    board->erase(SLOTS_JOURNAL_PAGE + 1u - page);
    return (1u - page) * RECORDS_EACH;
}

static void append(const slots_board_t *board, int32_t slot, enum state state)
{
    struct record last = { 0u, 0u, 0u, 0u };
    const uint32_t number = newest(board, &last);
    uint8_t bytes[RECORD_BYTES];
    put_word(bytes, last.sequence + 1u);
    put_word(bytes + 4, (uint32_t)slot);
    put_word(bytes + 8, (uint32_t)state);
    put_word(bytes + 12, crc_of(bytes, 12u));
    board->write(record_address(room(board, number)), bytes, RECORD_BYTES);
}

/* --- the slots ------------------------------------------------------------------------------------ */

static uint32_t slot_address(int32_t slot)
{
    return (uint32_t)slot * SLOTS_PAGES_EACH * SLOTS_PAGE_BYTES;
}

const uint8_t *slots_bundle(const slots_board_t *board, int32_t slot, uint32_t *length)
{
    const uint8_t *const start = board->flash + slot_address(slot);
    *length = word_at(start);
    return start + LENGTH_BYTES;
}

static uint32_t slot_version(const slots_board_t *board, int32_t slot)
{
    uint32_t length;
    const uint8_t *const bundle = slots_bundle(board, slot, &length);
    return length <= SLOTS_BUNDLE_MAX ? board->version_of(bundle, length) : 0u;
}

static int may_decide(const slots_board_t *board, int32_t slot)
{
    const uint32_t version = slot_version(board, slot);
    return version != 0u && version >= board->floor();
}

int32_t slots_boot(const slots_board_t *board)
{
    struct record last = { 0u, 0u, (uint32_t)CONFIRMED, 0u };
    (void)newest(board, &last);
    int32_t slot = (int32_t)last.slot;
    const int is_over = last.state == (uint32_t)STARTED; /* it was tried and never confirmed */
    if ((is_over && may_decide(board, 1 - slot)) || !may_decide(board, slot)) {
        slot = 1 - slot;
        if (!may_decide(board, slot)) {
            return SLOTS_NONE;
        }
        append(board, slot, CONFIRMED);
    } else if (last.state == (uint32_t)TRIAL) {
        append(board, slot, STARTED);
    } else if (last.state == (uint32_t)CONFIRMED) {
        board->raise_floor(slot_version(board, slot)); /* the power went between the two steps of a confirmation */
    }
    return slot;
}

int32_t slots_install(const slots_board_t *board, int32_t running, const uint8_t *bundle, uint32_t length)
{
    struct record last = { 0u, 0u, (uint32_t)CONFIRMED, 0u };
    (void)newest(board, &last);
    if (last.state != (uint32_t)CONFIRMED) {
        return SLOTS_ON_TRIAL;
    }
    const uint32_t version = length <= SLOTS_BUNDLE_MAX ? board->version_of(bundle, length) : 0u;
    const uint32_t now = running == SLOTS_NONE ? 0u : slot_version(board, running);
    if (version <= now || version < board->floor()) {
        return SLOTS_REFUSED; /* older, the same, or not trusted: that is version 0 */
    }
    const int32_t other = running == 0 ? 1 : 0;
    const uint32_t address = slot_address(other);
    uint8_t bytes[LENGTH_BYTES];
    for (uint32_t page = 0u; page < SLOTS_PAGES_EACH; page++) {
        board->erase((uint32_t)other * SLOTS_PAGES_EACH + page);
    }
    put_word(bytes, length);
    board->write(address + LENGTH_BYTES, bundle, length);
    board->write(address, bytes, LENGTH_BYTES);
    if (slot_version(board, other) != version) {
        return SLOTS_BROKEN;
    }
    append(board, other, TRIAL);
    return 0;
}

void slots_confirm(const slots_board_t *board, int32_t running)
{
    append(board, running, CONFIRMED);
    board->raise_floor(slot_version(board, running));
}
