/* Whether the updates of a stage can be written where they stand, one after another. */

#ifndef GOV_ONCE_H
#define GOV_ONCE_H

#include "gov_timing.h"

/* By column: which chain and which group wrote it last, numbered from 1 on; how many chains and leads there were. */
typedef struct { uint32_t *chain, *group, chains, leads; } gov_marks;

#define GOV_LEADS 4 /* pointers of gov_timing.leads for an update, at most */

/* Finishes the groups first..end-1 of a stage: leaves out updates that never count, and links the others.  Where it
   returns 1 they are in an order in which each can be written at once.  `closes`: it is GOV_CLOSE, whose updates read
   what was before it in any case. */
int gov_put_at_once(const gov_table *t, struct gov_timing *made, uint32_t first, uint32_t end, int closes,
                    gov_marks *marks);

#endif
