/* The few things that a program needs of the board mps2-an385: text out, a clock, an end.
 *
 * The clock counts ticks of 40 ns.  An emulator that is told to count instructions as nanoseconds
 * (`-icount shift=0`) thus gives one tick for 40 instructions; a board gives its time. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define BOARD_INSTRUCTIONS_PER_TICK 40u
#define BOARD_TICKS_MAX 0xffffffu

/* Where the program starts: `board.c` calls it once memory is set up; what it returns ends the run. */
int board_main(void);

void board_print(const char *text);
void board_print_number(uint32_t number);

/* Ticks since some moment; goes round after BOARD_TICKS_MAX. */
uint32_t board_ticks(void);

/* Ends the run; under an emulator its exit status is `status`. */
void board_exit(uint32_t status);

/* Bytes of stack that a call writes to, at most BOARD_STACK_SEEN. */
#define BOARD_STACK_SEEN 4096u
uint32_t board_stack_of(int32_t (*call)(void));

/* 2 + 2 * rounds + 1 instructions: to hold the clock against. */
void board_loop(uint32_t rounds);

#endif
