/// What a price is multiplied by: a fraction of whole numbers, so that no price is ever a
/// floating-point number.
package struct PriceFactor: Hashable, Sendable, CustomStringConvertible {
    /// Above the line; 0 makes everything free.
    package let numerator: Int64
    /// Below the line; positive.
    package let denominator: Int64

    /// The price as it is.
    package static let one = PriceFactor(stored: 1, 1)

    /// Checks a factor from outside: 0 to ``Limits/priceFactor``, with a denominator up to
    /// ``Limits/priceFactorDenominator``; nil for anything else.
    package init?(numerator: Int64, denominator: Int64) {
        guard (1...Limits.priceFactorDenominator).contains(denominator), numerator >= 0,
            numerator <= Limits.priceFactor * denominator
        else { return nil }
        self.init(stored: numerator, denominator)
    }

    /// Wraps stored numbers, which the schema has checked.
    package init(stored numerator: Int64, _ denominator: Int64) {
        self.numerator = numerator
        self.denominator = denominator
    }

    /// An amount times the factor, rounded up to a whole one.
    package func applied(to amount: Credits) -> Credits {
        let exact = Int128(amount.micro) * Int128(numerator)
        let divisor = Int128(denominator)
        return Credits(micro: Int64((exact + divisor - 1) / divisor))
    }

    /// Such as `1`, `4/5` or `3/2`.
    package var description: String {
        denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)"
    }
}
