import NIOCore

/// A call whose task runs, as its connection sees it.
///
/// `@unchecked Sendable`: the variables are touched on the connection's event loop alone.
final class RunningCall: @unchecked Sendable {
    let id: CallID
    let route: Route
    let context: ServerCallContext
    let arrival: NIODeadline
    /// The stream's sending end, if the method streams.
    var sink: StreamSink?
    /// The task; nil until it first suspends, and after its end.
    var task: Task<Void, Never>?

    init(id: CallID, route: Route, context: ServerCallContext, arrival: NIODeadline) {
        self.id = id
        self.route = route
        self.context = context
        self.arrival = arrival
    }

    /// Tells the handler to stop.
    func cancel() {
        sink?.end()
        task?.cancel()
    }
}
