/* Conditions for one kind of sample: what asks for the kind is known when the table is loaded. */

#ifndef GOV_FOLD_H
#define GOV_FOLD_H

#include "gov_engine.h"

/* The words of an instruction, by its first one. */
uint32_t gov_instruction_words(uint64_t first);

/* Whether an instruction reads the word of its column. */
int gov_instruction_reads(uint64_t first);

/* Writes a program that comes to the same wherever the column of the kind holds what it holds in `words`, and returns
   its size: at most twice that of the program.  The other words are not read. */
uint32_t gov_fold(const gov_table *table, uint32_t program, const int64_t *words, uint64_t *out);

#endif
