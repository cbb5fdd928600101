import Metrics
import TollgateWire

/// A hosted method: what answers it, and its meters.
final class Route: Sendable {
    let method: MethodDescriptor
    let answer: MethodRegistration.Answer
    /// Whether there is one request and one response.
    let isUnary: Bool
    /// How many calls run, and whether one more may.
    let gate: MethodGate
    private let succeeded: Counter
    private let duration: Metrics.Timer

    init(_ registration: MethodRegistration, _ limits: ServerLimits = ServerLimits()) {
        method = registration.descriptor
        gate = MethodGate(registration.descriptor, limits)
        answer = registration.answer
        isUnary = if case .unary = registration.answer { true } else { false }
        let dimensions = [("method", registration.descriptor.fullName)]
        succeeded = Counter(
            label: "tollgate_rpc_calls_total", dimensions: dimensions + [("code", "0")])
        duration = Metrics.Timer(label: "tollgate_rpc_call_seconds", dimensions: dimensions)
    }

    /// Counts an answered call.
    func record(code: Int32, nanoseconds: Int64) {
        if code == 0 {
            succeeded.increment()
        } else {
            Counter(
                label: "tollgate_rpc_calls_total",
                dimensions: [("method", method.fullName), ("code", String(code))]
            ).increment()
        }
        duration.recordNanoseconds(nanoseconds)
    }
}

/// Finds methods by the names in a request, without making a string of them.
struct Router: Sendable {
    private struct Entry {
        let service: [UInt8]
        let method: [UInt8]
        let route: Route
    }

    private let buckets: [[Entry]]
    private let mask: UInt64
    private let bareServices: Set<[UInt8]>

    /// The hosted services, in order of registration.
    let services: [ServiceRegistration]

    /// Every method, under its service's full name and, as bRPC allows, under the bare one.
    init(_ services: [ServiceRegistration], _ limits: ServerLimits = ServerLimits()) {
        self.services = services
        var entries: [Entry] = []
        var bareServices: Set<[UInt8]> = []
        for service in services {
            let full = Array(service.name.utf8)
            let bare = full.split(separator: UInt8(ascii: ".")).last.map(Array.init) ?? full
            bareServices.insert(bare)
            for method in service.methods {
                let route = Route(method, limits)
                let name = Array(method.descriptor.name.utf8)
                entries.append(Entry(service: full, method: name, route: route))
                if bare != full {
                    entries.append(Entry(service: bare, method: name, route: route))
                }
            }
        }
        var size = 16
        while size < entries.count * 2 { size *= 2 }
        mask = UInt64(size - 1)
        var buckets = [[Entry]](repeating: [], count: size)
        for entry in entries {
            let hash = entry.service.withUnsafeBytes { service in
                entry.method.withUnsafeBytes { Self.hash(service, $0) }
            }
            buckets[Int(hash & mask)].append(entry)
        }
        self.buckets = buckets
        self.bareServices = bareServices
    }

    /// The method of these names.
    /// - Throws: 1001 if a name without a dot is no service, else 1002 (rpc-wire, 1.7).
    func find(
        service: UnsafeRawBufferPointer, method: UnsafeRawBufferPointer
    ) throws(RPCError) -> Route {
        for entry in buckets[Int(Self.hash(service, method) & mask)]
        where Self.areEqual(entry.service, service) && Self.areEqual(entry.method, method) {
            return entry.route
        }
        let name = String(decoding: service, as: UTF8.self)
        if !name.utf8.contains(UInt8(ascii: ".")), !bareServices.contains(Array(service)) {
            throw RPCError(
                code: RPCError.Code.noService, text: "Fail to find service=\(name)",
                isNotProcessed: true)
        }
        throw RPCError(
            code: RPCError.Code.noMethod,
            text: "Fail to find method=\(name)/\(String(decoding: method, as: UTF8.self))",
            isNotProcessed: true)
    }

    private static func areEqual(_ ours: [UInt8], _ name: UnsafeRawBufferPointer) -> Bool {
        guard ours.count == name.count else { return false }
        return ours.withUnsafeBytes { ours in
            var index = 0
            while index + 8 <= ours.count {
                guard
                    ours.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                        == name.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                else { return false }
                index += 8
            }
            while index < ours.count {
                guard ours[index] == name[index] else { return false }
                index += 1
            }
            return true
        }
    }

    /// FNV-1a over both names, eight bytes at a time.
    ///
    /// The table is made of our own methods, so no peer can crowd it.
    private static func hash(
        _ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer
    ) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ name: UnsafeRawBufferPointer) {
            var index = 0
            while index + 8 <= name.count {
                mix(name.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                index += 8
            }
            while index < name.count {
                mix(UInt64(name[index]))
                index += 1
            }
        }
        func mix(_ word: UInt64) {
            hash = (hash ^ word) &* 0x100_0000_01b3
            // What is high in a word must count below too, where the table looks.
            hash ^= hash >> 32
        }
        add(service)
        add(method)
        return hash
    }
}
