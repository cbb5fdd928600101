package import Chat
internal import Synchronization
package import TollgateKernel

/// What is offered: models with their channels, and the words that are refused or masked.
///
/// Read from the store at most once a second (``Limits/catalogueAgeMilliseconds``); the compiled
/// word filter is kept with it.
package final class Catalogue: Sendable {
    /// One reading.
    package struct Snapshot: Sendable {
        /// Enabled models in the operator's order.
        package var models: [ChatModel]
        /// Channels of each model.
        package var routes: [ModelName: [ChannelRoute]]
        /// The words as they are stored.
        package var sensitiveWords: [SensitiveWord]
        /// The compiled words.
        package var words: WordFilter
        /// When it was read.
        package var readAt: Timestamp

        /// The model asked for; an empty name is the default model.
        ///
        /// - Throws: `not_found` if there is no such model.
        package func model(_ name: String) throws(Failure) -> ChatModel {
            let found = name.isEmpty ? models.first : models.first { $0.name.rawValue == name }
            guard let found else {
                throw Failure(
                    .notFound,
                    name.isEmpty
                        ? "No model is offered just now; try again later."
                        : "There is no model of this name; list the models.")
            }
            return found
        }
    }

    private let store: any Store
    private let clock: any WallClock
    private let cached = Mutex<Snapshot?>(nil)

    /// Makes a catalogue over a store.
    package init(store: any Store, clock: any WallClock) {
        self.store = store
        self.clock = clock
    }

    /// The present offer, at most a second old.
    package func snapshot() async throws -> Snapshot {
        let now = clock.now()
        let fresh = cached.withLock { cached -> Snapshot? in
            guard let cached, now.milliseconds >= cached.readAt.milliseconds,
                now.milliseconds - cached.readAt.milliseconds < Limits.catalogueAgeMilliseconds
            else { return nil }
            return cached
        }
        if let fresh { return fresh }
        let read = try await store.read { tx in
            let models = try tx.chat.enabledModels()
            var routes: [ModelName: [ChannelRoute]] = [:]
            for model in models { routes[model.name] = try tx.chat.routes(for: model.name) }
            return (models: models, routes: routes, words: try tx.chat.sensitiveWords())
        }
        let snapshot = cached.withLock { cached -> Snapshot in
            let words =
                cached.flatMap { $0.sensitiveWords == read.words ? $0.words : nil }
                ?? WordFilter(read.words)
            let snapshot = Snapshot(
                models: read.models, routes: read.routes, sensitiveWords: read.words, words: words,
                readAt: now)
            cached = snapshot
            return snapshot
        }
        return snapshot
    }
}
