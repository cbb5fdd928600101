import Application
import Auth
import Cryptography
import Gateways
import Jobs
import Logging
import Operations
import Orders
import Server
import Storage
import TollgateKernel

/// The store, the gateways and the use cases that serve and jobs share.
struct Backend: Sendable {
    /// What settings said of the world outside.
    let upstreams: Upstreams
    /// Where everything is kept.
    let store: any OpenedStore
    /// Outgoing HTTP to models.
    let modelTransfers: HTTPTransfers
    /// Outgoing HTTP to WeChat Pay and the official account, which long answers must not crowd out.
    let serviceTransfers: HTTPTransfers
    /// What use cases need.
    let ports: Ports
    /// Opens providers' keys.
    let vault: Vault
    /// WeChat Pay.
    let payments: any PaymentGateway
    /// Whom to believe there.
    let platformKeys: PlatformKeys
    /// The official account, for sending and for QR codes; one access token for both.
    let officialAccount: OfficialAccount

    /// Opens the store and starts outgoing HTTP.
    static func open(_ settings: Settings, role: StoreRole) async throws -> Backend {
        let upstreams = try Upstreams.read(settings)
        guard let identityKey = IdentityKey(try settings.folder.key("identity")) else {
            throw Failure(.internalError, "The identity key has a wrong length.")
        }
        let random = SystemRandom()
        let masterKey = try settings.folder.key("master")
        let previousKey = try settings.folder.previousMasterKey()
        let vault = Vault(
            masterKey: masterKey, previousKey: previousKey, random: random,
            source: { [folder = settings.folder] in folder.masterKeys() })
        let identity = try settings.folder.key("identity")
        let policy = try settings.policy()
        let store = try await settings.storeLocation().open(
            realm: upstreams.realm, role: role,
            keyFingerprint: try keyFingerprint(identityKey: identity, masterKey),
            previousKeyFingerprint: try previousKey.map {
                try keyFingerprint(identityKey: identity, $0)
            }, logBounds: try settings.logBounds())
        let ports = Ports(
            store: store, clock: SystemClock(), random: random,
            identifiers: TimeSortedIdentifiers(), identityKey: identityKey,
            policy: policy)
        do {
            try await StoreIdentity(ports).check(isOwner: role == .serve)
        } catch {
            await store.close()
            throw error
        }
        let modelTransfers = try HTTPTransfers.start()
        let serviceTransfers = try HTTPTransfers.start(
            HTTPTransfers.Configuration(mostTransfers: Limits.outgoingServiceTransfers))
        let platformKeys = PlatformKeys(
            configuration: upstreams.wechatPay, transfers: serviceTransfers,
            clock: SystemClock(), random: random)
        return Backend(
            upstreams: upstreams, store: store, modelTransfers: modelTransfers,
            serviceTransfers: serviceTransfers, ports: ports, vault: vault,
            payments: WeChatPayGateway(
                configuration: upstreams.wechatPay, keys: platformKeys,
                transfers: serviceTransfers, clock: SystemClock(), random: random),
            platformKeys: platformKeys,
            officialAccount: OfficialAccount(
                configuration: upstreams.officialAccount, transfers: serviceTransfers,
                clock: SystemClock()))
    }

    /// Tells apart the keys of two services, and nothing about them.
    private static func keyFingerprint(
        identityKey: [UInt8], _ masterKey: [UInt8]
    ) throws -> String {
        let label = Array("tollgate keys".utf8)
        return Hexadecimal.encode(try SHA256.hash(label + identityKey + masterKey))
    }

    /// Ends outgoing HTTP, then the store; after everything that uses them.
    func close() async {
        await modelTransfers.shutdown()
        await serviceTransfers.shutdown()
        await store.close()
    }

    /// Every job of the service.
    func jobs(_ intervals: JobIntervals) throws -> [JobDefinition] {
        StandardJobs(
            ports, orders: FollowUpOrders(ports, payments: payments), sweeps: Sweeps(ports),
            outbox: SendOutbox(
                ports, officialAccount: officialAccount,
                templateIDs: [.creditsArrived: upstreams.creditsArrivedTemplate]),
            previews: PreviewJobs(ports, payments: payments)
        ).definitions(intervals)
    }

    /// Every service of the contract.
    func services(settlements: Settlements, jobs: [JobDefinition]) throws -> TollgateServices {
        let catalogue = Catalogue(store: store, clock: ports.clock)
        return TollgateServices(
            TollgateServices.Parts(
                ports: ports, catalogue: catalogue,
                answerQuestion: AnswerQuestion(
                    ports, catalogue: catalogue,
                    gateway: OpenAICompatibleGateway(
                        transfers: modelTransfers, clock: ports.clock), vault: vault,
                    settlements: settlements,
                    heavyWork: BlockingWork(label: "tollgate.long-questions")),
                vault: vault, settlements: settlements, payments: payments,
                notificationVerifier: WeChatPayNotificationVerifier(
                    configuration: upstreams.wechatPay, keys: platformKeys),
                receivePush: try ReceivePush(ports, account: upstreams.identity),
                scanLogin: ScanLogin(
                    ports, officialAccount: officialAccount, monotonic: SystemMonotonicClock()),
                jobs: jobs.map {
                    JobDescription(
                        name: $0.name, summary: $0.summary,
                        intervalMilliseconds: $0.schedule.intervalMilliseconds)
                }, version: Version.text, realm: upstreams.realm.rawValue))
    }
}

extension Settings {
    /// How often one job runs.
    private func seconds(_ key: String) throws -> Int64? {
        try number(key, within: 1...Limits.jobIntervalSeconds)
    }

    /// How often jobs run.
    func jobIntervals() throws -> JobIntervals {
        var intervals = JobIntervals()
        if let seconds = try seconds("jobs.paymentReconcileSeconds") {
            intervals.paymentReconcileMilliseconds = seconds * 1_000
        }
        if let seconds = try seconds("jobs.orderCloseSeconds") {
            intervals.orderCloseMilliseconds = seconds * 1_000
        }
        if let seconds = try seconds("jobs.holdExpireSeconds") {
            intervals.holdExpireMilliseconds = seconds * 1_000
        }
        if let seconds = try seconds("jobs.outboxSeconds") {
            intervals.outboxMilliseconds = seconds * 1_000
        }
        if let seconds = try seconds("jobs.metricRollupSeconds") {
            intervals.metricRollupMilliseconds = seconds * 1_000
        }
        if let seconds = try seconds("jobs.retentionSeconds") {
            intervals.retentionMilliseconds = seconds * 1_000
        }
        return intervals
    }
}
