#include "fault_vfs.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One change that is not synced yet; a null `bytes` cuts the file at `offset`.
struct change {
    struct change *next;
    sqlite3_int64 offset;
    int count;
    unsigned char *bytes;
};

// A watched file: what is on the disk for sure, and what is on its way there.
struct watched {
    struct watched *next;
    char *path;
    unsigned char *durable;
    sqlite3_int64 size;
    struct change *first;
    struct change **last;
};

struct fault_file {
    sqlite3_file base;
    struct watched *watched;
    sqlite3_file *real;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs *real_vfs;
static sqlite3_vfs layer;
static sqlite3_io_methods methods;
static struct watched *files;
static char *folder;
static enum fault_kind kind;
static long countdown, met;
static int is_persistent, has_struck, is_frozen;

static void put(struct watched *file, sqlite3_int64 offset, const unsigned char *bytes, int count) {
    sqlite3_int64 end = offset + count;
    if (end > file->size) {
        file->durable = realloc(file->durable, (size_t)end);
        memset(file->durable + file->size, 0, (size_t)(end - file->size));
        file->size = end;
    }
    memcpy(file->durable + offset, bytes, (size_t)count);
}

static void apply(struct watched *file, const struct change *change, int count) {
    if (change->bytes) {
        put(file, change->offset, change->bytes, count);
    } else if (change->offset < file->size) {
        file->size = change->offset;
    }
}

static void forget_changes(struct watched *file) {
    for (struct change *change = file->first; change;) {
        struct change *next = change->next;
        free(change->bytes);
        free(change);
        change = next;
    }
    file->first = NULL;
    file->last = &file->first;
}

static void forget_file(struct watched *file) {
    forget_changes(file);
    free(file->durable);
    free(file->path);
    free(file);
}

static void remember(struct watched *file, sqlite3_int64 offset, const void *bytes, int count) {
    struct change *change = calloc(1, sizeof *change);
    change->offset = offset;
    change->count = count;
    if (bytes) {
        change->bytes = malloc((size_t)count + 1);
        memcpy(change->bytes, bytes, (size_t)count);
    }
    *file->last = change;
    file->last = &change->next;
}

// Whether an operation fails now; asked under the lock.
static int strikes(int is_sync) {
    int is_of_sync = kind == FAULT_SYNC || kind == FAULT_KILLED_SYNCING;
    if (kind == FAULT_NONE || is_of_sync != is_sync) return 0;
    met += 1;
    countdown -= 1;
    if (countdown > 0 || (countdown < 0 && !is_persistent)) return 0;
    has_struck = 1;
    if (kind == FAULT_KILLED_SYNCING) kill(getpid(), SIGKILL);
    return 1;
}

static struct watched *find(const char *path) {
    for (struct watched *file = files; file; file = file->next) {
        if (strcmp(file->path, path) == 0) return file;
    }
    return NULL;
}

static struct watched *watch_file(const char *path) {
    if (!folder || !path || strncmp(path, folder, strlen(folder)) != 0) return NULL;
    struct watched *file = find(path);
    if (file) return file;
    file = calloc(1, sizeof *file);
    file->path = strdup(path);
    file->last = &file->first;
    FILE *content = fopen(path, "rb");
    if (content) {
        unsigned char buffer[65536];
        size_t count;
        while ((count = fread(buffer, 1, sizeof buffer, content)) > 0) {
            put(file, file->size, buffer, (int)count);
        }
        fclose(content);
    }
    file->next = files;
    files = file;
    return file;
}

#define REAL(file) (((struct fault_file *)(file))->real)
#define FORWARD(file, method, ...) (REAL(file)->pMethods->method(REAL(file), __VA_ARGS__))

static int close_file(sqlite3_file *file) {
    sqlite3_file *real = REAL(file);
    int code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
    free(real);
    return code;
}

static int read_file(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    return FORWARD(file, xRead, bytes, count, offset);
}

static int write_file(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    struct watched *watched = ((struct fault_file *)file)->watched;
    if (!watched) return FORWARD(file, xWrite, bytes, count, offset);
    pthread_mutex_lock(&lock);
    int code = SQLITE_OK;
    int kept = count;
    if (is_frozen) {
        kept = 0;
        code = SQLITE_IOERR_WRITE;
    } else if (strikes(0)) {
        kept = kind == FAULT_TORN || kind == FAULT_KILLED_WRITING ? count / 2 : 0;
        code = kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (kept > 0) {
        int real = FORWARD(file, xWrite, bytes, kept, offset);
        if (has_struck && kind == FAULT_KILLED_WRITING) kill(getpid(), SIGKILL);
        if (real == SQLITE_OK) {
            remember(watched, offset, bytes, kept);
        } else {
            code = real;
        }
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size) {
    struct watched *watched = ((struct fault_file *)file)->watched;
    if (!watched) return FORWARD(file, xTruncate, size);
    pthread_mutex_lock(&lock);
    int code = SQLITE_IOERR_TRUNCATE;
    if (!is_frozen) {
        code = FORWARD(file, xTruncate, size);
        if (code == SQLITE_OK) remember(watched, size, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int sync_file(sqlite3_file *file, int flags) {
    struct watched *watched = ((struct fault_file *)file)->watched;
    if (!watched) return FORWARD(file, xSync, flags);
    pthread_mutex_lock(&lock);
    int code = SQLITE_OK;
    if (is_frozen) {
        code = SQLITE_IOERR_FSYNC;
    } else if (strikes(1)) {
        // What Linux does: the pages are called clean, and will not be written again.
        forget_changes(watched);
        code = SQLITE_IOERR_FSYNC;
    } else {
        for (struct change *change = watched->first; change; change = change->next) {
            apply(watched, change, change->count);
        }
        forget_changes(watched);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return FORWARD(file, xFileSize, size);
}
static int lock_file(sqlite3_file *file, int level) { return FORWARD(file, xLock, level); }
static int unlock_file(sqlite3_file *file, int level) { return FORWARD(file, xUnlock, level); }
static int check_lock(sqlite3_file *file, int *is_held) {
    return FORWARD(file, xCheckReservedLock, is_held);
}
static int control(sqlite3_file *file, int operation, void *argument) {
    return FORWARD(file, xFileControl, operation, argument);
}
static int sector_size(sqlite3_file *file) { return REAL(file)->pMethods->xSectorSize(REAL(file)); }
static int device(sqlite3_file *file) {
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}
static int map_shared(sqlite3_file *file, int page, int size, int extend, void volatile **memory) {
    return FORWARD(file, xShmMap, page, size, extend, memory);
}
static int lock_shared(sqlite3_file *file, int offset, int count, int flags) {
    return FORWARD(file, xShmLock, offset, count, flags);
}
static void barrier(sqlite3_file *file) { REAL(file)->pMethods->xShmBarrier(REAL(file)); }
static int unmap_shared(sqlite3_file *file, int is_deleted) {
    return FORWARD(file, xShmUnmap, is_deleted);
}

static int open_file(
    sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *flags_out
) {
    (void)vfs;
    struct fault_file *opened = (struct fault_file *)file;
    opened->base.pMethods = NULL;
    opened->watched = NULL;
    opened->real = calloc(1, (size_t)real_vfs->szOsFile);
    if (!opened->real) return SQLITE_NOMEM;
    if (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) {
        pthread_mutex_lock(&lock);
        opened->watched = watch_file(path);
        pthread_mutex_unlock(&lock);
    }
    int code = real_vfs->xOpen(real_vfs, path, opened->real, flags, flags_out);
    if (code != SQLITE_OK) {
        if (opened->real->pMethods) opened->real->pMethods->xClose(opened->real);
        free(opened->real);
        return code;
    }
    opened->base.pMethods = &methods;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int is_synced) {
    (void)vfs;
    pthread_mutex_lock(&lock);
    struct watched *watched = find(path);
    if (watched && is_frozen) {
        pthread_mutex_unlock(&lock);
        return SQLITE_IOERR_DELETE;
    }
    int code = real_vfs->xDelete(real_vfs, path, is_synced);
    if (watched && code == SQLITE_OK) {
        forget_changes(watched);
        watched->size = 0;
    }
    pthread_mutex_unlock(&lock);
    return code;
}


int fault_vfs_install(void) {
    static int is_installed;
    pthread_mutex_lock(&lock);
    int code = SQLITE_OK;
    if (!is_installed) {
        real_vfs = sqlite3_vfs_find(NULL);
        layer = *real_vfs;
        layer.pNext = NULL;
        layer.zName = "tollgate-faults";
        layer.szOsFile = (int)sizeof(struct fault_file);
        layer.xOpen = open_file;
        layer.xDelete = delete_file;
        methods = (sqlite3_io_methods){
            .iVersion = 2, .xClose = close_file, .xRead = read_file, .xWrite = write_file,
            .xTruncate = truncate_file, .xSync = sync_file, .xFileSize = file_size,
            .xLock = lock_file, .xUnlock = unlock_file, .xCheckReservedLock = check_lock,
            .xFileControl = control, .xSectorSize = sector_size,
            .xDeviceCharacteristics = device, .xShmMap = map_shared, .xShmLock = lock_shared,
            .xShmBarrier = barrier, .xShmUnmap = unmap_shared,
        };
        code = sqlite3_vfs_register(&layer, 1);
        is_installed = code == SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

static void forget_all(void) {
    while (files) {
        struct watched *next = files->next;
        forget_file(files);
        files = next;
    }
    free(folder);
    folder = NULL;
    kind = FAULT_NONE;
    is_frozen = 0;
    has_struck = 0;
}

void fault_vfs_watch(const char *path) {
    pthread_mutex_lock(&lock);
    forget_all();
    folder = strdup(path);
    pthread_mutex_unlock(&lock);
}

void fault_vfs_arm(enum fault_kind what, long number, int persists) {
    pthread_mutex_lock(&lock);
    kind = what;
    countdown = number;
    met = 0;
    is_persistent = persists;
    has_struck = 0;
    pthread_mutex_unlock(&lock);
}

void fault_vfs_disarm(void) {
    pthread_mutex_lock(&lock);
    kind = FAULT_NONE;
    pthread_mutex_unlock(&lock);
}

long fault_vfs_met(void) {
    pthread_mutex_lock(&lock);
    long count = met;
    pthread_mutex_unlock(&lock);
    return count;
}

int fault_vfs_struck(void) {
    pthread_mutex_lock(&lock);
    int struck = has_struck;
    pthread_mutex_unlock(&lock);
    return struck;
}

void fault_vfs_freeze(void) {
    pthread_mutex_lock(&lock);
    is_frozen = 1;
    pthread_mutex_unlock(&lock);
}

static unsigned long draw(unsigned long *state) {
    *state = *state * 6364136223846793005UL + 1442695040888963407UL;
    return *state >> 33;
}

int fault_vfs_cut_power(unsigned long seed) {
    pthread_mutex_lock(&lock);
    unsigned long state = seed;
    int code = 0;
    int mode = (int)(draw(&state) % 3);
    for (struct watched *file = files; file; file = file->next) {
        for (struct change *change = file->first; change; change = change->next) {
            int luck = (int)(draw(&state) % 4);
            if (mode == 0 || (mode == 1 && luck < 2)) continue;
            if (luck == 3 && change->count > 1) {
                apply(file, change, change->count / 2);
            } else {
                apply(file, change, change->count);
            }
        }
        FILE *content = fopen(file->path, "wb");
        if (!content) {
            code = 1;
            continue;
        }
        if (fwrite(file->durable, 1, (size_t)file->size, content) != (size_t)file->size) code = 1;
        if (fclose(content) != 0) code = 1;
        char shared[4096];
        snprintf(shared, sizeof shared, "%s-shm", file->path);
        unlink(shared);
    }
    forget_all();
    pthread_mutex_unlock(&lock);
    return code;
}
