#pragma once
#include <stdint.h>

/// The event loop that the calling thread runs (an unretained pointer), or null on any other thread.
void *_Nullable vitrine_current_loop(void);
void vitrine_set_current_loop(void *_Nullable loop);

/// A small number of the calling thread, given once, from zero up: it picks the thread's shard of a counter.
uint32_t vitrine_thread_ordinal(void);

/// A slot for the calling thread's telemetry buffer (an unretained pointer), or null.
void *_Nullable vitrine_thread_buffer(void);
void vitrine_set_thread_buffer(void *_Nullable buffer);

/// Names the calling thread as `top -H` and crash reports show it; 15 bytes at most.
void vitrine_set_thread_name(const char *_Nonnull name);
