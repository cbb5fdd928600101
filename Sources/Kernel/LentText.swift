/// A text's bytes as a store's engine lends them: where they lie, not a copy.
///
/// Valid as long as the row they are of: who goes through millions of rows would spend more time
/// on making strings than on looking at them.
package struct LentText {
    /// The text's UTF-8.
    package let bytes: UnsafeRawBufferPointer

    /// Takes the bytes.
    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether it is this text, byte by byte.
    package func reads(_ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount
            && bytes.elementsEqual(
                UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// A copy that stays.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}
