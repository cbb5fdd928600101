internal import Glibc
package import Logging
package import TollgateKernel

/// Takes finished log lines.
package protocol LogSink: Sendable {
    /// Writes one line; the newline is the sink's.
    func write(_ line: String)
}

/// The process's standard error, one write call a line.
package struct StandardErrorSink: LogSink {
    /// Makes the sink.
    package init() {}

    package func write(_ line: String) {
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                Glibc.write(
                    STDERR_FILENO, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
            }
            if written < 0, errno == EINTR { continue }
            // Standard error is gone or full: there is nobody left to tell.
            guard written > 0 else { return }
            offset += written
        }
    }
}

/// Writes swift-log's entries as lines (``LogLine``).
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: LogFormat
    private let sink: any LogSink
    private let clock: any WallClock

    /// Makes a handler for the logger of this label.
    package init(
        label: String, level: Logger.Level = .info, format: LogFormat = .text,
        sink: any LogSink = StandardErrorSink(), clock: any WallClock = SystemClock()
    ) {
        self.label = label
        self.format = format
        self.sink = sink
        self.clock = clock
        logLevel = level
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let given = event.metadata { fields.merge(given) { _, new in new } }
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        sink.write(
            LogLine.render(
                format, time: clock.now(), level: event.level, label: label,
                message: event.message.description, fields: fields))
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
