#pragma once
#include <stdint.h>

// The variables are read where they are used, by one instruction; everything here ends up in an executable, so the
// fastest of the thread-local models is right.
#define VITRINE_THREAD_LOCAL extern _Thread_local __attribute__((tls_model("initial-exec")))

VITRINE_THREAD_LOCAL void *_Nullable vitrine_loop_of_thread;
VITRINE_THREAD_LOCAL void *_Nullable vitrine_buffer_of_thread;
VITRINE_THREAD_LOCAL uint32_t vitrine_ordinal_of_thread;

/// The event loop that the calling thread runs (an unretained pointer), or null on any other thread.
static inline void *_Nullable vitrine_current_loop(void) { return vitrine_loop_of_thread; }
static inline void vitrine_set_current_loop(void *_Nullable loop) { vitrine_loop_of_thread = loop; }

/// Gives the calling thread the lowest ordinal that is free.
uint32_t vitrine_take_thread_ordinal(void);

/// A small number of the calling thread, from zero up: it picks the thread's shard of a counter. No two threads have the
/// same one at the same time; that of a thread that has ended is given again.
static inline uint32_t vitrine_thread_ordinal(void) {
    uint32_t next = vitrine_ordinal_of_thread;
    return __builtin_expect(next != 0, 1) ? next - 1 : vitrine_take_thread_ordinal();
}

/// A slot for the calling thread's telemetry buffer (an unretained pointer), or null.
static inline void *_Nullable vitrine_thread_buffer(void) { return vitrine_buffer_of_thread; }
static inline void vitrine_set_thread_buffer(void *_Nullable buffer) { vitrine_buffer_of_thread = buffer; }

/// Names the calling thread as `top -H` and crash reports show it; 15 bytes at most.
void vitrine_set_thread_name(const char *_Nonnull name);

/// Cores that the calling thread may run on; 0 when the system does not say, as for more cores than a set of libc has.
int vitrine_usable_cores(void);
