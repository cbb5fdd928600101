import NIOCore
import Synchronization
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Events that handlers report and tests wait for, in order.
final class Events: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    private let recorded: Mutex<[String]> = Mutex([])

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func report(_ event: String) {
        recorded.withLock { $0.append(event) }
        continuation.yield(event)
    }

    /// Everything reported so far.
    var all: [String] { recorded.withLock { $0 } }

    /// Waits until `event` has been reported; false if that takes longer than so many seconds.
    func wait(for event: String, seconds: Int = 10) async -> Bool {
        for _ in 0..<seconds * 200 {
            if all.contains(event) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

/// Knows the credentials `web`, `jobs`, `admin` and `cli` by their names.
struct NamedRoles: CredentialVerifier {
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        // Real verifiers wait for the store.
        await Task.yield()
        let name = String(decoding: credential, as: UTF8.self)
        return ServiceRole(rawValue: name).map { ConnectionIdentity(name: name, role: $0) }
    }
}

/// Takes every credential once a test says so.
struct GatedRoles: CredentialVerifier {
    let events: Events

    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        events.report("verifying")
        guard await events.wait(for: "verified") else { return nil }
        return ConnectionIdentity(name: "web", role: .web)
    }
}

/// Facts of methods for tests: `test.Service`.
enum TestMethods {
    static let empty = MessageDescriptor(name: "test.Bytes", fields: [])

    static func unary(
        _ name: String, access: MethodDescriptor.Access = .connection,
        roles: [ServiceRole] = [], isIdempotent: Bool = false, deadline: Int64 = 60_000,
        service: String = "test.Service"
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: service, name: name, access: access, roles: roles,
            isIdempotent: isIdempotent, defaultDeadlineMilliseconds: deadline, streaming: .unary,
            request: empty, response: empty)
    }

    static func stream(_ name: String, deadline: Int64 = 60_000) -> MethodDescriptor {
        MethodDescriptor(
            service: "test.Service", name: name, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: deadline,
            streaming: .serverStreaming, request: empty, response: empty)
    }

    static func duplex(
        _ name: String, _ streaming: MethodDescriptor.Streaming = .bidirectionalStreaming
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "test.Service", name: name, access: .connection, roles: [],
            isIdempotent: false, defaultDeadlineMilliseconds: 60_000, streaming: streaming,
            request: empty, response: empty)
    }

    static let echoEach = duplex("EchoEach")
    static let gather = duplex("Gather", .clientStreaming)
    static let deaf = duplex("Deaf")
    static let idle = duplex("Idle")
    static let satisfied = duplex("Satisfied")
    static let refusing = duplex("Refusing")
    static let trailing = stream("Trailing")
    static let fields = unary("Fields")
    static let typed = unary("Typed")
    static let echo = unary("Echo")
    static let brpcEcho = unary("Echo", service: "example.EchoService")
    static let fail = unary("Fail")
    static let crash = unary("Crash")
    static let hang = unary("Hang")
    static let slow = unary("Slow")
    static let gated = unary("Gated")
    static let bulk = unary("Bulk")
    static let gatedBulk = unary("GatedBulk")
    static let remaining = unary("Remaining")
    static let remainingOfStream = stream("RemainingOfStream")
    static let signedIn = unary("SignedIn", access: .user)
    static let jobsOnly = unary("JobsOnly", access: .service, roles: [.jobs])
    static let adminOnly = unary("AdminOnly", access: .admin)
    static let count = stream("Count")
    static let flood = stream("Flood")
    static let empties = stream("Empties")
    static let failLate = stream("FailLate")
    static let hangStream = stream("HangStream")
    static let big = stream("Big")
    static let lenient = stream("Lenient")
    static let overdo = unary("Overdo")
    static let overdoStream = stream("OverdoStream")
}

/// The services that RPC tests call; what happens in them is reported to `events`.
func testServices(_ events: Events) -> [ServiceRegistration] {
    let echo: @Sendable (ByteBuffer, ServerCallContext) async throws -> ByteBuffer = {
        if $1.attachment.readableBytes > 0 { $1.setResponseAttachment($1.attachment) }
        return $0
    }
    return [
        ServiceRegistration(
            name: "example.EchoService", methods: [.raw(TestMethods.brpcEcho, echo)]),
        ServiceRegistration(
            name: "test.Service",
            methods: [
                .raw(TestMethods.echo, echo),
                .raw(TestMethods.signedIn, echo),
                .raw(TestMethods.jobsOnly, echo),
                .raw(TestMethods.adminOnly, echo),
            ] + failingMethods(events) + streamingMethods(events) + duplexMethods(events)
                + excessiveMethods()),
    ]
}

private func failingMethods(_ events: Events) -> [MethodRegistration] {
    [
        .raw(TestMethods.fail) { _, _ in
            throw Failure(.quotaExhausted, "Buy more.", retryAfterMilliseconds: 1_500)
        },
        .raw(TestMethods.crash) { _, _ in throw SecretError() },
        .raw(TestMethods.hang) { payload, _ in
            events.report("hang started")
            // Told where the cancel is read, so before whatever is read after it.
            try await withTaskCancellationHandler {
                try await Task.sleep(for: .seconds(60))
            } onCancel: {
                events.report("hang cancelled")
            }
            return payload
        },
        .raw(TestMethods.slow) { payload, _ in
            events.report("slow started")
            try await Task.sleep(for: .milliseconds(150))
            return payload
        },
        .raw(TestMethods.gated) { payload, _ in
            events.report("gated started")
            guard await events.wait(for: "gate opened") else { throw SecretError() }
            return payload
        },
        .raw(TestMethods.bulk) { payload, _ in
            events.report("bulk answered")
            return ByteBuffer(repeating: 7, count: Int(String(buffer: payload)) ?? 0)
        },
        .raw(TestMethods.gatedBulk) { payload, _ in
            events.report("gated started")
            guard await events.wait(for: "gate opened") else { throw SecretError() }
            return ByteBuffer(repeating: 7, count: Int(String(buffer: payload)) ?? 0)
        },
        .raw(TestMethods.remaining) { _, context in
            let inherited = CallDeadline.current == context.deadline
            let left = inherited ? context.deadline.remainingMilliseconds : -1
            return ByteBuffer(integer: left)
        },
    ]
}

private func streamingMethods(_ events: Events) -> [MethodRegistration] {
    [
        .rawServerStreaming(TestMethods.count) { payload, _, stream in
            for number in 0..<(payload.getInteger(at: 0, as: UInt32.self) ?? 0) {
                try await stream.write(ByteBuffer(integer: number))
            }
        },
        .rawServerStreaming(TestMethods.flood) { _, _, stream in
            let message = ByteBuffer(repeating: 7, count: 32 * 1_024)
            for number in 0..<1_000 {
                try await stream.write(message)
                events.report("wrote \(number)")
            }
        },
        .rawServerStreaming(TestMethods.lenient) { _, _, stream in
            // Takes its cancellation for an end like any other.
            while (try? await stream.write(ByteBuffer(repeating: 7, count: 1_024))) == true {}
        },
        .rawServerStreaming(TestMethods.empties) { payload, _, stream in
            for number in 1...(payload.getInteger(at: 0, as: UInt32.self) ?? 1) {
                try await stream.write(ByteBuffer())
                if number.isMultiple(of: 4_096) { events.report("wrote \(number)") }
            }
        },
        .rawServerStreaming(TestMethods.failLate) { _, _, stream in
            try await stream.write(ByteBuffer(string: "part"))
            throw Failure(.upstreamFailed, "The model broke off.", retryAfterMilliseconds: 9)
        },
        .rawServerStreaming(TestMethods.hangStream) { payload, _, stream in
            if payload.readableBytes > 0 { try await stream.write(payload) }
            events.report("stream started")
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                events.report("stream cancelled")
                throw error
            }
        },
        .rawServerStreaming(TestMethods.remainingOfStream) { _, context, stream in
            try await stream.write(ByteBuffer(integer: context.deadline.remainingMilliseconds))
        },
        .rawServerStreaming(TestMethods.big) { payload, _, stream in
            let count = Int(payload.getInteger(at: 0, as: UInt32.self) ?? 0)
            try await stream.write(ByteBuffer(bytes: (0..<count).map { UInt8($0 & 0xff) }))
        },
    ]
}

private func duplexMethods(_ events: Events) -> [MethodRegistration] {
    [
        .unary(TestMethods.typed) { (request: V1.AskRequest, _) in request },
        .rawStreaming(TestMethods.echoEach) { requests, _, stream in
            while let message = try await requests.next() {
                try await stream.write(ByteBuffer(bytes: message))
            }
            events.report("requests ended")
        },
        .rawStreaming(TestMethods.gather) { requests, context, stream in
            var count = 0
            var bytes = 0
            while let message = try await requests.next() {
                count += 1
                bytes += message.count
            }
            context.setTrailers(["seen": "all"])
            try await stream.write(ByteBuffer(string: "\(count) messages, \(bytes) bytes"))
        },
        .rawStreaming(TestMethods.idle) { _, _, _ in try await Task.sleep(for: .seconds(60)) },
        .rawStreaming(TestMethods.deaf) { requests, _, _ in
            events.report("deaf started")
            guard await events.wait(for: "ears opened", seconds: 60) else { throw SecretError() }
            do {
                var count = 0
                while try await requests.next() != nil { count += 1 }
                events.report("deaf heard \(count)")
                events.report("deaf heard all")
            } catch {
                events.report("deaf cancelled")
                throw error
            }
        },
        .rawStreaming(TestMethods.satisfied) { requests, _, stream in
            _ = try await requests.next()
            try await stream.write(ByteBuffer(string: "enough"))
        },
        .rawStreaming(TestMethods.refusing) { requests, _, _ in
            _ = try await requests.next()
            throw Failure(.quotaExhausted, "Buy more.", retryAfterMilliseconds: 1_500)
        },
        .rawServerStreaming(TestMethods.trailing) { _, context, stream in
            context.setTrailers(["balance": "12"])
            try await stream.write(ByteBuffer(string: "answer"))
        },
        .raw(TestMethods.fields) { payload, context in
            context.setTrailers(["priority": "\(context.priority)"])
            events.report("fields \(context.priority)")
            return payload
        },
    ]
}

/// Answers with more beside the message than a packet may carry, in the way that is asked for.
private func excessiveMethods() -> [MethodRegistration] {
    let overdo: @Sendable (ByteBuffer, ServerCallContext) throws -> Void = { payload, context in
        let long = String(repeating: "é", count: Limits.rpcMetaBytes)
        let crowd = Dictionary(
            uniqueKeysWithValues: (0...Limits.rpcUserFields).map { ("key-\($0)", "") })
        switch String(buffer: payload) {
        case "long text": throw Failure(.notFound, long)
        case "long field": context.setTrailers(["key": long])
        case "many fields": context.setTrailers(crowd)
        case "long field of an error":
            throw RPCError(
                code: RPCError.Code.internalError, text: "why", userFields: ["key": long])
        default:
            throw RPCError(code: RPCError.Code.internalError, text: "why", userFields: crowd)
        }
    }
    return [
        .raw(TestMethods.overdo) { payload, context in
            try overdo(payload, context)
            return payload
        },
        .rawServerStreaming(TestMethods.overdoStream) { payload, context, stream in
            try await stream.write(payload)
            try overdo(payload, context)
        },
    ]
}

/// What no caller may read.
struct SecretError: Error, CustomStringConvertible {
    let description = "password=hunter2"
}
