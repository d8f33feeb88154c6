/* How often this process asked for memory. */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

unsigned long allocations_n(void);

#endif
