public import TollgateWire

/// Sees each call of a client before it leaves and after it ended.
///
/// For audit, for metadata that every call carries, for refusing calls. Interceptors run in the
/// caller's task, in the order of the configuration before the call and in reverse after it.
public protocol ClientInterceptor: Sendable {
    /// A call is about to leave; options may be changed.
    /// - Throws: what the caller is to get instead of an answer; the call does not leave, and only
    ///   the interceptors before this one are told that it ended.
    func willCall(_ method: MethodDescriptor, _ options: inout CallOptions) async throws

    /// A call that was let pass here ended, or the reader of its stream has left; `error` is nil if
    /// it went well.
    func didCall(
        _ method: MethodDescriptor, _ options: CallOptions, duration: Duration,
        error: (any Error)?) async
}

extension ClientInterceptor {
    /// Lets every call leave as it is.
    public func willCall(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {}

    /// Takes no notice.
    public func didCall(
        _ method: MethodDescriptor, _ options: CallOptions, duration: Duration,
        error: (any Error)?
    ) async {}
}
