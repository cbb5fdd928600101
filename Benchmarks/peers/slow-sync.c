// Makes each sync of a file take at least so long, as on a disk where it does: loaded before a
// benchmark, and so before whatever it starts.
//
//     TOLLGATE_SYNC_MICROSECONDS=2000 LD_PRELOAD=/…/slow-sync.so tollgate bench store
//
// The path is a whole one, which programs in other folders find, and one that PostgreSQL may read.
//
// The sync itself is done first, whole, so what was durable without this is so with it.
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

// Waits until so many microseconds have gone by since `start`; errno stays what it was.
static void wait_until(struct timespec start, long microseconds) {
    int before = errno;
    struct timespec end = start;
    end.tv_sec += microseconds / 1000000;
    end.tv_nsec += microseconds % 1000000 * 1000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
    errno = before;
}

static long wanted_microseconds(void) {
    const char *text = getenv("TOLLGATE_SYNC_MICROSECONDS");
    return text ? strtol(text, NULL, 10) : 0;
}

static int slowly(int (*sync)(int), int file) {
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int result = sync ? sync(file) : -1;
    long microseconds = wanted_microseconds();
    if (microseconds > 0) wait_until(start, microseconds);
    return result;
}

int fsync(int file) {
    return slowly((int (*)(int))dlsym(RTLD_NEXT, "fsync"), file);
}

int fdatasync(int file) {
    return slowly((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"), file);
}
