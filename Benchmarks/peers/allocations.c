// Counts what a program asks of its allocator: loaded before it, beside whatever allocator it has.
//
//     TOLLGATE_ALLOCATIONS=FILE LD_PRELOAD=allocations.so PROGRAM…
//
// FILE is made by whoever measures, as long as `Tally`, and read by them at any time, because the
// counts are shared memory. If they have written a `period` into it, the stack of every so many
// allocations is kept too; a prime meets all of a repeated pattern's alike. Programs that the
// counted one starts are not counted.
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 32, SAMPLES = 1 << 16, EARLY_BYTES = 1 << 16, OWN_FRAMES = 2 };

// One allocation: its size, and where it was asked for, the innermost first; 0 ends a short stack.
typedef struct {
    uint64_t bytes;
    uint64_t stack[FRAMES];
} Sample;

// AllocationTally.swift reads the same.
typedef struct {
    _Atomic uint64_t allocations;
    _Atomic uint64_t bytes;
    _Atomic uint64_t frees;
    _Atomic uint64_t period;
    _Atomic uint64_t samples;
    Sample kept[SAMPLES];
} Tally;

static Tally *tally;
static _Atomic uint64_t count_down;
// A stack is walked by code that allocates when it is used first.
static __thread __attribute__((tls_model("initial-exec"))) bool is_inside;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static void (*next_free)(void *);

// dlsym itself may allocate before it has told us where to: that is never given back.
static _Alignas(16) char early[EARLY_BYTES];
static size_t early_used;

static void *early_allocation(size_t bytes) {
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded < bytes || rounded > EARLY_BYTES - early_used) return NULL;
    void *place = early + early_used;
    early_used += rounded;
    return place;
}

static bool is_early(const void *place) {
    return (const char *)place >= early && (const char *)place < early + EARLY_BYTES;
}

// The first allocations are the loader's, made while there is one thread.
static void find_next(void) {
    static bool is_looking;
    if (next_free || is_looking) return;
    is_looking = true;
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    is_looking = false;
}

__attribute__((constructor)) static void begin(void) {
    find_next();
    const char *path = getenv("TOLLGATE_ALLOCATIONS");
    unsetenv("LD_PRELOAD");
    if (!path) return;
    void *first[1];
    is_inside = true;
    (void)backtrace(first, 1);
    is_inside = false;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *memory = mmap(NULL, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED) tally = memory;
}

static __attribute__((noinline)) void keep(size_t bytes) {
    void *stack[FRAMES + OWN_FRAMES];
    int depth = backtrace(stack, FRAMES + OWN_FRAMES) - OWN_FRAMES;
    if (depth <= 0) return;
    uint64_t place = atomic_fetch_add_explicit(&tally->samples, 1, memory_order_relaxed);
    if (place >= SAMPLES) return;
    Sample *sample = &tally->kept[place];
    sample->bytes = bytes;
    memcpy(sample->stack, stack + OWN_FRAMES, (size_t)depth * sizeof(void *));
}

// Inlined into the functions below, so that a stack begins with two frames of ours.
static inline __attribute__((always_inline)) void note(size_t bytes) {
    if (!tally || is_inside) return;
    atomic_fetch_add_explicit(&tally->allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tally->bytes, bytes, memory_order_relaxed);
    uint64_t period = atomic_load_explicit(&tally->period, memory_order_relaxed);
    if (period == 0) return;
    uint64_t number = atomic_fetch_add_explicit(&count_down, 1, memory_order_relaxed);
    if (number % period != 0) return;
    int error = errno;
    is_inside = true;
    keep(bytes);
    is_inside = false;
    errno = error;
}

void *malloc(size_t bytes) {
    find_next();
    if (!next_malloc) return early_allocation(bytes);
    note(bytes);
    return next_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    find_next();
    if (!next_calloc) {
        return count && bytes > SIZE_MAX / count ? NULL : early_allocation(count * bytes);
    }
    note(count * bytes);
    return next_calloc(count, bytes);
}

void *realloc(void *place, size_t bytes) {
    find_next();
    if (!next_realloc) return place ? NULL : early_allocation(bytes);
    note(bytes);
    if (!is_early(place)) return next_realloc(place, bytes);
    // How long it was is not known; what lies behind it in the buffer is ours as well.
    void *moved = next_malloc(bytes);
    size_t rest = (size_t)(early + EARLY_BYTES - (char *)place);
    if (moved) memcpy(moved, place, bytes < rest ? bytes : rest);
    return moved;
}

int posix_memalign(void **place, size_t alignment, size_t bytes) {
    find_next();
    note(bytes);
    return next_posix_memalign(place, alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    find_next();
    note(bytes);
    return next_aligned_alloc(alignment, bytes);
}

void free(void *place) {
    if (!place || is_early(place)) return;
    find_next();
    if (!next_free) return;
    if (tally && !is_inside) atomic_fetch_add_explicit(&tally->frees, 1, memory_order_relaxed);
    next_free(place);
}

// C++'s `operator new`, which an allocator may bring itself.
void *_Znwm(size_t bytes) {
    find_next();
    note(bytes);
    void *place = next_malloc(bytes);
    if (!place) abort();
    return place;
}

void *_Znam(size_t bytes) {
    find_next();
    note(bytes);
    void *place = next_malloc(bytes);
    if (!place) abort();
    return place;
}
