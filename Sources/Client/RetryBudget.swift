/// Further attempts that a client may make: ten successful calls earn one.
///
/// A struggling server sees at most a tenth more load, whatever its callers do.
package struct RetryBudget: Hashable, Sendable {
    private var tenths: Int
    private let maximumTenths: Int

    /// Makes a budget that begins with so many attempts in hand and never saves up more.
    package init(inHand: Int) {
        tenths = inHand * 10
        maximumTenths = inHand * 10
    }

    /// A call went well.
    package mutating func earn() { tenths = min(tenths + 1, maximumTenths) }

    /// Takes one attempt; false if there is none left.
    package mutating func spend() -> Bool {
        guard tenths >= 10 else { return false }
        tenths -= 10
        return true
    }
}
