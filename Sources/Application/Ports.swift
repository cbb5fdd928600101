package import Auth
package import TollgateKernel

/// What every use case needs from outside: the store, time, randomness, ids and the store's keys.
package struct Ports: Sendable {
    /// Where everything is kept.
    package var store: any Store
    /// The time of day.
    package var clock: any WallClock
    /// Random bytes.
    package var random: any RandomSource
    /// Fresh ids.
    package var identifiers: any IdentifierGenerator
    /// The key behind openid digests and login codes; never changes for a store.
    package var identityKey: IdentityKey
    /// What the operator decided.
    package var policy: ServicePolicy

    /// Gathers the ports.
    package init(
        store: any Store, clock: any WallClock, random: any RandomSource,
        identifiers: any IdentifierGenerator, identityKey: IdentityKey, policy: ServicePolicy
    ) {
        self.store = store
        self.clock = clock
        self.random = random
        self.identifiers = identifiers
        self.identityKey = identityKey
        self.policy = policy
    }
}
