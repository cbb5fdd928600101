import Foundation
import Synchronization
import TollgateClient

/// Guests who ask both servers without pause, and what each of their chats came to.
///
/// Whom a server fails goes on at the other one, with the login session they have.
final class PairLoad: Sendable {
    /// A chat that was asked for.
    struct Entry: Sendable {
        /// Whose it is.
        var guest: String
        /// The request's id.
        var id: String
        /// The server: 0 or 1.
        var server: Int
        /// Whether its answer has started.
        var isStarted = false
        /// What it came to; nil while it runs.
        var outcome: Guest.Chat?

        /// What was charged, if it was acknowledged.
        var charged: Int64? {
            guard case .answered(let charged, _) = outcome else { return nil }
            return charged
        }
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var isOver = false
    }

    private let guests: [Guest]
    private let clients: [TollgateClient]
    private let state = Mutex(State())

    /// Plans a load of these guests, each at each of the servers.
    init(_ guests: [Guest], _ clients: [TollgateClient]) {
        self.guests = guests
        self.clients = clients
    }

    /// Every chat so far.
    var entries: [Entry] { state.withLock { Array($0.entries.values) } }

    /// Chats that a server acknowledged.
    func acknowledged(by server: Int) -> [Entry] {
        entries.filter { $0.server == server && $0.charged != nil }
    }

    /// Chats whose answer has started at a server and not ended.
    func running(at server: Int) -> [Entry] {
        entries.filter { $0.server == server && $0.isStarted && $0.outcome == nil }
    }

    /// Asks until ``stop()``; chats under way then come to their end.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for guest in guests {
                for server in clients.indices { group.addTask { await self.live(guest, server) } }
            }
        }
    }

    /// Begins no further chat.
    func stop() { state.withLock { $0.isOver = true } }

    private func live(_ guest: Guest, _ first: Int) async {
        var server = first
        while !state.withLock({ $0.isOver }) {
            let id = UUID().uuidString
            let entry = Entry(guest: guest.name, id: id, server: server)
            state.withLock { $0.entries[id] = entry }
            let outcome = await guest.ask(through: clients[server], id: id) {
                self.state.withLock { $0.entries[id]?.isStarted = true }
            }
            state.withLock { $0.entries[id]?.outcome = outcome }
            if case .failed = outcome {
                server = 1 - server
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
