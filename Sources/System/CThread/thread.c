// Thread-local storage that Swift cannot declare itself: one load from a segment register, no lock; and calls of Linux
// that it does not see.
#define _GNU_SOURCE
#include "CThread.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

_Thread_local void *vitrine_loop_of_thread;
_Thread_local void *vitrine_buffer_of_thread;
// One more than the ordinal; zero until the thread has one.
_Thread_local uint32_t vitrine_ordinal_of_thread;

// The ordinals that are given again: a bit for each that a thread has now. Threads beyond get numbers that nobody gets
// again, which only means that they share their shards.
enum { reused_ordinals = 64 };
static _Atomic uint64_t taken;
static _Atomic uint32_t beyond;
static pthread_key_t key;
static pthread_once_t key_is_made = PTHREAD_ONCE_INIT;

// A thread ends: what it wrote to its shards is seen by the next one with this ordinal (release, then acquire).
static void give_back(void *argument) {
    uint32_t ordinal = (uint32_t)(uintptr_t)argument - 1;
    vitrine_ordinal_of_thread = 0;
    atomic_fetch_and_explicit(&taken, ~(UINT64_C(1) << ordinal), memory_order_release);
}

static void make_key(void) {
    if (pthread_key_create(&key, give_back) != 0) abort();
}

uint32_t vitrine_take_thread_ordinal(void) {
    uint64_t seen = atomic_load_explicit(&taken, memory_order_relaxed);
    while (~seen != 0) {
        uint32_t ordinal = (uint32_t)__builtin_ctzll(~seen);
        if (!atomic_compare_exchange_weak_explicit(&taken, &seen, seen | UINT64_C(1) << ordinal, memory_order_acquire,
                                                   memory_order_relaxed))
            continue;
        vitrine_ordinal_of_thread = ordinal + 1;
        pthread_once(&key_is_made, make_key);
        pthread_setspecific(key, (void *)(uintptr_t)(ordinal + 1));
        return ordinal;
    }
    uint32_t ordinal = reused_ordinals + atomic_fetch_add_explicit(&beyond, 1, memory_order_relaxed);
    vitrine_ordinal_of_thread = ordinal + 1;
    return ordinal;
}

int vitrine_usable_cores(void) {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
}

void vitrine_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }
