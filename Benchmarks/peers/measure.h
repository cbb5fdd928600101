// What the peers share: clocks, and percentiles of latencies in a histogram of fixed size.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline int64_t monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// What this process has used of the processors, user and system together.
static inline int64_t cpu_nanoseconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static inline void stop_with(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

// 64 buckets for each power of two: values are kept to within 1.6 %.
enum { BUCKETS_OF_A_POWER = 64, POWERS = 48 };

typedef struct {
    uint64_t counts[POWERS * BUCKETS_OF_A_POWER];
    uint64_t total;
} Latencies;

static inline size_t bucket_of(uint64_t value) {
    if (value < BUCKETS_OF_A_POWER) return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 6;
    size_t bucket = (size_t)(shift + 1) * BUCKETS_OF_A_POWER + ((value >> shift) & 63);
    size_t last = POWERS * BUCKETS_OF_A_POWER - 1;
    return bucket < last ? bucket : last;
}

static inline uint64_t value_of(size_t bucket) {
    if (bucket < BUCKETS_OF_A_POWER) return bucket;
    unsigned shift = (unsigned)(bucket / BUCKETS_OF_A_POWER) - 1;
    return ((uint64_t)64 + bucket % BUCKETS_OF_A_POWER) << shift;
}

static inline void record(Latencies *latencies, int64_t nanoseconds) {
    latencies->counts[bucket_of(nanoseconds < 0 ? 0 : (uint64_t)nanoseconds)] += 1;
    latencies->total += 1;
}

// In microseconds.
static inline double percentile(const Latencies *latencies, double share) {
    if (latencies->total == 0) return 0;
    uint64_t wanted = (uint64_t)ceil(share * (double)latencies->total), seen = 0;
    for (size_t bucket = 0; bucket < POWERS * BUCKETS_OF_A_POWER; bucket++) {
        seen += latencies->counts[bucket];
        if (seen >= wanted) return (double)value_of(bucket) / 1000;
    }
    return 0;
}

// Every peer's last line on standard output, read by `tollgate bench`.
static inline void tell(uint64_t count, int64_t elapsed, int64_t cpu, const Latencies *latencies,
                        double commit_microseconds, const char *version) {
    printf("{\"count\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"p50Microseconds\":%.3f,"
           "\"p99Microseconds\":%.3f,\"commitMicroseconds\":%.3f,\"version\":\"%s\"}\n",
           (unsigned long long)count, (double)elapsed / 1e9, (double)cpu / 1e9,
           percentile(latencies, 0.5), percentile(latencies, 0.99), commit_microseconds, version);
    fflush(stdout);
}
