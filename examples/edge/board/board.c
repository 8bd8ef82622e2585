/* Start, text, clock and end for the board mps2-an385 (Arm Cortex-M3), without a C library.
 *
 * Text goes to UART 0, time comes from SysTick, and the end is a semihosting call, which only an
 * emulator or a debugger answers.  A board of one's own replaces this file. */
#include "board.h"

#include <stddef.h>

#define UART_DATA (*(volatile uint32_t *)0x40004000u)
#define UART_STATE (*(volatile uint32_t *)0x40004004u)
#define UART_CONTROL (*(volatile uint32_t *)0x40004008u)
#define UART_DIVISOR (*(volatile uint32_t *)0x40004010u)
#define UART_FULL 1u
#define UART_TRANSMIT 1u

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xe000e014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xe000e018u)
#define SYSTICK_ON_CORE_CLOCK 5u

#define SEMIHOSTING_EXIT 0x20u
#define SEMIHOSTING_PROGRAM_ENDED 0x20026u

#define UNTOUCHED 0xa5a5a5a5u

extern uint32_t board_data_image[], board_data_start[], board_data_end[];
extern uint32_t board_bss_start[], board_bss_end[], board_stack_top[];

void board_reset(void);
void board_fault(void);
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);

/* The first words of memory: where the stack begins, and what the core calls on reset and on exceptions. */
struct vectors {
    uint32_t *stack;
    void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    board_stack_top,
    { board_reset, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault,
      board_fault, board_fault, board_fault, board_fault, board_fault, board_fault, board_fault },
};

void board_reset(void)
{
    const uint32_t *from = board_data_image;
    for (uint32_t *to = board_data_start; to < board_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = board_bss_start; to < board_bss_end; to++) {
        *to = 0u;
    }
    UART_DIVISOR = 16u;
    UART_CONTROL = UART_TRANSMIT;
    SYSTICK_RELOAD = BOARD_TICKS_MAX;
    SYSTICK_VALUE = 0u;
    SYSTICK_CONTROL = SYSTICK_ON_CORE_CLOCK;
    board_exit((uint32_t)board_main());
}

void board_fault(void)
{
    board_print("fault\n");
    board_exit(2u);
}

void board_print(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((UART_STATE & UART_FULL) != 0u) {
        }
        UART_DATA = (uint32_t)(unsigned char)*text;
    }
}

void board_print_number(uint32_t number)
{
    char digits[11];
    char *first = &digits[10];
    *first = '\0';
    do {
        first--;
        *first = (char)('0' + (int)(number % 10u));
        number /= 10u;
    } while (number != 0u);
    board_print(first);
}

uint32_t board_ticks(void)
{
    return BOARD_TICKS_MAX - SYSTICK_VALUE; /* it counts down */
}

void board_exit(uint32_t status)
{
    const uint32_t block[2] = { SEMIHOSTING_PROGRAM_ENDED, status };
    register uint32_t operation __asm__("r0") = SEMIHOSTING_EXIT;
    register const uint32_t *argument __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {
    }
}

/* Fills the stack below its own frame with a pattern, calls, and looks how far down the pattern is gone. */
__attribute__((noinline)) uint32_t board_stack_of(int32_t (*call)(void))
{
    uint32_t top;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    volatile uint32_t *const lowest = (volatile uint32_t *)(top - BOARD_STACK_SEEN);
    for (uint32_t i = 0u; i < BOARD_STACK_SEEN / 4u; i++) {
        lowest[i] = UNTOUCHED;
    }
    (void)call();
    uint32_t untouched = 0u;
    while (untouched < BOARD_STACK_SEEN / 4u && lowest[untouched] == UNTOUCHED) {
        untouched++;
    }
    return BOARD_STACK_SEEN - 4u * untouched;
}

__asm__(".syntax unified\n"
        ".thumb_func\n"
        ".global board_loop\n"
        "board_loop:\n"
        "    nop\n"
        "    nop\n"
        "1:  subs r0, #1\n"
        "    bne 1b\n"
        "    bx lr\n");

/* The compiler may call these two even where a source does not (C99 freestanding). */
void *memcpy(void *to, const void *from, size_t count)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    while (count-- != 0u) {
        *target++ = *source++;
    }
    return to;
}

void *memset(void *to, int byte, size_t count)
{
    unsigned char *target = to;
    while (count-- != 0u) {
        *target++ = (unsigned char)byte;
    }
    return to;
}
