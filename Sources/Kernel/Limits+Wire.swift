extension Limits {
    /// Memory for reading a message, per byte of it: C structs of well-filled messages take up to
    /// three times their bytes, so honest ones fit; a sub-message of two bytes takes about 70.
    package static let wireMemoryPerByte = 4

    /// Memory for reading any message, however small.
    package static let wireMemoryFloorBytes = 64 * 1_024

    /// JSON of one message, in or out: a conversation of the largest size, all of it escaped.
    package static let wireJSONBytes = 8 * 1_024 * 1_024

    /// Messages within messages in JSON: the contract's deepest has 3 levels.
    package static let wireJSONDepth = 32
}
