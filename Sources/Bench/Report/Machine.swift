import Foundation
import Glibc

/// Where a benchmark ran.
package struct Machine: Sendable, Encodable {
    /// Processors that this process may use.
    package var cores: Int
    /// The processor's name.
    package var processor: String
    /// The kernel's release.
    package var kernel: String
    /// The file system under the benchmark's folder, such as `ext4`; a sync costs nothing on tmpfs.
    package var fileSystem: String
    /// How many processes wanted a processor in the last minute before, on average: above a few
    /// tenths, others disturbed the run.
    package var loadBefore: Double

    /// Looks at this machine.
    package static func current(folder: String) -> Machine {
        var load = [0.0]
        getloadavg(&load, 1)
        return Machine(
            cores: ProcessInfo.processInfo.activeProcessorCount, processor: processorName(),
            kernel: kernelRelease(), fileSystem: fileSystemName(folder), loadBefore: load[0])
    }

    private static func processorName() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("model name") {
            return line.split(separator: ":").last.map {
                $0.trimmingCharacters(in: .whitespaces)
            } ?? "unknown"
        }
        return "unknown"
    }

    private static func kernelRelease() -> String {
        (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    /// The longest mount point that the folder lies below tells its file system.
    private static func fileSystemName(_ folder: String) -> String {
        let path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path + "/"
        let text = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        var best = (length: 0, name: "unknown")
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let place = fields[1] == "/" ? "/" : fields[1] + "/"
            if path.hasPrefix(place), place.count >= best.length {
                best = (place.count, String(fields[2]))
            }
        }
        return best.name
    }
}
