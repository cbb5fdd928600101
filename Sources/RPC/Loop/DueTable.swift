import NIOCore
import TollgateKernel

/// Who is to be looked at when, to the tick: whoever has nothing due costs nothing.
struct DueTable {
    private var ticks: [UInt64: [ObjectIdentifier]] = [:]
    /// The first tick that has not been looked at.
    private var next: UInt64

    init(now: NIODeadline = .now()) { next = Self.tick(now) }

    private static func tick(_ moment: NIODeadline) -> UInt64 {
        moment.uptimeNanoseconds / UInt64(Limits.rpcDeadlineTickMilliseconds * 1_000_000)
    }

    /// Whether a moment belongs to an earlier tick than another.
    static func isEarlier(_ moment: NIODeadline, than other: NIODeadline) -> Bool {
        tick(moment) < tick(other)
    }

    /// Notes that someone is due; the earliest tick is the next.
    mutating func add(_ entry: ObjectIdentifier, due: NIODeadline) {
        ticks[max(next, Self.tick(due)), default: []].append(entry)
    }

    /// Takes out those who are due; some of them may be found to have been looked at before.
    mutating func take(_ now: NIODeadline) -> [ObjectIdentifier] {
        let last = Self.tick(now)
        guard last >= next else { return [] }
        defer { next = last + 1 }
        guard !ticks.isEmpty else { return [] }
        var due: [ObjectIdentifier] = []
        if last - next > UInt64(ticks.count) {
            // The loop slept for long: there are fewer entries than ticks that passed.
            for tick in ticks.keys.filter({ $0 <= last }).sorted() {
                due += ticks.removeValue(forKey: tick) ?? []
            }
        } else {
            for tick in next...last { due += ticks.removeValue(forKey: tick) ?? [] }
        }
        return due
    }
}
