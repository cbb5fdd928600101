import Foundation
import Synchronization
import Testing
import TollgateKernel
import TollgateRPC

@testable import Tollgate

/// Where the roles' pages are made.
struct MetricsPageTests {
    /// Which roles show metrics.
    enum Role: CaseIterable {
        case serve
        case jobs
    }

    private func configuration(
        _ role: Role, _ metrics: @escaping @Sendable () -> String
    ) async throws -> RPCServerConfiguration {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-pages-\(UUID().uuidString)").path
        let settings = try await Settings(folder: DataFolder(path: folder), flags: [:])
        let address = Address(host: "127.0.0.1", port: 0)
        switch role {
        case .serve:
            return try ServeRole(settings: settings, metrics: metrics) { _ in }
                .configuration(address)
        case .jobs:
            return try JobsPages(settings: settings, metrics: metrics) { _ in }
                .configuration(address)
        }
    }

    /// Whoever has many series takes milliseconds for them, in which no call would be answered.
    @Test(arguments: Role.allCases)
    func `metrics are not rendered on the event loop that is asked for them`(
        role: Role
    ) async throws {
        let threads: Mutex<[pthread_t]> = Mutex([])
        let configuration = try await configuration(role) {
            threads.withLock { $0.append(pthread_self()) }
            return "metrics"
        }
        let page = try #require(configuration.pages.metrics)
        let (loop, text) = await withTaskExecutorPreference(LoopExecutor()) {
            (pthread_self(), await page())
        }
        #expect(text == "metrics")
        let rendering = threads.withLock { $0 }
        #expect(rendering.count == 1)
        #expect(rendering.first != loop)
    }
}
