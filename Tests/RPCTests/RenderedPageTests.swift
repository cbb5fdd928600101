import Dispatch
import NIOPosix
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Pages that take their time.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RenderedPageTests {
    @Test func `a page is made away from the event loop, once for all who ask meanwhile`()
        async throws
    {
        let gate = DispatchSemaphore(value: 0)
        let events = Events()
        let page = RenderedPage {
            let isOnLoop = MultiThreadedEventLoopGroup.currentEventLoop != nil
            events.report(isOnLoop ? "on the loop" : "beside it")
            // Bounded, so that a loop that is held up goes on.
            _ = gate.wait(timeout: .now() + 10)
            return "a page"
        }
        let configuration = testConfiguration { $0.pages.metrics = page.text }
        try await withHTTPServer(configuration: configuration) { server, host in
            let request = "Host: \(host)\r\nConnection: close\r\n\r\n"
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await httpExchange(server, "GET /metrics HTTP/1.1\r\n" + request)
                    }
                }
                for _ in 0..<1_000 where page.waitingCount < 3 {
                    try await Task.sleep(for: .milliseconds(5))
                }
                let health = try await httpExchange(server, "GET /health HTTP/1.1\r\n" + request)
                #expect(health.hasSuffix("OK\n"))
                #expect(page.waitingCount == 3)
                gate.signal()
                for try await answer in group { #expect(answer.hasSuffix("\r\n\r\na page")) }
            }
            #expect(events.all == ["beside it"])
            gate.signal()
            let later = try await httpExchange(server, "GET /metrics HTTP/1.1\r\n" + request)
            #expect(later.hasSuffix("a page"))
            #expect(events.all == ["beside it", "beside it"])
        }
    }
}
