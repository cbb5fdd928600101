import TollgateWire

/// What a server shows over HTTP on its own port: GET `/health`, `/metrics`, `/status`, `/list`,
/// `/version`.
package struct ServerPages: Sendable {
    /// Metrics in Prometheus text; nil shows none.
    package var metrics: (@Sendable () async -> String)?

    /// Lines to add to `/status`.
    package var status: (@Sendable () async -> String)?

    /// Which build this is; nil does not tell.
    package var version: String?

    /// Makes pages.
    package init(
        metrics: (@Sendable () async -> String)? = nil,
        status: (@Sendable () async -> String)? = nil, version: String? = nil
    ) {
        self.version = version
        self.metrics = metrics
        self.status = status
    }
}

/// One answered page.
struct Page: Equatable {
    var status: Int
    var contentType = "text/plain; charset=utf-8"
    var body: String
    var retryAfterMilliseconds: Int64?

    static let notFound = Page(status: 404, body: "There is no such page.\n")
    static let wrongMethod = Page(status: 405, body: "Pages are read with GET.\n")
    static let wrongHost = Page(status: 421, body: "This is not the host you asked for.\n")
    static let forbidden = Page(
        status: 403, body: "From another machine the pages need the admin credential.\n")
    static let noRoom = Page(status: 503, body: "The server has too many connections.\n")
    static let draining = Page(status: 503, body: "draining\n")
}

extension Router {
    /// The services and methods as JSON; names are identifiers, so nothing needs escaping.
    var listJSON: String {
        let services = services.map { service in
            let methods = service.methods.map { method in
                let facts = method.descriptor
                return "{\"name\":\"\(facts.name)\",\"access\":\"\(facts.access.rawValue)\","
                    + "\"streaming\":\"\(facts.streaming.rawValue)\","
                    + "\"request\":\"\(facts.request.name)\","
                    + "\"response\":\"\(facts.response.name)\"}"
            }
            return
                "{\"service\":\"\(service.name)\",\"methods\":[\(methods.joined(separator: ","))]}"
        }
        return "[\(services.joined(separator: ","))]\n"
    }
}
