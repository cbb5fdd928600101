import Application
import CFaultVFS
import Glibc
import Storage
import Synchronization
import TestSupport
import TollgateKernel

/// Plays every history of ``MoneyScenario`` at once in a store, tells each step on its output when
/// it is acknowledged, and kills itself where it is told to.
///
/// Usage: StoreVictim PLACE point|write|sync NUMBER; PLACE is a folder or a `postgres://` address.
/// A number that is never reached lets it live; its last line then tells how many there were.
@main struct StoreVictim {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let number = Int(arguments[3]) else {
            tell("usage: StoreVictim PLACE point|write|sync NUMBER")
            exit(64)
        }
        let points = Points(deadly: arguments[2] == "point" ? number : .max)
        if !PostgreSQLTarget.isAddress(arguments[1]) {
            guard fault_vfs_install() == 0 else { exit(70) }
            fault_vfs_watch(arguments[1])
            switch arguments[2] {
            case "write": fault_vfs_arm(FAULT_KILLED_WRITING, number, 0)
            case "sync": fault_vfs_arm(FAULT_KILLED_SYNCING, number, 0)
            default: break
            }
        }
        let store = try await open(arguments[1], points)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<MoneyScenario.lanes {
                group.addTask {
                    for step in 0..<MoneyScenario.count {
                        try await MoneyScenario(lane: lane).play(step, in: store)
                        tell("\(lane) \(step)")
                    }
                }
            }
            try await group.waitForAll()
        }
        await store.close()
        tell("end \(arguments[2] == "point" ? points.count : fault_vfs_met())")
    }

    private static func open(_ place: String, _ points: Points) async throws -> any OpenedStore {
        let fault = CommitFault(reached: { _ in points.reach() })
        guard PostgreSQLTarget.isAddress(place) else {
            return try await SQLiteStore.open(
                folder: place, realm: .sandbox, role: .serve, clock: TestClock(),
                commitFault: fault)
        }
        return try await PostgreSQLStore.open(
            PostgreSQLTarget(place), realm: .sandbox, role: .serve, clock: TestClock(),
            clockLimits: .none, commitFault: fault)
    }

    /// One line, written at once: what is in a pipe outlives its writer.
    private static func tell(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}

/// Counts the points that writes come to; the process dies at one of them.
private final class Points: Sendable {
    private let deadly: Int
    private let reached = Atomic<Int>(0)

    init(deadly: Int) { self.deadly = deadly }

    var count: Int { reached.load(ordering: .relaxed) }

    func reach() {
        if reached.wrappingAdd(1, ordering: .relaxed).newValue == deadly {
            kill(getpid(), SIGKILL)
        }
    }
}
