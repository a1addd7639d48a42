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

// The crash line: what a process writes when a fatal signal ends it (see crash.c).

/// What the crash line says of the process: JSON members, each with its comma in front, without line feeds.
/// @param context tells the trace of the crashing thread; called in the signal handler, and may crash itself.
///   Fills the trace's two halves and the span, zero when there is none.
/// @return 0, or -1 when a handler could not be installed or the members are too long.
int vitrine_crash_install(
    const char *_Nonnull after_message, const char *_Nonnull after_trace,
    void (*_Nonnull context)(uint64_t *_Nonnull trace_high, uint64_t *_Nonnull trace_low, uint64_t *_Nonnull span));

/// The hexadecimal build id of the executable, or an empty text when the linker has left none.
const char *_Nonnull vitrine_build_id(void);

/// Gives the calling thread a stack for signal handlers, so that a stack overflow can be told, too; once for each thread.
void vitrine_crash_add_thread(void);
void vitrine_crash_remove_thread(void);

/// A thread that flushes logs in a crash: it is woken through the descriptor, and is expected to call
/// `vitrine_crash_flushed` within a second. It may still be starting.
void vitrine_crash_set_flusher(int descriptor);
/// Makes the calling thread that thread: nobody waits for it when it crashes itself.
void vitrine_crash_claim_flusher(void);
/// For the thread to call at its end.
void vitrine_crash_clear_flusher(void);
/// The crash line when the process is crashing, or null. It has `*length` bytes, the line feed included.
const char *_Nullable vitrine_crash_line(uint64_t *_Nonnull length);
void vitrine_crash_flushed(void);
