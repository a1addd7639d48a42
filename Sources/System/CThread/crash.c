// One line of JSON on a fatal signal, then the default action.
//
// The handler allocates nothing, takes no lock and calls what POSIX allows in handlers; the two calls beyond that, for
// the trace and the backtrace, may crash themselves, and are then left out. All that it reads was prepared when it was
// installed. The logs are flushed by their own thread, which goes on while the handler waits for it.
#define _GNU_SOURCE
#include "CThread.h"
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    line_bytes = 4096, // A pipe takes so much in one piece.
    member_bytes = 1024,
    max_modules = 64,
    max_frames = 64,
    name_bytes = 48,
    stack_bytes = 64 * 1024,
    write_milliseconds = 200,
    flush_milliseconds = 1000,
    step_milliseconds = 5,
    end_bytes = 256, // What is kept free of frames for the end of the line.
};

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP};
enum { signal_count = sizeof signals / sizeof signals[0] };
static struct sigaction previous[signal_count];

static struct {
    uintptr_t base, start, end;
    char name[name_bytes];
} modules[max_modules];
static int module_count;

static char build_id[2 * 32 + 1];
static char after_message[member_bytes], after_trace[member_bytes];
static void (*find_context)(uint64_t *, uint64_t *, uint64_t *);

static char line[line_bytes];
static size_t length;

static _Atomic pid_t crashing_thread;
static _Atomic int line_is_ready, is_flushed;
static _Atomic int flusher_descriptor = -1;
static _Atomic pid_t flusher_thread;
static volatile sig_atomic_t may_return;
static sigjmp_buf return_point;

static _Thread_local void *signal_stack;

static pid_t thread_id(void) { return (pid_t)syscall(SYS_gettid); }

// MARK: Text

static void put(const char *text) {
    while (*text && length < line_bytes - 1) line[length++] = *text++;
}

static void put_hex(uint64_t value, int digits) {
    char text[17];
    int count = 0;
    do {
        text[count++] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while ((value || count < digits) && count < 16);
    while (count > 0 && length < line_bytes - 1) line[length++] = text[--count];
}

static void put_decimal(uint64_t value, int digits) {
    char text[20];
    int count = 0;
    do {
        text[count++] = (char)('0' + value % 10);
        value /= 10;
    } while ((value || count < digits) && count < 20);
    while (count > 0 && length < line_bytes - 1) line[length++] = text[--count];
}

/// What needs no escape stays; the rest becomes an underscore.
static void put_name(const char *text) {
    for (; *text && length < line_bytes - 1; text++)
        line[length++] = *text >= 0x20 && *text < 0x7F && *text != '"' && *text != '\\' ? *text : '_';
}

static void put_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t days = (uint64_t)now.tv_sec / 86400, second = (uint64_t)now.tv_sec % 86400;
    // Days to a civil date by eras of 400 years that begin on 1 March, so that leap days come last.
    uint64_t shifted = days + 719468, era = shifted / 146097, day_of_era = shifted - era * 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_index = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
    uint64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    put_decimal(year_of_era + era * 400 + (month <= 2), 4);
    put("-"), put_decimal(month, 2), put("-"), put_decimal(day, 2);
    put("T"), put_decimal(second / 3600, 2), put(":"), put_decimal(second / 60 % 60, 2);
    put(":"), put_decimal(second % 60, 2), put("."), put_decimal((uint64_t)now.tv_nsec / 1000, 6), put("Z");
}

static const char *signal_name(int number) {
    switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    case SIGFPE: return "SIGFPE";
    default: return "SIGTRAP";
    }
}

static uintptr_t program_counter(void *context) {
    ucontext_t *user = context;
#if defined(__x86_64__)
    return (uintptr_t)user->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)user->uc_mcontext.pc;
#else
    return 0;
#endif
}

static void put_frame(uintptr_t address) {
    for (int index = 0; index < module_count; index++) {
        if (address < modules[index].start || address >= modules[index].end) continue;
        put_name(modules[index].name), put("+0x"), put_hex(address - modules[index].base, 1);
        return;
    }
    put("0x"), put_hex(address, 1);
}

/// `module+0xoffset`, as addr2line and llvm-symbolizer take them, the innermost first.
static void put_backtrace(uintptr_t counter) {
    void *frames[max_frames];
    int count = 0;
    may_return = 1;
    if (sigsetjmp(return_point, 1) == 0) count = backtrace(frames, max_frames);
    may_return = 0;
    // The handler's own frames come first: they are not what happened.
    int first = 0;
    while (first < count && (uintptr_t)frames[first] != counter) first++;
    if (first == count) {
        put_frame(counter), put("\\n");
        first = 0;
    }
    for (int index = first; index < count && length < line_bytes - end_bytes; index++) {
        // A frame is where its caller goes on; the call itself is before that.
        put_frame((uintptr_t)frames[index] - (index > first)), put("\\n");
    }
}

static void compose(int number, siginfo_t *info, void *context) {
    length = 0;
    put("{\"@timestamp\":\""), put_time(), put("\",\"log.level\":\"fatal\",\"message\":\"");
    put(signal_name(number)), put(" ended the process");
    // Not positive: sent by a process, and then there is no address.
    if (info->si_code <= 0) {
        put(", sent by process "), put_decimal((uint64_t)info->si_pid, 1);
    } else if (number == SIGSEGV || number == SIGBUS) {
        put(", touching address 0x"), put_hex((uintptr_t)info->si_addr, 1);
    }
    put("\""), put(after_message);
    uint64_t high = 0, low = 0, span = 0;
    may_return = 1;
    if (sigsetjmp(return_point, 1) == 0) {
        find_context(&high, &low, &span);
    } else {
        high = low = span = 0;
    }
    may_return = 0;
    if (high | low) {
        put(",\"trace.id\":\""), put_hex(high, 16), put_hex(low, 16);
        put("\",\"span.id\":\""), put_hex(span, 16), put("\"");
    }
    put(after_trace);
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    put(",\"process.thread.id\":"), put_decimal((uint64_t)thread_id(), 1);
    put(",\"process.thread.name\":\""), put_name(name), put("\"");
    put(",\"error.type\":\""), put(signal_name(number)), put("\"");
    put(",\"error.code\":\""), put_decimal((uint64_t)number, 1), put("\"");
    put(",\"error.stack_trace\":\""), put_backtrace(program_counter(context)), put("\"}\n");
    line[length - 1] = '\n';
}

// MARK: The handler

static void pause_milliseconds(int milliseconds) {
    struct timespec rest = {0, milliseconds * 1000000L};
    nanosleep(&rest, NULL);
}

/// Never blocks: a reader that has stopped must not keep the process from ending.
static void write_line(void) {
    struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&ready, 1, write_milliseconds) != 1 || !(ready.revents & POLLOUT)) return;
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

static void flush_logs(void) {
    int descriptor = atomic_load(&flusher_descriptor);
    // The thread that flushes cannot do so when it is the one that crashes.
    if (descriptor < 0 || atomic_load(&flusher_thread) == thread_id()) return;
    char one = 1;
    ssize_t ignored = write(descriptor, &one, 1);
    (void)ignored;
    for (int waited = 0; waited < flush_milliseconds && !atomic_load(&is_flushed); waited += step_milliseconds)
        pause_milliseconds(step_milliseconds);
}

static void restore(int number) {
    for (int index = 0; index < signal_count; index++)
        if (signals[index] == number) sigaction(number, &previous[index], NULL);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int problem = errno;
    pid_t self = thread_id(), nobody = 0;
    if (!atomic_compare_exchange_strong(&crashing_thread, &nobody, self)) {
        if (nobody == self && may_return) siglongjmp(return_point, 1);
        // Another thread crashes too, and waits for the first one to end the process.
        if (nobody != self) pause_milliseconds(999);
    } else {
        compose(number, info, context);
        atomic_store(&line_is_ready, 1);
        write_line();
        flush_logs();
    }
    restore(number);
    errno = problem;
    // Sent, not only met again: an abort or a signal from outside would not come back by itself.
    syscall(SYS_tgkill, getpid(), self, number);
}

// MARK: Preparation

static void keep_build_id(const char *note, size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *header = (const void *)note;
        size_t name = (header->n_namesz + 3) & ~(size_t)3, value = (header->n_descsz + 3) & ~(size_t)3;
        if (size < sizeof *header + name + value) return;
        const unsigned char *bytes = (const unsigned char *)note + sizeof *header + name;
        if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && memcmp(note + sizeof *header, "GNU", 4) == 0) {
            for (size_t index = 0; index < header->n_descsz && index < 32; index++) {
                build_id[2 * index] = "0123456789abcdef"[bytes[index] >> 4];
                build_id[2 * index + 1] = "0123456789abcdef"[bytes[index] & 15];
            }
            return;
        }
        note += sizeof *header + name + value;
        size -= sizeof *header + name + value;
    }
}

static int keep_module(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    int *position = data;
    int is_executable = (*position)++ == 0;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (is_executable && header->p_type == PT_NOTE) keep_build_id((const char *)start, header->p_memsz);
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || module_count == max_modules) continue;
        const char *name = strrchr(info->dlpi_name, '/');
        name = name ? name + 1 : info->dlpi_name;
        if (is_executable) name = program_invocation_short_name;
        modules[module_count].base = info->dlpi_addr;
        modules[module_count].start = start;
        modules[module_count].end = start + header->p_memsz;
        strncpy(modules[module_count].name, *name ? name : "?", name_bytes - 1);
        module_count++;
    }
    return 0;
}

static pthread_once_t modules_once = PTHREAD_ONCE_INIT;
static void find_modules(void) {
    int position = 0;
    dl_iterate_phdr(keep_module, &position);
}

const char *vitrine_build_id(void) {
    pthread_once(&modules_once, find_modules);
    return build_id;
}

int vitrine_crash_install(
    const char *message_members, const char *trace_members, void (*context)(uint64_t *, uint64_t *, uint64_t *)) {
    if (strlen(message_members) >= member_bytes || strlen(trace_members) >= member_bytes) return -1;
    pthread_once(&modules_once, find_modules);
    strcpy(after_message, message_members);
    strcpy(after_trace, trace_members);
    int is_first = find_context == NULL;
    find_context = context;
    if (!is_first) return 0;
    // The first call loads the unwinder, which allocates.
    void *frame;
    backtrace(&frame, 1);
    vitrine_crash_add_thread();
    struct sigaction action = {0};
    action.sa_sigaction = on_signal;
    // Not deferred: a crash inside of the handler is noticed by it.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int index = 0; index < signal_count; index++)
        if (sigaction(signals[index], &action, &previous[index]) != 0) return -1;
    return 0;
}

void vitrine_crash_add_thread(void) {
    stack_t known;
    if (signal_stack || sigaltstack(NULL, &known) != 0 || !(known.ss_flags & SS_DISABLE)) return;
    void *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) return;
    stack_t own = {.ss_sp = stack, .ss_size = stack_bytes};
    if (sigaltstack(&own, NULL) == 0) {
        signal_stack = stack;
    } else {
        munmap(stack, stack_bytes);
    }
}

void vitrine_crash_remove_thread(void) {
    if (!signal_stack) return;
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(signal_stack, stack_bytes);
    signal_stack = NULL;
}

void vitrine_crash_set_flusher(int descriptor) {
    atomic_store(&flusher_thread, 0);
    atomic_store(&flusher_descriptor, descriptor);
}

void vitrine_crash_claim_flusher(void) { atomic_store(&flusher_thread, thread_id()); }

void vitrine_crash_clear_flusher(void) {
    // Another pipeline of the process may have taken its place.
    if (atomic_load(&flusher_thread) == thread_id()) atomic_store(&flusher_descriptor, -1);
}

const char *vitrine_crash_line(uint64_t *bytes) {
    if (!atomic_load(&line_is_ready)) return NULL;
    *bytes = length;
    return line;
}

void vitrine_crash_flushed(void) { atomic_store(&is_flushed, 1); }
