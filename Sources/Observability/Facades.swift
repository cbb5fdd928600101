internal import CoreMetrics
package import Logging

/// Puts the backends behind the logging and metrics facades.
package enum Facades {
    /// Installs both; once a process, before any logger or metric is made.
    ///
    /// - Returns: the registry that `/metrics` renders.
    package static func install(
        level: Logger.Level = .info, format: LogFormat = .text, help: [String: String] = [:]
    ) -> PrometheusRegistry {
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format) }
        let registry = PrometheusRegistry(help: help)
        MetricsSystem.bootstrap(registry)
        return registry
    }
}
