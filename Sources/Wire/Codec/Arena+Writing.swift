internal import CProtobufC
internal import Glibc

// What generated `write(to:in:)` functions call.
extension Arena {
    /// A block; unlike for reading, running out is an error of the caller's value.
    func allocate(_ size: Int) throws(WireError) -> UnsafeMutableRawPointer {
        guard let block = allocateOrRefuse(size) else {
            throw .unencodable("a value of \(size) bytes is too large")
        }
        return block
    }

    /// Room for so many values.
    func array<Value: BitwiseCopyable>(
        of _: Value.Type, count: Int
    ) throws(WireError) -> UnsafeMutablePointer<Value> {
        try allocate(count * MemoryLayout<Value>.stride).bindMemory(to: Value.self, capacity: count)
    }

    /// A text with the NUL that protobuf-c wants at its end.
    func text(
        _ value: String, _ field: StaticString
    ) throws(WireError) -> UnsafeMutablePointer<CChar> {
        if let copied = value.utf8.withContiguousStorageIfAvailable({ copyText($0) }) {
            return try checked(copied, field)
        }
        return try checked(Array(value.utf8).withUnsafeBufferPointer { copyText($0) }, field)
    }

    /// Nil if memory ran out; a null length if the text holds a NUL.
    private func copyText(
        _ source: UnsafeBufferPointer<UInt8>
    ) -> (target: UnsafeMutableRawPointer?, hasNUL: Bool) {
        guard let target = allocateOrRefuse(source.count + 1) else { return (nil, false) }
        if let base = source.baseAddress {
            target.copyMemory(from: base, byteCount: source.count)
        }
        target.storeBytes(of: 0, toByteOffset: source.count, as: UInt8.self)
        return (target, memchr(target, 0, source.count) != nil)
    }

    private func checked(
        _ copied: (target: UnsafeMutableRawPointer?, hasNUL: Bool), _ field: StaticString
    ) throws(WireError) -> UnsafeMutablePointer<CChar> {
        guard let target = copied.target else {
            throw .unencodable("the text \(field) is too large")
        }
        guard !copied.hasNUL else {
            throw .unencodable("the text \(field) holds a NUL character")
        }
        return target.assumingMemoryBound(to: CChar.self)
    }

    /// Texts, each with its NUL.
    func texts(
        _ values: [String], _ field: StaticString
    ) throws(WireError) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let target = try array(of: UnsafeMutablePointer<CChar>?.self, count: values.count)
        for index in values.indices { target[index] = try text(values[index], field) }
        return target
    }

    /// Bytes with their length.
    func bytes(_ value: [UInt8]) throws(WireError) -> ProtobufCBinaryData {
        guard !value.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
        let target = try allocate(value.count)
        value.withUnsafeBytes { source in
            if let base = source.baseAddress {
                target.copyMemory(from: base, byteCount: source.count)
            }
        }
        return ProtobufCBinaryData(
            len: value.count, data: target.assumingMemoryBound(to: UInt8.self))
    }

    /// Several byte strings.
    func manyBytes(
        _ values: [[UInt8]]
    ) throws(WireError) -> UnsafeMutablePointer<ProtobufCBinaryData> {
        let target = try array(of: ProtobufCBinaryData.self, count: values.count)
        for index in values.indices { target[index] = try bytes(values[index]) }
        return target
    }

    /// Numbers as they are.
    func numbers<Value: BitwiseCopyable>(
        _ values: [Value]
    ) throws(WireError) -> UnsafeMutablePointer<Value> {
        let target = try array(of: Value.self, count: values.count)
        for index in values.indices { target[index] = values[index] }
        return target
    }

    /// Values that C spells differently: enums and truth values.
    func converted<Value, Target: BitwiseCopyable>(
        _ values: [Value], _ convert: (Value) -> Target
    ) throws(WireError) -> UnsafeMutablePointer<Target> {
        let target = try array(of: Target.self, count: values.count)
        for index in values.indices { target[index] = convert(values[index]) }
        return target
    }

    /// A message as a C struct.
    func message<Message: CBacked>(
        _ value: Message
    ) throws(WireError) -> UnsafeMutablePointer<Message.CStruct> {
        let target = try allocate(MemoryLayout<Message.CStruct>.size)
            .bindMemory(to: Message.CStruct.self, capacity: 1)
        Message.initialize(target)
        try value.write(to: target, in: self)
        return target
    }

    /// Messages as C structs.
    func messages<Message: CBacked>(
        _ values: [Message]
    ) throws(WireError) -> UnsafeMutablePointer<UnsafeMutablePointer<Message.CStruct>?> {
        let target = try array(
            of: UnsafeMutablePointer<Message.CStruct>?.self, count: values.count)
        for index in values.indices { target[index] = try message(values[index]) }
        return target
    }

    /// A map's entries as C structs, sorted by key so that equal messages have equal bytes.
    func entries<Entry: BitwiseCopyable>(
        _ values: [String: String], _ field: StaticString,
        _ initialize: (UnsafeMutablePointer<Entry>) -> Void,
        _ fill: (
            inout Entry, UnsafeMutablePointer<CChar>, UnsafeMutablePointer<CChar>
        ) -> Void
    ) throws(WireError) -> UnsafeMutablePointer<UnsafeMutablePointer<Entry>?> {
        let target = try array(of: UnsafeMutablePointer<Entry>?.self, count: values.count)
        var index = 0
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            let entry = try array(of: Entry.self, count: 1)
            initialize(entry)
            fill(&entry.pointee, try text(key, field), try text(value, field))
            target[index] = entry
            index += 1
        }
        return target
    }
}
