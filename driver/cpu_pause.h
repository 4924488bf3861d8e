/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop that looks for work does when it has found none: the other thread of the core, if it has one, goes
 * faster. */
#ifndef CIPU_CPU_PAUSE_H
#define CIPU_CPU_PAUSE_H

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
