package import TollgateKernel

/// In which order a model's channels are asked.
package struct RoutePlan: Hashable, Sendable {
    /// Channels to ask, the first first; each only if those before failed without a token.
    package let candidates: [ChannelRoute]
    /// If there are none: how long until one comes out of its cool-down; nil if the model has no
    /// channel at all.
    package let retryAfterMilliseconds: Int64?

    /// Plans a call: lower priorities first, inside one priority drawn by weight, channels in
    /// cool-down left out.
    ///
    /// - Parameters:
    ///   - health: by channel key; a channel without an entry is well.
    ///   - random: decides the draw: the same number gives the same order.
    package init(
        _ routes: [ChannelRoute], health: [String: ChannelHealth], at now: Timestamp,
        random: UInt64
    ) {
        var admitted: [ChannelRoute] = []
        var wait: Int64?
        for route in routes {
            let left = health[route.channel]?.waitMilliseconds(at: now) ?? 0
            if left == 0 {
                admitted.append(route)
            } else {
                wait = min(wait ?? left, left)
            }
        }
        var draw = NumberSequence(seed: random)
        let byPriority = Dictionary(grouping: admitted, by: \.priority)
        candidates = byPriority.keys.sorted().flatMap { priority in
            Self.drawn(byPriority[priority] ?? [], &draw)
        }
        retryAfterMilliseconds = admitted.isEmpty ? wait : nil
    }

    /// Draws one after the other, each with its weight's share of what is left.
    private static func drawn(_ routes: [ChannelRoute], _ draw: inout NumberSequence)
        -> [ChannelRoute]
    {
        var left = routes.map { route in
            (route: route, weight: UInt64(min(max(route.weight, 1), Limits.channelWeight)))
        }
        var order: [ChannelRoute] = []
        while !left.isEmpty {
            let total = left.reduce(0) { $0 + $1.weight }
            // The remainder's bias is total ÷ 2^64: nothing.
            var point = draw.next() % total
            var index = 0
            while point >= left[index].weight {
                point -= left[index].weight
                index += 1
            }
            order.append(left.remove(at: index).route)
        }
        return order
    }
}

/// Numbers that follow from one: SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
///
/// Good for draws among channels, not for secrets.
private struct NumberSequence {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
