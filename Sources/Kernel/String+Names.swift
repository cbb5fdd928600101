extension String {
    /// Whether it is 1 to 32 lower-case letters, digits and hyphens: what operators name things by.
    package var isStableName: Bool {
        (1...Limits.stableNameBytes).contains(utf8.count)
            && utf8.allSatisfy { symbol in
                (0x61...0x7a).contains(symbol) || (0x30...0x39).contains(symbol) || symbol == 0x2d
            }
    }

    /// Whether it has so many bytes and no control character: what stands on one line of a list.
    package func isLine(ofBytes bytes: ClosedRange<Int>) -> Bool {
        bytes.contains(utf8.count)
            && !unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}
