extension Limits {
    /// Bytes given to one cipher or digest call: far above any message, far below OpenSSL's `int`.
    package static let cryptographyInputBytes = 64 * 1_024 * 1_024

    /// Bits of an RSA key we accept: below 2,048 is forbidden by WeChat Pay and by common sense,
    /// above 8,192 one verification takes long enough to be an attack.
    package static let rsaKeyBits = 2_048...8_192

    /// Bytes of a PEM text: a certificate with a long chain of extensions has less than 16 KiB.
    package static let pemBytes = 64 * 1_024
}
