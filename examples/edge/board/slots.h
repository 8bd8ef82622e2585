/* Two slots in flash for a policy, one that decides and one that is written: docs/boards.md.
 *
 * A slot holds a whole signed bundle.  A journal of two pages says which slot decides; a new bundle is
 * on trial until it is confirmed, and a trial that ends without that goes back to the slot before.
 * What always holds, wherever the power goes: a bundle that was not signed, or is older than the floor,
 * never decides; and once some bundle was confirmed, there is always one that decides. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

#ifndef SLOTS_PAGE_BYTES /* of what the flash erases at once */
#define SLOTS_PAGE_BYTES 4096u
#endif
#ifndef SLOTS_PAGES_EACH /* of a slot: a bundle and its length */
#define SLOTS_PAGES_EACH 16u
#endif
#define SLOTS_JOURNAL_PAGE (2u * SLOTS_PAGES_EACH)
#define SLOTS_PAGES (SLOTS_JOURNAL_PAGE + 2u)
#define SLOTS_BUNDLE_MAX (SLOTS_PAGES_EACH * SLOTS_PAGE_BYTES - 4u)

/* What the board does for the slots. */
typedef struct {
    const uint8_t *flash; /* SLOTS_PAGES pages, as memory */
    void (*erase)(uint32_t page); /* all its bytes 0xff */
    void (*write)(uint32_t address, const uint8_t *from, uint32_t count); /* over bytes that are 0xff */
    /* The version of a bundle; 0 unless it is whole, signed by our key and for this board. */
    uint32_t (*version_of)(const uint8_t *bundle, uint32_t length);
    uint32_t (*floor)(void); /* the least version that may decide: a counter that cannot be turned back */
    void (*raise_floor)(uint32_t version); /* at every boot too: nothing is done where the floor is there already */
} slots_board_t;

enum { SLOTS_NONE = -1, SLOTS_REFUSED = -1, SLOTS_ON_TRIAL = -2, SLOTS_BROKEN = -3 };

/* Called once after each reset: the slot that decides, or SLOTS_NONE: deny everything. */
int32_t slots_boot(const slots_board_t *board);

/* The bundle in a slot. */
const uint8_t *slots_bundle(const slots_board_t *board, int32_t slot, uint32_t *length);

/* Writes a newer bundle beside the one that decides (slot `running`), which it leaves alone; the next boot
 * tries it.  0, or SLOTS_REFUSED, SLOTS_ON_TRIAL (confirm or reset first), SLOTS_BROKEN (it did not read back). */
int32_t slots_install(const slots_board_t *board, int32_t running, const uint8_t *bundle, uint32_t length);

/* The slot that decides does its work: keep it, and nothing older from now on. */
void slots_confirm(const slots_board_t *board, int32_t running);

#endif
