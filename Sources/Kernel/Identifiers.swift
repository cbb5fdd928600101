/// A typed 63-bit identifier: equal numbers of different kinds never meet.
///
/// Identifiers are positive, sort by the time they were made (``IdentifierGenerator``), fit a
/// SQLite rowid and a PostgreSQL BIGINT, and print as 13 Crockford base32 characters.
package protocol Identifier: RawRepresentable, Hashable, Sendable, Comparable,
    CustomStringConvertible
where RawValue == Int64 {
    /// Wraps a stored or received number without checking that the row exists.
    init(rawValue: Int64)
}

extension Identifier {
    /// Orders by time of making.
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Thirteen Crockford base32 characters.
    package var description: String { CrockfordBase32.encode(rawValue) }

    /// Reads what ``description`` printed, in any letter case; nil if it is no identifier.
    package init?(text: String) {
        guard let value = CrockfordBase32.decodeIdentifier(text) else { return nil }
        self.init(rawValue: value)
    }
}

/// A customer account: one for each person who ever signed in.
package struct AccountID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Something an operator did.
package struct AdminActID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A key with which programs call on an account's behalf.
package struct APIKeyID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A reservation of credits, or of a free trial, for one call.
package struct HoldID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A run of a job.
package struct JobRunID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A login session: a signed-in browser or command line.
package struct LoginSessionID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Credits of one origin with one expiry.
package struct LotID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// An order for a product.
package struct OrderID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A message to a person that waits to be sent.
package struct OutboxID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A row of the journal: one movement between two accounts.
package struct TransferID: Identifier {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A product's stable key, such as `starter`: lower-case letters, digits and hyphens, 1 to 32.
package struct ProductKey: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    /// Whether an operator may call a product so: 1 to 32 lower-case letters, digits and hyphens.
    package var isWellFormed: Bool { rawValue.isStableName }
}

/// The name users call a model by, such as `demo-chat`: 1 to 64 characters.
package struct ModelName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    /// Whether an operator may call a model so: 1 to 64 letters, digits and `.`, `-`, `_`, `/`,
    /// `:`, as providers call theirs.
    package var isWellFormed: Bool {
        (1...Limits.modelNameCharacters).contains(rawValue.utf8.count)
            && rawValue.utf8.allSatisfy { symbol in
                (0x41...0x5a).contains(symbol) || (0x61...0x7a).contains(symbol)
                    || (0x30...0x39).contains(symbol) || ".-_/:".utf8.contains(symbol)
            }
    }
}

/// The stable name of a kind of account, such as `standard`.
package struct TierName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }

    /// The tier of every account that no operator has put elsewhere.
    package static let standard = TierName(rawValue: "standard")

    /// Whether it has 1 to 32 lower-case letters, digits and hyphens.
    package var isWellFormed: Bool { rawValue.isStableName }
}

/// What the caller chose so that a repeated request is recognised: 1 to 64 visible ASCII
/// characters.
package struct IdempotencyKey: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// Wraps a key already stored.
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Checks a key received from a caller; nil if it is empty, too long or not visible ASCII.
    package init?(checking text: String) {
        let bytes = text.utf8
        guard (1...Limits.idempotencyKeyBytes).contains(bytes.count),
            bytes.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        self.init(rawValue: text)
    }

    package var description: String { rawValue }
}

/// Crockford's base32 alphabet: no I, L, O, U, so that people can read it aloud.
///
/// Source: <https://www.crockford.com/base32.html>.
package enum CrockfordBase32 {
    /// The 32 symbols in order of value.
    package static let alphabet: [UInt8] = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// Thirteen characters for a non-negative 63-bit number.
    package static func encode(_ value: Int64) -> String {
        // Short enough to stand in the String itself: nothing is allocated.
        String(unsafeUninitializedCapacity: 13) { bytes in
            var rest = UInt64(bitPattern: value)
            for index in (0..<13).reversed() {
                bytes.initializeElement(at: index, to: alphabet[Int(rest & 31)])
                rest >>= 5
            }
            return 13
        }
    }

    /// The value of one symbol; O reads as 0, I and L as 1, in either letter case.
    package static func value(of symbol: UInt8) -> UInt8? {
        let upper = (0x61...0x7a).contains(symbol) ? symbol - 0x20 : symbol
        switch upper {
        case UInt8(ascii: "O"): return 0
        case UInt8(ascii: "I"), UInt8(ascii: "L"): return 1
        default: return alphabet.firstIndex(of: upper).map { UInt8($0) }
        }
    }

    /// Reads what ``encode(_:)`` wrote for a positive identifier, and only as it writes it.
    ///
    /// Another letter case is another text. Nil for anything else.
    package static func decodeExactly(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count == 13 else { return nil }
        var value: UInt64 = 0
        for symbol in text {
            let digit = digits[Int(symbol)]
            guard digit < 32, value >> 58 == 0 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        return value > 0 ? Int64(value) : nil
    }

    /// The value of each byte that ``encode(_:)`` writes; 32 for all others.
    private static let digits: [UInt8] = {
        var digits = [UInt8](repeating: 32, count: 256)
        for (value, symbol) in alphabet.enumerated() { digits[Int(symbol)] = UInt8(value) }
        return digits
    }()

    /// Reads thirteen symbols as a positive identifier; nil for anything else.
    package static func decodeIdentifier(_ text: String) -> Int64? {
        guard text.utf8.count == 13 else { return nil }
        var value: UInt64 = 0
        for symbol in text.utf8 {
            guard let digit = self.value(of: symbol), value >> 59 == 0 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        guard value > 0, value <= UInt64(Int64.max) else { return nil }
        return Int64(value)
    }
}
