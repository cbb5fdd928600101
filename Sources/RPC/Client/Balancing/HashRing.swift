import TollgateKernel

/// Addresses on a circle of hashes, so that a key keeps its address when others come and go.
struct HashRing: Equatable {
    private struct Point: Equatable {
        let hash: UInt64
        let member: Int
    }

    private var points: [Point] = []

    /// Places the addresses; their order is their number.
    init(_ addresses: [ServerAddress] = []) {
        for (member, address) in addresses.enumerated() {
            for copy in 0..<Limits.clientRingPointsPerAddress {
                points.append(Point(hash: Self.hash("\(address)#\(copy)"), member: member))
            }
        }
        points.sort { ($0.hash, $0.member) < ($1.hash, $1.member) }
    }

    /// The first address clockwise from the key that `accepts` takes.
    func member(for key: String, where accepts: (Int) -> Bool) -> Int? {
        guard !points.isEmpty else { return nil }
        let hash = Self.hash(key)
        var low = 0
        var high = points.count
        while low < high {
            let middle = (low + high) / 2
            if points[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        for step in 0..<points.count {
            let member = points[(low + step) % points.count].member
            if accepts(member) { return member }
        }
        return nil
    }

    /// FNV-1a with a final mix: the same in every process, unlike Swift's own hashes.
    static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ hash >> 33
    }
}
