import Testing
import TollgateKernel

/// Identifiers and their text.
@Suite struct IdentifierTests {
    @Test(arguments: [
        (Int64(1), "0000000000001"), (31, "000000000000Z"), (32, "0000000000010"),
        (1_000_000, "000000000YGJ0"), (Int64.max, "7ZZZZZZZZZZZZ"),
    ])
    func `numbers print as thirteen symbols and are read back`(number: Int64, text: String) {
        #expect(OrderID(rawValue: number).description == text)
        #expect(OrderID(text: text) == OrderID(rawValue: number))
        #expect(OrderID(text: text.lowercased()) == OrderID(rawValue: number))
    }

    @Test func `every number survives its text, and texts sort as numbers do`() {
        var generator = SeededGenerator(state: 7)
        let numbers = (0..<2_000).map { _ in Int64.random(in: 1...Int64.max, using: &generator) }
        for number in numbers {
            #expect(LotID(text: LotID(rawValue: number).description)?.rawValue == number)
        }
        let texts = numbers.sorted().map { LotID(rawValue: $0).description }
        #expect(texts == texts.sorted())
    }

    @Test func `letters people confuse are read as the digit they look like`() {
        #expect(CrockfordBase32.value(of: UInt8(ascii: "O")) == 0)
        #expect(CrockfordBase32.value(of: UInt8(ascii: "o")) == 0)
        for symbol in "ILil".utf8 { #expect(CrockfordBase32.value(of: symbol) == 1) }
        #expect(OrderID(text: "OOOOOOOOOOOOI")?.rawValue == 1)
    }

    @Test func `the alphabet has thirty-two symbols, each read as its place`() {
        #expect(CrockfordBase32.alphabet.count == 32)
        for (place, symbol) in CrockfordBase32.alphabet.enumerated() {
            #expect(CrockfordBase32.value(of: symbol) == UInt8(place))
        }
    }

    @Test(arguments: [
        "", "1", "000000000001", "00000000000001", "0000000000000", "8000000000000",
        "ZZZZZZZZZZZZZ", "000000000000U", "000000000000-", "00000 0000001", "ö00000000001",
        "000000000001\n",
    ])
    func `what is no identifier is refused`(text: String) {
        #expect(AccountID(text: text) == nil)
    }

    @Test func `idempotency keys are visible ASCII of bounded length`() {
        let longest = String(repeating: "k", count: Limits.idempotencyKeyBytes)
        #expect(IdempotencyKey(checking: longest)?.rawValue == longest)
        #expect(IdempotencyKey(checking: "!~") != nil)
        for text in ["", longest + "k", "a b", "a\u{7f}", "键", "a\n", "\u{1}"] {
            #expect(IdempotencyKey(checking: text) == nil)
        }
    }
}

/// The generator of identifiers.
@Suite struct TimeSortedIdentifierTests {
    private let year2026 = Timestamp(seconds: 1_767_225_600)

    @Test func `an identifier holds its moment and the random bits`() {
        let identifiers = TimeSortedIdentifiers(
            clock: StillClock(year2026), random: ConstantRandom(byte: 0xa5))
        let next = identifiers.next()
        let since2020 = year2026.milliseconds - TimeSortedIdentifiers.epochMilliseconds
        #expect(next >> 22 == since2020)
        #expect(next & 0x3f_ffff == 0x25_a5a5)
    }

    @Test func `within a millisecond they count up`() {
        let identifiers = TimeSortedIdentifiers(
            clock: StillClock(year2026), random: ConstantRandom(byte: 0))
        let first = identifiers.next()
        #expect((1...100).map { _ in identifiers.next() } == (1...100).map { first + $0 })
    }

    @Test func `order is kept when the count runs over into the next millisecond`() {
        let clock = StillClock(year2026)
        let identifiers = TimeSortedIdentifiers(clock: clock, random: ConstantRandom(byte: 0xff))
        let first = identifiers.next()
        let carried = identifiers.next()
        #expect(carried == first + 1)
        clock.move(byMilliseconds: 1)
        #expect(identifiers.next() > carried)
    }

    @Test func `order is kept when the clock steps back`() {
        let clock = StillClock(year2026)
        let identifiers = TimeSortedIdentifiers(clock: clock, random: ConstantRandom(byte: 9))
        let first = identifiers.next()
        clock.move(byMilliseconds: -3_600_000)
        #expect(identifiers.next() == first + 1)
    }

    @Test func `a clock before 2020 still gives positive numbers`() {
        let identifiers = TimeSortedIdentifiers(
            clock: StillClock(Timestamp(milliseconds: -5)), random: ConstantRandom(byte: 0))
        #expect(identifiers.next() > 0)
    }

    @Test func `eight tasks at once never get the same number, and each sees its own rise`() async {
        let identifiers = TimeSortedIdentifiers()
        let each = 4_000
        let all = await withTaskGroup(of: [Int64].self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<each).map { _ in identifiers.next() } }
            }
            var all: [Int64] = []
            for await numbers in group {
                #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
                all += numbers
            }
            return all
        }
        #expect(all.allSatisfy { $0 > 0 })
        #expect(Set(all).count == 8 * each)
    }

    @Test func `the system's random bytes have the asked length and differ`() {
        let random = SystemRandom()
        for count in [0, 1, 7, 8, 9, 32] { #expect(random.bytes(count).count == count) }
        #expect(random.bytes(32) != random.bytes(32))
        #expect(ConstantRandom(byte: 1).number() == 0x0101_0101_0101_0101)
    }
}
