internal import Accounts
internal import Chat
internal import Logging
internal import Metrics
internal import Synchronization
package import TollgateKernel

extension AnswerQuestion {
    /// Asks the model's channels in turn until one answers; failover ends with the first token.
    ///
    /// Who has keys of their own for channels of the model is answered by those channels alone: a
    /// call that began as theirs never ends as one that they pay us for.
    func stream(
        _ admitted: AdmittedQuestion, _ applied: AppliedWrite<HoldVerdict>,
        _ progress: inout AnswerProgress, _ emit: (AnswerEvent) async throws -> Void
    ) async throws {
        let ownKeys = progress.grant.ownKeys
        let routes =
            ownKeys.isEmpty
            ? admitted.routes : admitted.routes.filter { ownKeys[$0.channel] != nil }
        // What the operator's key meets says nothing about another's, nor the other way round.
        let channels = ownKeys.isEmpty ? channels : channelsOfOwnKeys
        let plan = channels.plan(routes, random: ports.random.number())
        var last = ModelGatewayFailure(
            .unreachable, message: "no channel of this model answers just now",
            retryAfterMilliseconds: plan.retryAfterMilliseconds)
        for route in plan.candidates.prefix(Limits.channelsTriedPerQuestion) {
            guard channels.begin(route.channel) else { continue }
            do {
                try await stream(from: route, admitted, applied, &progress, emit)
                channels.succeeded(route.channel)
                Self.count(route.channel, "answered")
                return
            } catch let failure as ModelGatewayFailure {
                Self.count(route.channel, failure.kind.rawValue)
                // That one person's key is refused or used up says nothing about the channel.
                if !ownKeys.isEmpty, failure.concernsKey {
                    channels.abandoned(route.channel, sawToken: progress.firstTokenAt != nil)
                } else if channels.failed(route, failure) {
                    logger.warning(
                        "a channel fails",
                        metadata: [
                            "channel": "\(route.channel)", "model": "\(route.upstreamModel)",
                            "kind": "\(failure.kind.rawValue)", "reason": "\(failure.message)",
                        ])
                }
                guard progress.firstTokenAt == nil, failure.allowsFailover else { throw failure }
                last = failure
            } catch {
                // The asker left, or the hold is not durable: the channel did nothing wrong.
                channels.abandoned(route.channel, sawToken: progress.firstTokenAt != nil)
                throw error
            }
        }
        if !ownKeys.isEmpty, last.kind == .rejectedKey { throw Self.ownKeyRefused }
        throw last
    }

    /// Counts a call of a channel by how it ended; the operator names channels, so they are few.
    private static func count(_ channel: String, _ outcome: String) {
        Counter(
            label: "tollgate_channel_calls_total",
            dimensions: [("channel", channel), ("outcome", outcome)]
        ).increment()
    }

    private static let ownKeyRefused = Failure(
        .upstreamFailed,
        "The provider refuses your own key; bind another, or remove it to use credits.")
    private static let ownKeyClosed = Failure(
        .internalError,
        "Your own key cannot be used just now; ask again later, or bind it anew.")

    private func stream(
        from route: ChannelRoute, _ admitted: AdmittedQuestion,
        _ applied: AppliedWrite<HoldVerdict>, _ progress: inout AnswerProgress,
        _ emit: (AnswerEvent) async throws -> Void
    ) async throws {
        let endpoint = ModelEndpoint(
            channel: route.channel, kind: route.kind, baseURL: route.baseURL,
            apiKey: try key(for: route, progress.grant))
        do {
            try await listen(to: endpoint, route, admitted, applied, &progress, emit)
        } catch let smaller as SmallerGrant {
            // Nothing has left yet: asked again for what the hold that was kept covers.
            progress.grant = smaller.grant
            try await listen(to: endpoint, route, admitted, applied, &progress, emit)
        }
    }

    /// The key to ask a channel with; why one does not open is the operator's to know.
    private func key(for route: ChannelRoute, _ grant: HoldGrant) throws -> String {
        do {
            guard grant.hold.source == .ownKey else {
                return try keys.key(ofChannel: route.channel, sealed: route.sealedAPIKey)
            }
            // Never the operator's key for a call that nobody pays the operator for.
            guard let own = grant.ownKeys[route.channel] else { throw Self.ownKeyRefused }
            return try keys.key(of: grant.hold.account, forChannel: route.channel, sealed: own)
        } catch let error as SealedElsewhere {
            logger.error("a provider's key does not open", metadata: ["error": "\(error)"])
            if grant.hold.source == .ownKey { throw Self.ownKeyClosed }
            throw ModelGatewayFailure(.rejectedKey, message: "its key does not open here")
        }
    }

    /// The hold that was kept covers fewer tokens than the provider was asked for.
    private struct SmallerGrant: Error {
        let grant: HoldGrant
    }

    /// Asks one channel and passes its answer on.
    /// - Throws: ``SmallerGrant`` before the first token has left.
    private func listen(
        to endpoint: ModelEndpoint, _ route: ChannelRoute, _ admitted: AdmittedQuestion,
        _ applied: AppliedWrite<HoldVerdict>, _ progress: inout AnswerProgress,
        _ emit: (AnswerEvent) async throws -> Void
    ) async throws {
        let request = ModelRequest(
            upstreamModel: route.upstreamModel, messages: admitted.judged.asked.messages,
            maxTokens: progress.grant.maxTokens,
            correlationID: progress.grant.hold.id.description)
        var filter = StreamingWordFilter(admitted.words)
        // A local copy: an inout parameter cannot be captured by the event closure.
        var current = progress
        current.channel = route.channel
        defer { progress = current }
        try await gateway.stream(request, from: endpoint) { event in
            // An empty answer is an answer too: it starts and ends.
            if current.firstTokenAt == nil {
                let grant = try await durableGrant(applied)
                // Whose key asked decides who pays; a batch that ran again may have decided anew.
                guard
                    (grant.hold.source == .ownKey) == (current.grant.hold.source == .ownKey)
                else { throw Failure(.unavailable, "The service is busy; ask again.") }
                guard grant.maxTokens >= request.maxTokens else { throw SmallerGrant(grant: grant) }
                current.grant = grant
                current.firstTokenAt = ports.clock.now()
                try await emit(
                    .started(model: admitted.model.name, source: current.grant.hold.source))
            }
            switch event {
            case .delta(let text):
                current.received.add(text)
                let safe = filter.feed(text)
                if !safe.isEmpty { try await emit(.delta(safe)) }
            case .finished(let reason, let usage):
                let rest = filter.finish()
                if !rest.isEmpty { try await emit(.delta(rest)) }
                current.finishReason = reason
                current.usage = usage
            }
        }
    }

    /// The hold as it became durable: another one if its batch had to run again.
    ///
    /// - Throws: ``RefusedHold``, if the hold was refused then; the store's error if nothing was
    ///   held.
    func durableGrant(_ applied: AppliedWrite<HoldVerdict>) async throws -> HoldGrant {
        switch try await applied.durable() {
        case .held(let grant): return grant
        // Applied, then refused when its batch ran again: there is nothing to release.
        case .refused(let refused): throw refused
        }
    }
}

/// How each channel does, as this process has seen it.
///
/// Health is a value (``ChannelHealth``) that says when a failing channel may be asked again; this
/// keeps one a channel. It is not stored: after a restart every channel gets its chance.
package final class ChannelBoard: Sendable {
    /// What a channel's health was seen of; of another address or key it says nothing.
    private struct Asked: Hashable {
        var baseURL: String
        var sealedAPIKey: [UInt8]
    }

    private let clock: any WallClock
    private let health = Mutex<[String: ChannelHealth]>([:])
    private let asked = Mutex<[String: Asked]>([:])
    // As many as there are routes.
    private let unknownModels = Mutex<Set<[String]>>([])

    /// Makes an empty board.
    package init(clock: any WallClock) { self.clock = clock }

    /// The channels to ask, best first, without those that cool down.
    func plan(_ routes: [ChannelRoute], random: UInt64) -> RoutePlan {
        let now = clock.now()
        for route in routes where isChanged(route) { forget(route.channel) }
        return health.withLock { RoutePlan(routes, health: $0, at: now, random: random) }
    }

    /// Whether a channel has another address or key than when it was planned last.
    private func isChanged(_ route: ChannelRoute) -> Bool {
        asked.withLock { asked in
            guard let known = asked[route.channel], known.baseURL == route.baseURL,
                known.sealedAPIKey == route.sealedAPIKey
            else {
                asked[route.channel] = Asked(
                    baseURL: route.baseURL, sealedAPIKey: route.sealedAPIKey)
                return true
            }
            return false
        }
    }

    /// A channel that its operator has changed gets its chance at once.
    private func forget(_ channel: String) {
        health.withLock { $0[channel] = nil }
        unknownModels.withLock { known in known = known.filter { $0.first != channel } }
    }

    /// Takes a call's turn; false if another took a recovering channel's only probe.
    func begin(_ channel: String) -> Bool {
        let now = clock.now()
        return health.withLock { $0[channel, default: ChannelHealth()].begin(at: now) }
    }

    func succeeded(_ channel: String) {
        health.withLock { $0[channel, default: ChannelHealth()].recordSuccess() }
    }

    /// Notes a failure; true if the operator should hear of it: it began a cool-down, or is the
    /// first to say that the channel does not know the model.
    func failed(_ route: ChannelRoute, _ failure: ModelGatewayFailure) -> Bool {
        let now = clock.now()
        let isNews = health.withLock {
            let coolDowns = $0[route.channel]?.coolDowns ?? 0
            $0[route.channel, default: ChannelHealth()].recordFailure(failure, at: now)
            return $0[route.channel]?.coolDowns != coolDowns
        }
        guard failure.kind == .unknownModel else { return isNews }
        return unknownModels.withLock { $0.insert([route.channel, route.upstreamModel]).inserted }
    }

    func abandoned(_ channel: String, sawToken: Bool) {
        health.withLock {
            if sawToken {
                $0[channel, default: ChannelHealth()].recordSuccess()
            } else {
                $0[channel, default: ChannelHealth()].recordAbandoned()
            }
        }
    }
}
