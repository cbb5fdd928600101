internal import OrderedCollections

/// Who is connected, in all and per address, and who is only there to be told that there is no
/// room.
struct ConnectionTable {
    /// What to do with a new connection.
    enum Verdict: Equatable {
        /// Serve it.
        case admit
        /// Tell it that there is no room; `evicting` has waited longest without a word and goes.
        case spare(evicting: UInt64?)
        /// Close it: nobody can be told anything any more.
        case close
    }

    private let limits: ServerLimits
    private var admitted: [UInt64: PeerAddress] = [:]
    private var perAddress: [PeerAddress: Int] = [:]
    private var silent: OrderedSet<UInt64> = []
    private var speaking: Set<UInt64> = []

    init(_ limits: ServerLimits) { self.limits = limits }

    /// How many connections are served.
    var count: Int { admitted.count }

    /// How many are only told that there is no room.
    var spareCount: Int { silent.count + speaking.count }

    /// Takes in a connection with a number that was never used.
    mutating func open(_ number: UInt64, from address: PeerAddress) -> Verdict {
        if admitted.count < limits.connections, perAddress[address, default: 0] < limit(of: address)
        {
            admitted[number] = address
            perAddress[address, default: 0] += 1
            return .admit
        }
        guard spareCount >= limits.spareConnections else {
            silent.append(number)
            return .spare(evicting: nil)
        }
        guard !silent.isEmpty else { return .close }
        let oldest = silent.removeFirst()
        silent.append(number)
        return .spare(evicting: oldest)
    }

    private func limit(of address: PeerAddress) -> Int {
        guard limits.countsLoopback || !address.isOnThisMachine else { return limits.connections }
        return limits.connectionsPerAddress
    }

    /// A spare connection has said what it wants, and keeps its place until it is answered.
    mutating func spoke(_ number: UInt64) {
        if silent.remove(number) != nil { speaking.insert(number) }
    }

    /// Forgets a connection.
    mutating func close(_ number: UInt64) {
        silent.remove(number)
        speaking.remove(number)
        guard let address = admitted.removeValue(forKey: number) else { return }
        let left = perAddress[address, default: 1] - 1
        perAddress[address] = left > 0 ? left : nil
    }
}
