import Application
import Dispatch
import Storage
import TollgateKernel
import Weixin

@testable import Storage

/// A row for tests of the engine itself.
func push(_ key: String) -> ReceivedPush {
    ReceivedPush(
        key: key, answer: "answer", codeAttempt: 0, receivedAt: Timestamp(milliseconds: 5))
}

extension Store {
    /// Whether the row is there for everybody.
    func hasPush(_ key: String) async throws -> Bool {
        try await read { tx in try tx.pushes.receivedPush(key: key) != nil }
    }
}

/// Holds the writer's thread inside a batch, so that a test knows what the next one consists of.
final class Gate: Sendable {
    private let entered = Tally()
    private let opened = DispatchSemaphore(value: 0)

    /// Called in a write's closure: waits, a minute at most; not again once it was opened, for a
    /// closure may run twice.
    func hold() {
        entered.add()
        _ = opened.wait(timeout: .now() + 60)
        opened.signal()
    }

    /// Waits until the writer's thread is held.
    func waitUntilHeld() async throws {
        guard try await eventually({ self.entered.value > 0 }) else { throw NotGathered() }
    }

    /// Lets the closure go on.
    func open() { opened.signal() }
}

/// What a test waited for did not come in time.
struct NotGathered: Error {}

extension SQLiteStore {
    /// Runs writes in one batch: they join it while a closure of it waits for them.
    func inOneBatch(
        _ count: Int, _ start: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let gate = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.write { _ in gate.hold() } }
            try await gate.waitUntilHeld()
            for index in 0..<count {
                group.addTask { await start(index) }
                guard try await eventually({ self.backlog == index + 1 }) else {
                    throw NotGathered()
                }
            }
            gate.open()
            try await group.waitForAll()
        }
    }
}

/// The connection behind a transaction, for what no repository does.
func connection(_ transaction: any Transaction) throws -> StoreConnection {
    guard let transaction = transaction as? StoredTransaction else {
        throw StoreError.engine("another engine")
    }
    return transaction.connection
}

/// What a write came to.
enum Ending: Hashable, Sendable {
    case value
    case failure(Failure.Code)
    case store(String)
    case other(String)

    init(_ body: () async throws -> Void) async {
        do {
            try await body()
            self = .value
        } catch let failure as Failure {
            self = .failure(failure.code)
        } catch let error as StoreError {
            self = .store("\(error)")
        } catch {
            self = .other("\(error)")
        }
    }
}
