/// Which kind of money and keys a store belongs to: recorded when made, checked at each start.
package enum StoreRealm: String, Hashable, Sendable, CaseIterable {
    /// Sandbox upstreams: no real money, no real messages.
    case sandbox
    /// Real providers, real payments.
    case live
}

/// How fresh a read has to be.
package enum ReadFreshness: Hashable, Sendable {
    /// Sees every write that was durable when the read began.
    case fresh
    /// May come from a replica that lags: never for login sessions, balances or freezes.
    case stale
}

/// Where everything that must survive is kept: a sequence of transactions.
///
/// Closures are synchronous and pure (identifiers and time are passed in), take at most a
/// millisecond and may run more than once; what they return is what leaves. A write has two
/// moments: **applied**, when its closure succeeded inside its batch, and **durable**, when the
/// batch was committed and synced. Nothing leaves before it is durable, thrown errors included,
/// except the value of ``begin(_:)``.
///
/// A caller that is cancelled keeps waiting: a write that was handed in is never half made, and its
/// outcome is always told. Only an audit may be ended then.
///
/// - Throws: what the closure threw; ``Failure`` with `.unavailable` if nothing was changed (too
///   many writes wait, the store is closing, the disk refuses), `.unknownOutcome` if the disk
///   failed in such a way that nobody can tell.
package protocol Store: Sendable {
    /// Runs a closure in a transaction of its own and returns when it is durable.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value

    /// Runs a closure in a transaction of its own and returns as soon as it is applied, so that
    /// work which can be undone may start while the disk syncs. An error is thrown when durable.
    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value>

    /// Runs a closure over one consistent state; its repositories refuse to write.
    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value

    /// Why nothing may be ended by this machine's clock now, in a sentence; nil if it may.
    ///
    /// Several machines share one database: one whose clock is ahead would end everybody's holds.
    /// The clock is compared when this is asked; a comparison that fails leaves what was known.
    var clockTrouble: String? { get async }

    /// Why nothing may begin by this machine's clock, in a sentence; nil if it may.
    ///
    /// Only a clock that is far off: what begins under it, holds above all, would end at a wrong
    /// time for everybody. This is what the last comparison found, and costs nothing to ask.
    var clockRefusal: String? { get }
}

extension Store {
    /// One machine has one clock.
    package var clockTrouble: String? { get async { nil } }

    /// One machine has one clock.
    package var clockRefusal: String? { nil }

    /// Runs a closure over the newest durable state.
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await read(.fresh, body)
    }
}

/// A write that is applied and on its way to the disk.
package struct AppliedWrite<Value: Sendable>: Sendable {
    /// What the closure returned; nobody outside may learn it before ``durable()`` returned.
    package let value: Value
    private let settled: @Sendable () async throws -> Value

    /// Makes a value; only stores do.
    ///
    /// `settled` waits for the write's end, any number of times.
    package init(value: Value, settled: @escaping @Sendable () async throws -> Value) {
        self.value = value
        self.settled = settled
    }

    /// Waits until the write is durable and returns its value.
    ///
    /// That is ``value``, unless the engine undid the whole batch and the closure ran again on a
    /// state in which it decides otherwise.
    ///
    /// - Throws: as ``Store/write(_:)``; then nothing was changed, except after `.unknownOutcome`.
    @discardableResult
    package func durable() async throws -> Value { try await settled() }
}
