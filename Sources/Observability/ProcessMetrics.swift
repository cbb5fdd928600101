internal import Glibc

/// What the kernel says about this process, under the names Prometheus' own libraries use.
package enum ProcessMetrics {
    /// Reads them now; what cannot be read is left out.
    package static func read() -> [MetricFamily] {
        var families: [MetricFamily] = []
        if let seconds = processorSeconds() {
            families.append(
                family("process_cpu_seconds_total", .counter, "User and system time.", seconds))
        }
        if let pages = residentPages() {
            families.append(
                family(
                    "process_resident_memory_bytes", .gauge, "Memory that is in RAM.",
                    Double(pages) * Double(sysconf(Int32(_SC_PAGESIZE)))))
        }
        if let count = openFileCount() {
            families.append(
                family("process_open_fds", .gauge, "Open file descriptors.", Double(count)))
        }
        return families
    }

    private static func family(
        _ name: String, _ kind: MetricKind, _ help: String, _ value: Double
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: kind, help: help, series: [MetricSeries(value: .number(value))])
    }

    private static func processorSeconds() -> Double? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
        }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// The second number of `/proc/self/statm`.
    private static func residentPages() -> Int64? {
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int64(words[1]) : nil
    }

    /// Entries of `/proc/self/fd`, without `.`, `..` and the one that reads it.
    private static func openFileCount() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count - 3
    }
}
