#ifndef TOLLGATE_FAULT_VFS_H
#define TOLLGATE_FAULT_VFS_H

// A layer over SQLite's own file system that fails on demand, and knows what a power cut would
// leave. It becomes the process's default; files outside the armed folder pass through untouched.

enum fault_kind {
    FAULT_NONE = 0,
    // A write fails and nothing of it is kept.
    FAULT_WRITE = 1,
    // A write finds no room.
    FAULT_FULL = 2,
    // Half of a write is kept, then it fails.
    FAULT_TORN = 3,
    // A sync fails, and what it was to keep is lost although it can still be read.
    FAULT_SYNC = 4,
    // The process is killed with half of a write done.
    FAULT_KILLED_WRITING = 5,
    // The process is killed before a sync.
    FAULT_KILLED_SYNCING = 6,
};

// Puts the layer in place; once a process, further calls do nothing. 0 if it worked.
int fault_vfs_install(void);

// Watches the files of one folder from their present content on; forgets the folder before.
void fault_vfs_watch(const char *folder);

// Fails the n-th matching operation from now on (n from 1), that one only or all that follow.
void fault_vfs_arm(enum fault_kind kind, long number, int is_persistent);

// Fails nothing any more.
void fault_vfs_disarm(void);

// How many operations since then could have been the n-th.
long fault_vfs_met(void);

// Whether the armed fault has struck.
int fault_vfs_struck(void);

// Lets every write of the watched folder fail, as if its process were dead.
void fault_vfs_freeze(void);

// Leaves on the disk what a power cut would: all that was synced, and of the rest none, some, or a
// torn piece, as the seed says. Every connection must be closed. Ends the watch. 0 if it worked.
int fault_vfs_cut_power(unsigned long seed);

#endif
