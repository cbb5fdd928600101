import CQRencode

/// A QR code: a square of dark and light modules.
package struct QRMatrix: Hashable, Sendable {
    /// Modules along one side.
    package let size: Int

    /// Row by row, whether each module is dark.
    private let modules: [Bool]

    /// Wraps modules row by row; nil unless they are a square.
    package init?(size: Int, modules: [Bool]) {
        guard size > 0, modules.count == size * size else { return nil }
        self.size = size
        self.modules = modules
    }

    /// Encodes a text with error correction M, the smallest that fits; nil if it is empty, holds a
    /// NUL or is too long for any QR code.
    package init?(encoding text: String) {
        guard !text.isEmpty, !text.utf8.contains(0),
            let code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M)
        else { return nil }
        defer { QRcode_free(code) }
        let size = Int(code.pointee.width)
        guard let data = code.pointee.data else { return nil }
        // The lowest bit of each byte is the module's colour (qrencode.h).
        let bytes = UnsafeBufferPointer(start: data, count: size * size)
        self.init(size: size, modules: bytes.map { $0 & 1 == 1 })
    }

    /// Whether the module is dark; outside of the square everything is light.
    package func isDark(row: Int, column: Int) -> Bool {
        guard (0..<size).contains(row), (0..<size).contains(column) else { return false }
        return modules[row * size + column]
    }
}
