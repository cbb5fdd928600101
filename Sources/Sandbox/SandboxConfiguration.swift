package import TollgateKernel

/// Everything the sandbox is told by the composition root.
package struct SandboxConfiguration: Sendable {
    /// The model provider's side.
    package struct Models: Sendable {
        /// The channels, each with its prefix and key.
        package var channels: [ModelChannel]
        /// The models every channel knows.
        package var names: [String] = ["gpt-4o-mini", "gpt-4o", "sandbox-chat"]
        /// The pace of an answer; a channel's switches can override it.
        package var tokensPerSecond: Double = 60
        /// The pause before the first token, in milliseconds.
        package var firstTokenMilliseconds: Int64 = 120

        /// Makes a provider with some channels.
        package init(channels: [ModelChannel]) { self.channels = channels }
    }

    /// WeChat Pay's side.
    package struct Pay: Sendable {
        /// What the gaps between re-sent notifications are multiplied with; 1 is WeChat's own
        /// schedule, 0.001 makes 15 seconds 15 milliseconds.
        package var notifyScheduleScale: Double = 1
        /// The shortest life of an order in seconds; WeChat itself lifts shorter ones to 60.
        package var minimumExpirySeconds: Int64 = 60
        /// How long a notification's receiver may take, in milliseconds.
        package var notifyTimeoutMilliseconds: Int64 = 5_000

        /// Makes WeChat's own behaviour.
        package init() {}
    }

    /// The official account's side.
    package struct Account: Sendable {
        /// How pushes are sent.
        package enum Mode: String, Codable, Hashable, Sendable {
            /// In clear, signed.
            case plain
            /// Encrypted with the EncodingAESKey, signed.
            case aes
        }

        /// Where pushes go, such as `http://127.0.0.1:7480/callback/weixin`.
        package var callbackURL: String
        /// How they are sent.
        package var mode: Mode
        /// How long an answer may take before the push is sent again, in milliseconds.
        package var answerTimeoutMilliseconds: Int64 = 5_000

        /// Makes an account that pushes to an address.
        package init(callbackURL: String, mode: Mode = .aes) {
            self.callbackURL = callbackURL
            self.mode = mode
        }
    }

    /// The address to listen on.
    package var host = "127.0.0.1"
    /// The port to listen on; 0 lets the kernel choose.
    package var port = 7_490
    /// The SQLite file, made if absent.
    package var dataFile: String
    /// The sandbox's half of the keys.
    package var keys: SandboxKeys.SandboxHalf
    /// The model provider.
    package var models: Models
    /// WeChat Pay.
    package var pay = Pay()
    /// The official account.
    package var account: Account
    /// The time of day.
    package var clock: any WallClock = SystemClock()
    /// Where nonces and numbers come from.
    package var random: any RandomSource = SystemRandom()

    /// Makes a configuration with the usual behaviour: the channels are those the keys name.
    package init(dataFile: String, keys: SandboxKeys.SandboxHalf, callbackURL: String) {
        self.dataFile = dataFile
        self.keys = keys
        models = Models(
            channels: keys.modelKeys.sorted { $0.key < $1.key }.map { name, key in
                ModelChannel(name: name, key: key)
            })
        account = Account(callbackURL: callbackURL)
    }
}
