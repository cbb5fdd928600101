/// Where guesses come from, as they are counted.
///
/// Whoever has one address of IPv6 has 2^64 of them, so a source is the first 64 bits, the least
/// that a provider gives a customer (RFC 6177). An IPv4 address is one source, however written.
package enum GuessSource {
    /// What a source is counted by: `2001:db8:0:1::/64` for an address of IPv6, the IPv4 address
    /// for one that is mapped into IPv6 (`::ffff:192.0.2.1`), any other text as it is.
    package static func counted(_ text: String) -> String {
        guard text.utf8.count <= longest, let groups = groups(of: text) else { return text }
        if groups[0..<5].allSatisfy({ $0 == 0 }), groups[5] == 0xffff {
            return [groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255]
                .map { String($0) }.joined(separator: ".")
        }
        return groups[0..<4].map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }

    /// The longest text of an address: 45 characters, brackets, and a zone.
    private static let longest = 80

    /// The eight groups of an IPv6 address, nil if it is none (RFC 4291, section 2.2).
    private static func groups(of text: String) -> [UInt16]? {
        var address = Substring(text)
        if address.first == "[", address.last == "]" { address = address.dropFirst().dropLast() }
        // The zone says on which wire a link's address is, and nothing about who has it.
        address = address.prefix { $0 != "%" }
        guard address.contains(":") else { return nil }
        guard let gap = address.firstDoubleColon else {
            let groups = parsed(address)
            return groups?.count == 8 ? groups : nil
        }
        let rest = address[address.index(gap, offsetBy: 2)...]
        guard rest.firstDoubleColon == nil, rest.first != ":",
            let head = parsed(address[..<gap], isEnd: false), let tail = parsed(rest),
            head.count + tail.count < 8
        else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    /// Groups between colons; an address may end in an IPv4 address, which is two.
    private static func parsed(_ text: Substring, isEnd: Bool = true) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (place, part) in parts.enumerated() {
            if isEnd, place == parts.count - 1, part.contains(".") {
                guard let pair = fromIPv4(part) else { return nil }
                groups += pair
            } else {
                guard (1...4).contains(part.utf8.count), part.first != "+",
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups
    }

    private static func fromIPv4(_ text: Substring) -> [UInt16]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part -> UInt16? in
            guard (1...3).contains(part.utf8.count), part.first != "+" else { return nil }
            return UInt8(part).map(UInt16.init)
        }
        guard parts.count == 4, bytes.count == 4 else { return nil }
        return [bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3]]
    }
}

extension Substring {
    /// Where `::` begins first.
    fileprivate var firstDoubleColon: Index? {
        indices.first { place in
            let next = index(after: place)
            return self[place] == ":" && next < endIndex && self[next] == ":"
        }
    }
}
