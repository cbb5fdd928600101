import NIOCore
import NIOPosix
import TollgateKernel

/// What a running server says of its own batches on its page `/metrics`.
struct BatchMetrics: Sendable {
    /// How many batches were committed.
    var batches = 0.0
    /// How long they took together, in seconds.
    var seconds = 0.0
    /// How many writes were in them.
    var writes = 0.0

    /// Reads the page of a server.
    static func read(address: String) async throws -> BatchMetrics {
        BatchMetrics(page: try await MetricsPage.text(address: address))
    }

    /// Reads Prometheus' text.
    init(page: String) {
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let value = Double(parts[1]) else { continue }
            switch parts[0] {
            case "tollgate_store_batch_seconds_count": batches = value
            case "tollgate_store_batch_seconds_sum": seconds = value
            case "tollgate_store_batch_writes_sum": writes = value
            default: break
            }
        }
    }

    /// The means between an earlier reading and this one, under their names.
    func figures(since earlier: BatchMetrics) -> [String: Double] {
        let count = batches - earlier.batches
        guard count > 0 else { return [:] }
        return [
            Figure.batch: (seconds - earlier.seconds) / count * 1_000,
            Figure.batchWrites: (writes - earlier.writes) / count,
        ]
    }
}

/// Fetches a page over HTTP/1.1 on loopback.
enum MetricsPage {
    /// The text of `/metrics`.
    static func text(address: String) async throws -> String {
        let parts = address.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else {
            throw Failure(.invalidRequest, "\(address) is no HOST:PORT.")
        }
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: String(parts[0]), port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { packets, output in
            try await output.write(
                ByteBuffer(
                    string:
                        "GET /metrics HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"))
            var page = ByteBuffer()
            for try await packet in packets {
                page.writeImmutableBuffer(packet)
                if page.readableBytes > Limits.benchPageBytes { break }
            }
            return String(decoding: page.readableBytesView, as: UTF8.self)
        }
    }
}
