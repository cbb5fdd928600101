internal import COpenSSL

/// Comparison whose time does not tell where two secrets differ.
package enum ConstantTime {
    /// Whether both are equal.
    ///
    /// The lengths are not hidden: all our codes have known lengths.
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return left.isEmpty || CRYPTO_memcmp(left, right, left.count) == 0
    }

    /// Whether both texts have the same UTF-8.
    package static func areEqual(_ left: String, _ right: String) -> Bool {
        areEqual(Array(left.utf8), Array(right.utf8))
    }
}
