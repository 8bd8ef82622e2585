/* Decides every recorded case on the board, compares, and measures: instructions and stack of each decision.
 *
 * Prints lines `NAME NUMBER…`; the run ends with status 0 if every decision is the recorded one. */
#include "board.h"
#include "replay.h"

/* 40 instructions are a tick, so 200 rounds tell the instructions of one to a fifth: the quotient is exact. */
#define ROUNDS 200u
#define NOTHING_INSTRUCTIONS 2u
#define LOOP_ROUNDS 100000u

static void print_line(const char *name, uint32_t number)
{
    board_print(name);
    board_print(" ");
    board_print_number(number);
    board_print("\n");
}

static uint32_t ticks_since(uint32_t start)
{
    return (board_ticks() - start) & BOARD_TICKS_MAX;
}

static uint32_t ticks_of(int32_t (*call)(void))
{
    const uint32_t start = board_ticks();
    for (uint32_t i = 0u; i < ROUNDS; i++) {
        (void)call();
    }
    return ticks_since(start);
}

/* The instructions of one decision, from the first of the policy's function to its return. */
static uint32_t instructions(uint32_t nothing_ticks)
{
    const uint32_t more = (ticks_of(replay_decide) - nothing_ticks) * BOARD_INSTRUCTIONS_PER_TICK;
    return NOTHING_INSTRUCTIONS + (more + ROUNDS / 2u) / ROUNDS;
}

static uint32_t compare_all(void)
{
    uint32_t different = 0u;
    for (uint32_t number = 0u; number < replay_count; number++) {
        replay_prepare(number);
        const uint32_t found = replay_difference(number, replay_decide());
        if (found != 0u) {
            different++;
            print_line("different", number);
            print_line("different.at", found);
        }
    }
    return different;
}

static void measure_all(void)
{
    const uint32_t nothing_ticks = ticks_of(replay_nothing);
    const uint32_t nothing_stack = board_stack_of(replay_nothing);
    for (uint32_t number = 0u; number < replay_count; number++) {
        replay_prepare(number);
        print_line("instructions", instructions(nothing_ticks));
        print_line("stack", board_stack_of(replay_decide) - nothing_stack);
    }
}

static void measure_loop(void)
{
    const uint32_t start = board_ticks();
    board_loop(LOOP_ROUNDS);
    print_line("loop", ticks_since(start) * BOARD_INSTRUCTIONS_PER_TICK);
}

int board_main(void)
{
    print_line("cases", replay_count);
    const uint32_t different = compare_all();
    measure_loop();
    measure_all();
    print_line("differences", different);
    return different == 0u ? 0 : 1;
}
