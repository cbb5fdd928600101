import Glibc

/// The clocks that benchmarks read; they are about this machine as it is, so nothing stands for
/// them.
package enum Clocks {
    /// The monotonic clock, in nanoseconds.
    package static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    /// What this process has used of the processors so far, in nanoseconds.
    package static func ownProcessorNanoseconds() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// What another process has used so far, in nanoseconds, ended threads included; nil once it
    /// is gone.
    ///
    /// The kernel's own account of the process (clock_getcpuclockid(3)): what getrusage(2) would
    /// tell inside it, without asking it to do anything while it is measured.
    package static func processorNanoseconds(of process: Int32) -> Int64? {
        var clock = clockid_t()
        guard clock_getcpuclockid(process, &clock) == 0 else { return nil }
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return nanoseconds(time)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return nanoseconds(time)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
