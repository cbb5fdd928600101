import Foundation
import Sandbox
import Synchronization
import TollgateClient
import TollgateKernel

/// Four roles as processes on free ports in a folder of their own; the sandbox lives on while the
/// others are killed.
final class RunningLoop: Sendable {
    let folder: String
    let server: String
    private let environment: [String: String]
    private let roles = Mutex<[String: RoleProcess]>([:])
    let sandbox: SandboxControl
    /// Where the sandbox is reached.
    let sandboxURL: String

    /// - Parameter more: Settings of every role, before the usual ones.
    init(_ more: [String: String] = [:]) throws {
        folder =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-loop-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        server = "127.0.0.1:\(try FreePort.take())"
        let sandboxAddress = "127.0.0.1:\(try FreePort.take())"
        let usual = [
            "TOLLGATE_DATA": "\(folder)/data",
            "TOLLGATE_SERVER_ADDRESS": server,
            "TOLLGATE_SANDBOX_ADDRESS": sandboxAddress,
            "TOLLGATE_WEB_ADDRESS": "127.0.0.1:\(try FreePort.take())",
            "TOLLGATE_TRIAL_CALLS_PER_DAY": "2",
            "TOLLGATE_ORDER_FIRST_QUERY_SECONDS": "1",
            "TOLLGATE_JOBS_PAYMENT_RECONCILE_SECONDS": "1",
            "TOLLGATE_JOBS_ORDER_CLOSE_SECONDS": "1",
            "TOLLGATE_JOBS_HOLD_EXPIRE_SECONDS": "1",
            "TOLLGATE_JOBS_OUTBOX_SECONDS": "1",
            "TOLLGATE_JOBS_METRIC_ROLLUP_SECONDS": "1",
            "TOLLGATE_SANDBOX_NOTIFY_SCHEDULE_SCALE": "0.02",
            "TOLLGATE_SANDBOX_TOKENS_PER_SECOND": "2000",
        ]
        environment = usual.merging(more) { $1 }
        sandboxURL = "http://\(sandboxAddress)"
        sandbox = SandboxControl(baseURL: sandboxURL)
    }

    /// Starts a role under its name.
    func start(_ name: String) throws {
        try start(
            name, as: name == "jobs" ? ["jobs", "serve", "--listen", "127.0.0.1:0"] : [name])
    }

    /// Starts a role under a name of its own.
    func start(_ name: String, as arguments: [String]) throws {
        let role = try RoleProcess(
            arguments, environment: environment, folder: folder, name: name)
        roles.withLock { $0[name] = role }
    }

    /// The name of the running role whose process has this number.
    func name(ofProcess number: Int32) -> String? {
        roles.withLock { $0.first { $0.value.number == number }?.key }
    }

    /// Starts a person's command; its output goes to the log of that name.
    func command(_ arguments: [String], name: String) throws -> RoleProcess {
        try RoleProcess(
            arguments,
            environment: environment.merging(["TOLLGATE_SERVER": server, "HOME": folder]) { $1 },
            folder: folder, name: name)
    }

    /// Kills a role as a power cut would.
    func kill9(_ name: String) async {
        let role = roles.withLock { $0.removeValue(forKey: name) }
        await role?.kill9()
    }

    /// Asks a role to drain, and waits until it has ended.
    func stop(_ name: String) async {
        let role = roles.withLock { $0.removeValue(forKey: name) }
        await role?.stop()
    }

    /// Stops what runs and removes the folder.
    func end() async {
        let last = ["web", "serve", "sandbox"]
        let first = roles.withLock { $0.keys.filter { !last.contains($0) } }
        for name in first + last {
            let role = roles.withLock { $0.removeValue(forKey: name) }
            await role?.stop()
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A client that shows one of the folder's credentials, to another server if one is named.
    func client(_ role: String, of address: String? = nil) throws -> TollgateClient {
        let path = "\(folder)/data/credentials/\(role)"
        let credential = try String(contentsOfFile: path, encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return try TollgateClient(
            TollgateClientConfiguration(address: address ?? server, credential: credential))
    }

    /// Waits until a step succeeds; its last error after so many seconds.
    func eventually<Value>(
        within seconds: Double = 30, _ step: () async throws -> Value?
    ) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var last: any Error = Failure(.unavailable, "it never happened")
        while ContinuousClock.now < deadline {
            do {
                if let value = try await step() { return value }
            } catch {
                last = error
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw last
    }

    /// What a role or a command has written so far.
    func output(_ name: String) -> String {
        (try? String(contentsOfFile: "\(folder)/\(name).log", encoding: .utf8)) ?? ""
    }

    /// The last lines of a role's log, for a failing test.
    func log(_ name: String) -> String {
        let text = output(name)
        return text.split(separator: "\n").suffix(10).joined(separator: "\n")
    }
}

/// Asks the kernel for a port nobody has.
enum FreePort {
    static func take() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(.unavailable, "no socket") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size)
            }
        }
        var length = size
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        guard bound == 0, named == 0 else { throw Failure(.unavailable, "no port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
