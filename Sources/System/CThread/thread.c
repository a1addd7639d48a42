// Thread-local storage that Swift cannot declare itself: one load from a segment register, no lock.
#define _GNU_SOURCE
#include "CThread.h"
#include <pthread.h>
#include <stdatomic.h>

static _Thread_local void *current_loop;
static _Thread_local void *thread_buffer;
static _Thread_local uint32_t ordinal;
static _Atomic uint32_t threads;

void *vitrine_current_loop(void) { return current_loop; }
void vitrine_set_current_loop(void *loop) { current_loop = loop; }

uint32_t vitrine_thread_ordinal(void) {
    if (ordinal == 0) ordinal = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    return ordinal - 1;
}

void *vitrine_thread_buffer(void) { return thread_buffer; }
void vitrine_set_thread_buffer(void *buffer) { thread_buffer = buffer; }

void vitrine_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }
