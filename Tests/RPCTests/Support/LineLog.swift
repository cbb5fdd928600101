import Logging

/// Reports why something was logged, or else what.
struct LineLog: LogHandler {
    let lines: Events
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    static func logger(_ lines: Events) -> Logger {
        Logger(label: "test") { _ in LineLog(lines: lines) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.report(event.metadata?["why"].map { "\($0)" } ?? "\(event.message)")
    }
}
