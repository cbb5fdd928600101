import Testing
import TollgateKernel

@testable import TollgateRPC

@Suite struct ServerAddressTests {
    @Test(arguments: [
        ("127.0.0.1:7400", "127.0.0.1", 7_400), ("[::1]:80", "::1", 80),
        ("tollgate.internal:65535", "tollgate.internal", 65_535),
    ])
    func `an address has a host and a port`(text: String, host: String, port: Int) {
        let address = ServerAddress(text)
        #expect(address == ServerAddress(host: host, port: port))
        #expect(address?.description == text)
    }

    @Test(arguments: [
        "", ":", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "::1:80", "[]:80", "[::1:80", "a b:1",
        "a,b:1", "[[::1]]:80",
    ])
    func `what is none is refused`(text: String) {
        #expect(ServerAddress(text) == nil)
    }

    @Test func `a latency rises at once and falls slowly`() {
        var latency = PeakLatency()
        latency.observe(1_000, at: 0)
        latency.observe(100_000, at: 1)
        #expect(latency.value(at: 1) == 100_000)
        latency.observe(1_000, at: 2)
        #expect(latency.value(at: 2) > 90_000)
        let later = 4 * Limits.clientLatencyMemoryNanoseconds
        #expect(latency.value(at: later) < 10_000)
    }

    @Test(arguments: [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": true,
        "00-00000000000000000000000000000000-b7ad6b7169203331-01": false,
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": false,
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": false,
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331": false,
        "": false,
    ])
    func `a traceparent is taken only as the W3C writes it`(text: String, isOne: Bool) {
        #expect((TraceParent(text)?.description == text) == isOne)
    }
}
