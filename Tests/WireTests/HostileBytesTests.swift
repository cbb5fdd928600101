import Testing

@testable import TollgateWire

/// Whatever bytes arrive: a value or an error, and never more memory than the cap.
@Suite struct HostileBytesTests {
    /// Decodes, and checks the arena's peak against the cap.
    @discardableResult
    private func decode<Message: WireMessage>(
        _ type: Message.Type, _ bytes: [UInt8], _ note: String = ""
    ) -> Result<Message, WireError> {
        let result: Result<Message, WireError>
        do throws(WireError) {
            result = .success(try Message.decode(bytes))
        } catch {
            result = .failure(error)
        }
        let peak = bytes.isEmpty ? 0 : Arena.current.lastUsedBytes
        #expect(peak <= Codec.limitBytes(forInput: bytes.count), "\(type.descriptor.name) \(note)")
        return result
    }

    @Test func `mutated messages give a value or an error`() throws {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        let types = V1.allMessages + [Samples.Everything.self, Samples.Many.self]
        for type in types {
            for _ in 0..<60 {
                try checkMutations(of: type, &random, note: "TOLLGATE_SEED=\(seed)")
            }
        }
    }

    private func checkMutations<Message: WireMessage>(
        of type: Message.Type, _ random: inout SeededRandom, note: String
    ) throws {
        let json = Tree.random(type.descriptor, using: &random)
        var bytes = try encode(json, type.descriptor, &random)
        for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
        if case .success(let message) = decode(type, bytes, note) {
            // What was read is a message like any other.
            let first = try message.encoded()
            #expect(try Message.decode(first).encoded() == first, "\(type) \(note)")
        }
        // The JSON side reads the same bytes with code of its own.
        _ = try? WireJSON.text(of: bytes, as: type.descriptor)
    }

    /// A tree as bytes, without the generated code; fields in random order.
    private func encode(
        _ tree: Tree, _ shape: MessageDescriptor, _ random: inout SeededRandom
    ) throws -> [UInt8] {
        var writer = WireWriter()
        for field in shape.fields.shuffled(using: &random) {
            guard let value = tree.values[field.jsonName] else { continue }
            var elements = [value]
            if case .list(let list) = value { elements = list }
            for element in elements {
                switch element {
                case .message(let inner):
                    guard case .message(let shape) = field.kind else { continue }
                    writer.delimited(field.number, try encode(inner, shape, &random))
                case .text(let bytes), .bytes(let bytes): writer.delimited(field.number, bytes)
                case .real(let bits):
                    writer.key(field.number, wireType: 1)
                    writer.fixed64(bits)
                case .signed(let number):
                    writer.key(field.number, wireType: 0)
                    writer.varint(UInt64(bitPattern: number))
                case .unsigned(let number):
                    writer.key(field.number, wireType: 0)
                    writer.varint(number)
                case .truth(let truth):
                    writer.key(field.number, wireType: 0)
                    writer.varint(truth ? 1 : 0)
                case .enumeration(let number):
                    writer.key(field.number, wireType: 0)
                    writer.varint(UInt64(bitPattern: Int64(number)))
                case .map(let map):
                    for (key, value) in map.sorted(by: { $0.key < $1.key }) {
                        var entry = WireWriter()
                        entry.delimited(1, Array(key.utf8))
                        entry.delimited(2, Array(value.utf8))
                        writer.delimited(field.number, entry.bytes)
                    }
                case .list: continue
                }
            }
        }
        return writer.bytes
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeLast(bytes.count - place)
        case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 4: bytes.insert(contentsOf: Batch.varint(random.next() >> 20), at: place)
        default:
            // The same part again, elsewhere: repeated singular fields and oneofs.
            let part = Array(bytes[place...].prefix(30))
            bytes.insert(contentsOf: part, at: Int.random(in: 0...bytes.count, using: &random))
        }
    }

    @Test func `random bytes give a value or an error`() {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        for _ in 0..<5_000 {
            let count = Int.random(in: 0...64, using: &random)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            decode(Samples.Everything.self, bytes, "TOLLGATE_SEED=\(seed)")
        }
    }

    @Test func `every truncation of a message gives a value or an error`() throws {
        let message = V1.AnswerEvent(
            event: .done(V1.AnswerDone(finishReason: "stop", promptTokens: 1 << 40)))
        let bytes = try message.encoded()
        for count in 1..<bytes.count {
            let result = decode(V1.AnswerEvent.self, Array(bytes.prefix(count)))
            #expect(throws: WireError.self) { try result.get() }
        }
    }

    @Test(
        arguments: [
            [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
            [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07],
            [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
            [0x12, 0xff, 0xff, 0xff, 0x7f, 0x01],
            [0x0b, 0x0c], [0x07], [0x00], [0x02, 0x00], [0x0a],
        ] as [[UInt8]])
    func `a declared length that the bytes do not have is an error`(bytes: [UInt8]) {
        let result = decode(Samples.Many.self, bytes)
        #expect(throws: WireError.self) { try result.get() }
    }

    @Test func `16 MiB of empty sub-messages are refused at the cap`() {
        let bytes = [UInt8](
            unsafeUninitializedCapacity: 16 << 20
        ) { buffer, count in
            count = 16 << 20
            for index in 0..<count { buffer[index] = index.isMultiple(of: 2) ? 0x0a : 0 }
        }
        let limit = 4 * (16 << 20) + 64 * 1_024
        #expect(decode(Samples.Many.self, bytes) == .failure(.tooLarge(limitBytes: limit)))
    }

    @Test func `a long array of small numbers is refused at the cap, a short one read`() throws {
        let long = [0x12] + Batch.varint(1 << 20) + [UInt8](repeating: 1, count: 1 << 20)
        let limit = Codec.limitBytes(forInput: long.count)
        #expect(decode(Samples.Many.self, long) == .failure(.tooLarge(limitBytes: limit)))
        let short = [0x12] + Batch.varint(4_000) + [UInt8](repeating: 1, count: 4_000)
        #expect(try decode(Samples.Many.self, short).get().numbers.count == 4_000)
    }

    @Test func `a page of the longest lists fits under the cap`() throws {
        let entry = V1.LedgerEntry(sequence: 1)
        let page = V1.ListLedgerResponse(entries: Array(repeating: entry, count: 200))
        #expect(try V1.ListLedgerResponse.decode(page.encoded()) == page)
        let texts = Samples.Many(
            texts: Array(repeating: "a text of no great length", count: 20_000))
        #expect(try Samples.Many.decode(texts.encoded()) == texts)
    }
}
