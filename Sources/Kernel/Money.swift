/// An amount of renminbi in fen, the hundredth of a yuan: never a floating-point number.
package struct Money: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The amount; negative for money that left.
    package let fen: Int64

    /// Makes an amount of whole fen.
    package init(fen: Int64) { self.fen = fen }

    /// Nothing.
    package static let zero = Money(fen: 0)

    package static func < (left: Money, right: Money) -> Bool { left.fen < right.fen }

    /// Yuan with two decimals, such as `¥12.34`.
    package var description: String {
        let magnitude = fen.magnitude
        let cents = magnitude % 100
        return "\(fen < 0 ? "-" : "")¥\(magnitude / 100).\(cents < 10 ? "0" : "")\(cents)"
    }
}

/// An amount of the unit sold, in micro-credits: a millionth of a credit.
///
/// Arithmetic traps on overflow as `Int64` does; amounts from outside are checked against
/// ``Limits/creditsInOneTransfer`` before they get here.
package struct Credits: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The amount in millionths of a credit.
    package let micro: Int64

    /// Makes an amount from millionths.
    package init(micro: Int64) { self.micro = micro }

    /// Makes an amount of whole credits.
    package init(whole: Int64) { self.micro = whole * 1_000_000 }

    /// Nothing.
    package static let zero = Credits(micro: 0)

    package static func < (left: Credits, right: Credits) -> Bool { left.micro < right.micro }
    package static func + (left: Credits, right: Credits) -> Credits {
        Credits(micro: left.micro + right.micro)
    }
    package static func - (left: Credits, right: Credits) -> Credits {
        Credits(micro: left.micro - right.micro)
    }
    package static func += (left: inout Credits, right: Credits) { left = left + right }
    package static func -= (left: inout Credits, right: Credits) { left = left - right }

    /// Credits with the decimals they have, such as `2`, `0.5` or `0.000001`.
    package var description: String {
        let magnitude = micro.magnitude
        let sign = micro < 0 ? "-" : ""
        var decimals = String(magnitude % 1_000_000)
        guard decimals != "0" else { return "\(sign)\(magnitude / 1_000_000)" }
        decimals = String(repeating: "0", count: 6 - decimals.utf8.count) + decimals
        while decimals.last == "0" { decimals.removeLast() }
        return "\(sign)\(magnitude / 1_000_000).\(decimals)"
    }
}
