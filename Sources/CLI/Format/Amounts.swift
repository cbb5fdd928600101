/// Amounts as people read them.
package enum Amounts {
    /// Micro-credits as credits with the decimals they have: `2`, `0.5`, `0.000001`.
    package static func credits(_ micro: Int64) -> String {
        let magnitude = micro.magnitude
        let sign = micro < 0 ? "-" : ""
        let whole = grouped(magnitude / 1_000_000)
        var decimals = String(magnitude % 1_000_000)
        guard decimals != "0" else { return sign + whole }
        decimals = String(repeating: "0", count: 6 - decimals.utf8.count) + decimals
        while decimals.last == "0" { decimals.removeLast() }
        return "\(sign)\(whole).\(decimals)"
    }

    /// Micro-credits with their unit: `1 credit`, `2.5 credits`.
    package static func creditsWithUnit(_ micro: Int64) -> String {
        "\(credits(micro)) \(micro.magnitude == 1_000_000 ? "credit" : "credits")"
    }

    /// Reads credits, such as `5`, `0.25` or `1,000`, as micro-credits; nil for anything else.
    package static func parseCredits(_ text: String) -> Int64? { parse(text, decimals: 6) }

    /// Reads yuan, such as `9.90`, `12` or `1,000`, as fen; nil for anything else.
    package static func parseYuan(_ text: String) -> Int64? { parse(text, decimals: 2) }

    /// Reads a number of at most so many decimals, as its smallest units.
    private static func parse(_ text: String, decimals most: Int) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let first = parts.first else { return nil }
        let whole = first.filter { $0 != "," }
        let decimals = parts.count == 2 ? String(parts[1]) : "0"
        let digits = whole + decimals
        guard !whole.isEmpty, (1...most).contains(decimals.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let padded = decimals + String(repeating: "0", count: most - decimals.utf8.count)
        return Int64(whole + padded)
    }

    /// A change of micro-credits with its sign: `+2`, `-0.5`, `0`.
    package static func change(_ micro: Int64) -> String {
        micro > 0 ? "+" + credits(micro) : credits(micro)
    }

    /// Fen as yuan: `¥12.34`.
    package static func yuan(_ fen: Int64) -> String {
        let cents = fen.magnitude % 100
        return "\(fen < 0 ? "-" : "")¥\(grouped(fen.magnitude / 100))"
            + ".\(cents < 10 ? "0" : "")\(cents)"
    }

    /// A count with its noun: `1 token`, `2,000 tokens`.
    package static func count(_ number: Int64, _ noun: String) -> String {
        "\(number < 0 ? "-" : "")\(grouped(number.magnitude)) \(noun)"
            + (number.magnitude == 1 ? "" : "s")
    }

    /// Digits in groups of three: `1,234,567`.
    package static func grouped(_ number: UInt64) -> String {
        let digits = Array(String(number))
        var result = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { result.append(",") }
            result.append(digit)
        }
        return result
    }
}
