import Foundation
import Synchronization
import TollgateClient
import TollgateKernel

/// Chats with servers that run, until it is told to stop, and what each of them came to.
///
/// Half the point is what fails: a caller that is refused goes on with its next question, under a
/// new key, so that afterwards every key can be looked up in the books.
package struct ChatLoad: Sendable {
    /// The servers; callers are dealt out to them and stay.
    package var servers: [String]
    /// What connections show.
    package var credential: String
    /// The callers, each with an account of its own.
    package var customers: [SignedInCustomer]
    /// After so long it ends by itself.
    package var seconds: Double

    /// Makes a load.
    package init(
        servers: [String], credential: String, customers: [SignedInCustomer], seconds: Double
    ) {
        self.servers = servers
        self.credential = credential
        self.customers = customers
        self.seconds = seconds
    }

    /// Ends a load after the calls that are under way.
    package final class Stop: Sendable {
        private let isAsked = Atomic(false)

        /// Makes one that was not asked.
        package init() {}

        /// Asks for the end.
        package func ask() { isAsked.store(true, ordering: .relaxed) }

        /// Whether somebody asked.
        var wasAsked: Bool { isAsked.load(ordering: .relaxed) }
    }

    /// How many chats came to what.
    package struct Totals: Hashable, Sendable {
        /// Receipts that arrived.
        package var acknowledged = 0
        /// Refusals before anything was said.
        package var refused = 0
        /// All others.
        package var unknown = 0

        /// Makes totals of no chat.
        package init() {}

        mutating func add(_ other: Totals) {
            acknowledged += other.acknowledged
            refused += other.refused
            unknown += other.unknown
        }

        mutating func count(_ outcome: ChatRecord.Outcome) {
            switch outcome {
            case .acknowledged: acknowledged += 1
            case .refused: refused += 1
            case .unknown: unknown += 1
            }
        }
    }

    /// Runs to the end.
    ///
    /// - Parameter keep: Told of each chat before its caller asks again.
    /// - Throws: A `TollgateError` if a server's address is none, and what `keep` throws.
    package func run(
        until stop: Stop, keep: @escaping @Sendable (ChatRecord) async throws -> Void
    ) async throws -> Totals {
        let end = Clocks.monotonicNanoseconds() + Int64(seconds * 1e9)
        return try await withThrowingTaskGroup(of: Totals.self) { group in
            for (place, server) in servers.enumerated() {
                let own = stride(from: place, to: customers.count, by: servers.count)
                    .map { customers[$0] }
                group.addTask {
                    let configuration = TollgateClientConfiguration(
                        address: server, credential: credential)
                    return try await withTollgateClient(configuration) { client in
                        try await Self.run(own, client, server, end, stop, keep)
                    }
                }
            }
            return try await group.reduce(into: Totals()) { $0.add($1) }
        }
    }

    private static func run(
        _ customers: [SignedInCustomer], _ client: TollgateClient, _ server: String,
        _ end: Int64, _ stop: Stop, _ keep: @escaping @Sendable (ChatRecord) async throws -> Void
    ) async throws -> Totals {
        try await withThrowingTaskGroup(of: Totals.self) { group in
            for customer in customers {
                group.addTask {
                    var totals = Totals()
                    while !stop.wasAsked, !Task.isCancelled, Clocks.monotonicNanoseconds() < end {
                        let record = await chat(customer, client, server)
                        totals.count(record.outcome)
                        try await keep(record)
                        if record.outcome != .acknowledged {
                            try await Task.sleep(
                                for: .milliseconds(Limits.benchLoadPauseMilliseconds))
                        }
                    }
                    return totals
                }
            }
            return try await group.reduce(into: Totals()) { $0.add($1) }
        }
    }

    private static func chat(
        _ customer: SignedInCustomer, _ client: TollgateClient, _ server: String
    ) async -> ChatRecord {
        let clock = SystemClock()
        let requestID = UUID().uuidString
        let options = CallOptions(
            authorization: customer.authorization,
            timeoutMilliseconds: Limits.benchLoadCallMilliseconds)
        let hasBegun = Mutex(false)
        var record = ChatRecord(
            outcome: .unknown, requestID: requestID, account: customer.account,
            server: server, began: clock.now(), ended: clock.now(), charged: .zero, reason: "-")
        do {
            record.charged = try await BenchQuestion.ask(
                client, requestID: requestID, options: options
            ) { hasBegun.withLock { $0 = true } }
            record.outcome = record.charged > .zero ? .acknowledged : .unknown
        } catch let error as TollgateError {
            record.reason = error.code
            record.outcome = ChatRecord.outcome(
                of: error.code, hasBegun: hasBegun.withLock { $0 })
        } catch {
            record.reason = "cancelled"
        }
        record.ended = clock.now()
        return record
    }
}
