internal import TollgateKernel

/// How long a store on PostgreSQL waits; a reason stands with each default in `Limits`.
package struct PostgreSQLPatience: Hashable, Sendable {
    /// For a statement of a write, its COMMIT included, in milliseconds.
    package var statementMilliseconds = Limits.storeWriteStatementMilliseconds
    /// For a statement of a read, in milliseconds; an audit has a limit of its own.
    package var readMilliseconds = Limits.storeStatementMilliseconds
    /// For an audit, all of its statements together, in milliseconds.
    package var auditMilliseconds = Limits.auditMilliseconds
    /// For a write that others are in the way of, in milliseconds.
    package var writeMilliseconds = Limits.storeWriteMilliseconds
    /// For what became of a COMMIT, in milliseconds.
    package var settleMilliseconds = Limits.storeSettleMilliseconds
    /// For a statement that asks for that, in milliseconds.
    package var probeMilliseconds = Limits.storeProbeMilliseconds
    /// For a connection, in milliseconds.
    package var queueMilliseconds = Limits.storeQueueMilliseconds

    /// The usual waits.
    package init() {}
}
