import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// The official account's callbacks that are no push of the keyword.
@Suite(.timeLimit(.minutes(5))) struct CallbackTests {
    @Test(arguments: [OfficialAccountIdentity.Mode.plain, .aes])
    func `The server check is echoed if its signature is right and fresh`(
        mode: OfficialAccountIdentity.Mode
    ) async throws {
        try await ServerBench.with(mode: mode) { world in
            try await world.client { client in
                let weixin = WeixinServiceClient(client)
                var pushes = try Pushes(world.account, at: world.bench.clock.now())
                let query = try pushes.query(nonce: "n") + "&echostr=4242"
                let echoed = try await weixin.receiveCallback(
                    V1.ReceiveCallbackRequest(httpMethod: "GET", query: query))
                #expect(echoed.httpStatus == 200)
                #expect(echoed.body == Array("4242".utf8))
                let forged = try pushes.query(nonce: "n", token: "another") + "&echostr=4242"
                pushes.seconds -= 301
                let stale = try pushes.query(nonce: "n") + "&echostr=4242"
                for query in [forged, stale] {
                    let refused = try await weixin.receiveCallback(
                        V1.ReceiveCallbackRequest(httpMethod: "GET", query: query))
                    #expect(refused.httpStatus == 403)
                    #expect(!refused.body.starts(with: Array("4242".utf8)))
                }
            }
        }
    }

    @Test(arguments: [OfficialAccountIdentity.Mode.plain, .aes])
    func `A push with a forged signature draws no code`(mode: OfficialAccountIdentity.Mode)
        async throws
    {
        try await ServerBench.with(mode: mode) { world in
            try await world.client { client in
                let pushes = try Pushes(world.account, at: world.bench.clock.now())
                let forged = try await WeixinServiceClient(client).receiveCallback(
                    pushes.text("login", token: "another"))
                #expect(forged.httpStatus == 403)
                let right = try await WeixinServiceClient(client).receiveCallback(
                    pushes.text("login"))
                #expect(right.httpStatus == 200)
            }
        }
    }

    @Test func `In aes mode a push in clear is refused`() async throws {
        try await ServerBench.with(mode: .aes) { world in
            try await world.client { client in
                let pushes = try Pushes(
                    Pushes.account(.plain), at: world.bench.clock.now())
                let response = try await WeixinServiceClient(client).receiveCallback(
                    pushes.text("login"))
                #expect(response.httpStatus == 403)
            }
        }
    }
}
