internal import CProtobufC

/// What generated `init(reading:)` functions call: values out of structs that an ``Arena`` holds.
enum Reading {
    /// A text; checked, because protobuf-c takes any bytes.
    static func text(
        _ source: UnsafePointer<CChar>?, _ field: StaticString
    ) throws(WireError) -> String {
        guard let source, source != tollgate_empty_string() else { return "" }
        // Up to the first NUL; the initialiser over a buffer is generic and costs twice as much.
        guard let text = String(validatingCString: source) else {
            throw .malformed("the text \(field) is not UTF-8")
        }
        // One less than the block: protobuf-c adds a NUL.
        guard text.utf8.count == Arena.size(of: source) - 1 else {
            throw .malformed("the text \(field) holds a NUL character")
        }
        return text
    }

    /// Several texts.
    static func texts(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int,
        _ field: StaticString
    ) throws(WireError) -> [String] {
        guard let source, count > 0 else { return [] }
        var result: [String] = []
        result.reserveCapacity(count)
        for index in 0..<count { result.append(try text(source[index], field)) }
        return result
    }

    /// Bytes.
    static func bytes(_ source: ProtobufCBinaryData) -> [UInt8] {
        Array(UnsafeBufferPointer(start: source.data, count: source.data == nil ? 0 : source.len))
    }

    /// Several byte strings.
    static func manyBytes(
        _ source: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int
    ) -> [[UInt8]] {
        guard let source, count > 0 else { return [] }
        return UnsafeBufferPointer(start: source, count: count).map { bytes($0) }
    }

    /// Numbers as they are.
    static func numbers<Value: BitwiseCopyable>(
        _ source: UnsafeMutablePointer<Value>?, _ count: Int
    ) -> [Value] {
        guard let source, count > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: source, count: count))
    }

    /// Values that C spells differently: enums and truth values.
    static func converted<Source, Value>(
        _ source: UnsafeMutablePointer<Source>?, _ count: Int, _ convert: (Source) -> Value
    ) -> [Value] {
        guard let source, count > 0 else { return [] }
        return UnsafeBufferPointer(start: source, count: count).map(convert)
    }

    /// A message; nil if absent.
    static func message<Message: CBacked>(
        _ source: UnsafePointer<Message.CStruct>?
    ) throws(WireError) -> Message? {
        guard let source else { return nil }
        return try Message(reading: source)
    }

    /// Several messages.
    static func messages<Message: CBacked>(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<Message.CStruct>?>?, _ count: Int
    ) throws(WireError) -> [Message] {
        guard let source, count > 0 else { return [] }
        var result: [Message] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            guard let element = source[index] else { continue }
            result.append(try Message(reading: element))
        }
        return result
    }

    /// A map; of equal keys the last counts, as the format demands.
    static func entries<Entry>(
        _ source: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>?, _ count: Int,
        _ field: StaticString,
        _ parts: (UnsafeMutablePointer<Entry>) -> (
            key: UnsafeMutablePointer<CChar>?, value: UnsafeMutablePointer<CChar>?
        )
    ) throws(WireError) -> [String: String] {
        guard let source, count > 0 else { return [:] }
        var result: [String: String] = [:]
        for index in 0..<count {
            guard let entry = source[index] else { continue }
            let (key, value) = parts(entry)
            result[try text(key, field)] = try text(value, field)
        }
        return result
    }
}
