import Foundation
import Sandbox
import Testing
import TollgateKernel

@testable import Tollgate

/// An empty live store that is stocked by commands alone, as an operator would; what is live about
/// WeChat is played by the sandbox, under its own keys.
@Suite(.serialized) struct LiveStockTests {
    /// Starts a live service whose store offers nothing.
    private func with(_ body: (RunningLoop, SandboxKeys.TollgateHalf) async throws -> Void)
        async throws
    {
        let loop = try RunningLoop(["TOLLGATE_REALM": "live"])
        do {
            let folder = try DataFolder(path: "\(loop.folder)/data")
            let keys = try SandboxKeysFile.read(folder).tollgate
            try settings(keys, loop).write(to: URL(fileURLWithPath: folder.settingsPath))
            for name in ["sandbox", "serve", "web"] { try loop.start(name) }
            _ = try await loop.eventually {
                loop.output("serve").contains("listening ") ? true : nil
            }
            try await body(loop, keys)
        } catch {
            Issue.record("serve: \(loop.log("serve"))\nsandbox: \(loop.log("sandbox"))")
            await loop.end()
            throw error
        }
        await loop.end()
    }

    private func settings(_ keys: SandboxKeys.TollgateHalf, _ loop: RunningLoop) throws -> Data {
        let pem = "\(loop.folder)/merchant.pem"
        try Data(keys.merchantPrivateKeyPEM.utf8).write(to: URL(fileURLWithPath: pem))
        return try JSONSerialization.data(withJSONObject: [
            "weixin": [
                "appID": keys.appID, "appSecret": keys.appSecret, "originalID": keys.originalID,
                "token": keys.token, "encodingAESKey": keys.encodingAESKey,
                "baseURL": loop.sandboxURL, "creditsArrivedTemplate": "credits-arrived",
            ],
            "wechatPay": [
                "merchantID": keys.merchantID, "merchantSerial": keys.merchantSerial,
                "merchantPrivateKeyFile": pem, "apiV3Key": keys.apiV3Key,
                "baseURL": loop.sandboxURL,
                // The live realm takes no other address, and the sandbox none such: nobody orders.
                "notifyURL": "https://127.0.0.1:1/callback/wechatpay",
            ],
        ])
    }

    /// Runs a command to its end; what it wrote.
    private func run(
        _ words: String..., in loop: RunningLoop, status: Int32 = 0,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let name = "command-\(UUID().uuidString)"
        let ended = await (try loop.command(words, name: name)).ended()
        let output = loop.output(name)
        #expect(ended == status, "\(words): \(output)", sourceLocation: location)
        return output
    }

    @Test(.timeLimit(.minutes(3)))
    func `An empty live store is stocked by commands, and a person chats and sees what is sold`()
        async throws
    {
        try await with { loop, keys in
            let admin = ["--operator", "olga", "--reason", "Opening"]
            #expect(
                try await run("admin", "models", "list", in: loop).hasPrefix("There are no models"))
            let secret = try #require(keys.modelKeys["a"])
            let file = "\(loop.folder)/a.key"
            _ = FileManager.default.createFile(
                atPath: file, contents: Data(secret.utf8),
                attributes: [.posixPermissions: 0o600])
            _ = try await run(
                "admin", "models", "set", "fast", "--call-price", "0.5", "--for", "everybody",
                "--operator", "olga", "--reason", "Opening", in: loop)
            let told = try await run(
                "admin", "channels", "set", "provider", "--url",
                "\(loop.sandboxURL)/openai/a/v1", "--key-from", file, "--model",
                "fast=gpt-4o-mini", "--operator", "olga", "--reason", "Opening", in: loop)
            #expect(!told.contains(secret))
            _ = try await run(
                "admin", "products", "set", "starter", "--name", "Starter", "--price", "9.90",
                "--credits", "10", "--operator", "olga", "--reason", "Opening", in: loop)

            let code = try await loop.eventually { () async throws -> String? in
                _ = try await loop.sandbox.follow(phone: "ann")
                let reply = try await loop.sandbox.send("login", phone: "ann").reply ?? ""
                return reply.firstMatch(of: /[0-9A-Z]{4}-[0-9A-Z]{4}/).map { String($0.output) }
            }
            _ = try await run("login", code, in: loop)
            #expect(try await run("models", in: loop).contains("fast"))
            #expect(try await run("products", in: loop).contains("¥9.90"))
            // What was set is taken within a second, without a restart.
            _ = try await loop.eventually {
                await (try loop.command(["chat", "hello"], name: "chat")).ended() == 0
                    ? true : nil
            }
            _ = try await run(
                ["admin", "channels", "disable", "provider"] + admin, in: loop)
            _ = try await loop.eventually {
                await (try loop.command(["chat", "hello"], name: "chat")).ended() == 8
                    ? true : nil
            }
            let log = try await run("admin", "log", "--json", in: loop)
            for kind in ["model_set", "channel_set", "product_set", "channel_disabled"] {
                #expect(log.split(separator: "\"\(kind)\"").count == 2, "\(log)")
            }
            let written = log + loop.output("serve") + loop.output("web")
            #expect(!written.contains(secret), "a provider's key is in nobody's log")
            // Nor is it in the store's file.
            let store = try Data(
                contentsOf: URL(fileURLWithPath: "\(loop.folder)/data/store.sqlite"))
            let walPath = "\(loop.folder)/data/store.sqlite-wal"
            let wal = FileManager.default.contents(atPath: walPath) ?? Data()
            #expect((store + wal).range(of: Data(secret.utf8)) == nil)
        }
    }

    private func run(_ words: [String], in loop: RunningLoop) async throws -> String {
        let name = "command-\(UUID().uuidString)"
        let ended = await (try loop.command(words, name: name)).ended()
        #expect(ended == 0, "\(words): \(loop.output(name))")
        return loop.output(name)
    }
}
