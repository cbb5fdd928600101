internal import Cryptography
internal import Hummingbird
internal import Logging
internal import ServiceLifecycle
internal import TollgateKernel

/// The parts of a sandbox, made once from its configuration.
struct SandboxParts: Sendable {
    private let models: ModelRoutes
    private let pay: PayRoutes
    private let notifications: NotificationSender
    private let account: AccountRoutes
    private let control: ControlRoutes

    init(_ configuration: SandboxConfiguration, logger: Logger) throws {
        let keys = configuration.keys
        let store = try SandboxStore(path: configuration.dataFile)
        let provider = try ModelProvider(configuration.models, store: store)
        models = ModelRoutes(
            provider: provider,
            clock: configuration.clock, random: configuration.random)
        let signer = PlatformSigner(
            privateKey: try RSAPrivateKey(pem: keys.platformPrivateKeyPEM),
            certificate: try Certificate(pem: keys.platformCertificatePEM),
            apiV3Key: Array(keys.apiV3Key.utf8), random: configuration.random)
        let rules = TradeRules(
            minimumExpirySeconds: configuration.pay.minimumExpirySeconds,
            clock: configuration.clock, random: configuration.random)
        pay = PayRoutes(
            store: store,
            verifier: MerchantVerifier(
                merchantID: keys.merchantID,
                certificate: try Certificate(pem: keys.merchantCertificatePEM),
                clock: configuration.clock),
            signer: signer, rules: rules, appID: keys.appID, merchantID: keys.merchantID,
            clock: configuration.clock, random: configuration.random)
        notifications = NotificationSender(
            store: store, signer: signer, configuration: configuration, logger: logger)
        account = AccountRoutes(
            store: store, appID: keys.appID, appSecret: keys.appSecret,
            clock: configuration.clock, random: configuration.random)
        control = ControlRoutes(
            store: store, provider: provider,
            account: OfficialAccount(
                store: store,
                sealing: try MessageSealing(
                    token: keys.token, encodingAESKey: keys.encodingAESKey, appID: keys.appID,
                    random: configuration.random),
                originalID: keys.originalID, configuration: configuration.account,
                clock: configuration.clock, random: configuration.random),
            notifications: notifications, rules: rules, appID: keys.appID)
    }

    /// What runs beside the web server.
    var services: [any Service] { [notifications] }

    /// Every route.
    func router() -> Router<SandboxContext> {
        let router = Router(context: SandboxContext.self)
        models.add(to: router)
        pay.add(to: router)
        account.add(to: router)
        control.add(to: router)
        return router
    }
}
