import Foundation
import Logging
import Sandbox
import ServiceLifecycle
import TollgateKernel

/// The sandbox role: plays WeChat and the providers.
struct SandboxRole: Service {
    let settings: Settings
    /// What chooses another address.
    var listenFlag = "--listen"
    /// Told the address once the sandbox listens.
    let onListening: @Sendable (Address) async -> Void

    func run() async throws {
        let address = try settings.address(
            "sandbox.address", default: Address(host: "127.0.0.1", port: 7_490), flag: listenFlag)
        let web = try settings.address(
            "web.address", default: Address(host: "127.0.0.1", port: 7_480), flag: "--web")
        let keys = try SandboxKeysFile.read(settings.folder).sandbox
        var configuration = SandboxConfiguration(
            dataFile: settings.folder.sandboxPath, keys: keys,
            callbackURL: "http://\(web)/callback/weixin")
        configuration.host = address.host
        configuration.port = address.port
        configuration.account.mode = settings.text("weixin.mode") == "plain" ? .plain : .aes
        if let seconds = try settings.number(
            "sandbox.minimumExpirySeconds", within: 0...Limits.orderLifetimeSeconds)
        {
            configuration.pay.minimumExpirySeconds = seconds
        }
        if let text = settings.text("sandbox.notifyScheduleScale") {
            guard let scale = Double(text), scale > 0 else {
                throw Failure(
                    .invalidRequest, "The notification scale is a number above 0, not “\(text)”.")
            }
            configuration.pay.notifyScheduleScale = scale
        }
        if let text = settings.text("sandbox.tokensPerSecond") {
            guard let pace = Double(text), pace > 0 else {
                throw Failure(.invalidRequest, "The pace is a number above 0, not “\(text)”.")
            }
            configuration.models.tokensPerSecond = pace
        }
        let sandbox = try Sandbox(configuration, logger: Logger(label: "tollgate.sandbox")) {
            [onListening] port in
            await onListening(Address(host: address.host, port: port))
        }
        try await ListenFailure.telling(address, flag: listenFlag) { try await sandbox.run() }
    }
}
