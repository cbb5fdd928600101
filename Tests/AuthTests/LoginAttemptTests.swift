import Auth
import Testing
import TollgateKernel

@Suite struct LoginAttemptTests {
    private static let start = Timestamp(seconds: 1_700_000_000)
    private static let end = start.adding(milliseconds: Limits.loginAttemptMilliseconds)
    private static let secret = [UInt8](repeating: 1, count: 32)
    private static let thief = [UInt8](repeating: 2, count: 32)

    private static func attempt(_ state: LoginAttempt.State = .pending) throws -> LoginAttempt {
        LoginAttempt(
            scene: try #require(LoginScene(randomBytes: [UInt8](repeating: 9, count: 16))),
            secretDigest: secret, source: [UInt8](repeating: 3, count: 32), device: "Firefox",
            createdAt: start, expiresAt: end, state: state)
    }

    /// What can happen to an attempt.
    enum Event: Hashable, Sendable, CaseIterable {
        case annScans, bobScans, annTellsNumber, annTellsAnother, bobTellsNumber, annDeclines
        case ownerRedeems, thiefRedeems
    }

    /// Applies an event; what it came to, as a word.
    private static func apply(
        _ event: Event, to attempt: inout LoginAttempt, at now: Timestamp = start,
        number: Int64 = 42
    ) -> String {
        switch event {
        case .annScans: return "\(attempt.scan(by: "ann", number: number, at: now))"
        case .bobScans: return "\(attempt.scan(by: "bob", number: number, at: now))"
        case .annTellsNumber: return "\(attempt.confirm(number: 42, by: "ann", at: now))"
        case .annTellsAnother: return "\(attempt.confirm(number: 41, by: "ann", at: now))"
        case .bobTellsNumber: return "\(attempt.confirm(number: 42, by: "bob", at: now))"
        case .annDeclines: return attempt.refuse(.declined) ? "refused" : "nothing"
        case .ownerRedeems: return redeem(&attempt, secret, now)
        case .thiefRedeems: return redeem(&attempt, thief, now)
        }
    }

    private static func redeem(
        _ attempt: inout LoginAttempt, _ digest: [UInt8], _ now: Timestamp
    ) -> String {
        do throws(Failure) {
            return try attempt.redeem(secretDigest: digest, at: now)
        } catch {
            return error.code.rawValue
        }
    }

    private static let scanned = LoginAttempt.State.scanned(openID: "ann", number: 42)
    private static let confirmed = LoginAttempt.State.confirmed(openID: "ann")
    private static let redeemed = LoginAttempt.State.redeemed(openID: "ann")
    private static let refused = LoginAttempt.State.refused(.superseded)

    /// Every event in every state, in time: what it comes to, and the state after it if it changes.
    private static let table: [(LoginAttempt.State, [(Event, String, LoginAttempt.State?)])] = [
        (
            .pending,
            [
                (.annScans, "asked", scanned),
                (.bobScans, "asked", .scanned(openID: "bob", number: 42)),
                (.annTellsNumber, "late", nil), (.annTellsAnother, "late", nil),
                (.bobTellsNumber, "late", nil), (.annDeclines, "refused", .refused(.declined)),
                (.ownerRedeems, "conflict", nil), (.thiefRedeems, "unauthenticated", nil),
            ]
        ),
        (
            scanned,
            [
                (.annScans, "asked", nil), (.bobScans, "taken", .refused(.twoScanners)),
                (.annTellsNumber, "confirmed", confirmed),
                (.annTellsAnother, "wrongNumber", .refused(.wrongNumber)),
                (.bobTellsNumber, "late", nil), (.annDeclines, "refused", .refused(.declined)),
                (.ownerRedeems, "conflict", nil), (.thiefRedeems, "unauthenticated", nil),
            ]
        ),
        (
            confirmed,
            [
                (.annScans, "late", nil), (.bobScans, "late", nil),
                (.annTellsNumber, "late", nil), (.annTellsAnother, "late", nil),
                (.bobTellsNumber, "late", nil), (.annDeclines, "refused", .refused(.declined)),
                (.ownerRedeems, "ann", redeemed), (.thiefRedeems, "unauthenticated", nil),
            ]
        ),
        (
            redeemed,
            [
                (.annScans, "late", nil), (.bobScans, "late", nil),
                (.annTellsNumber, "late", nil), (.annTellsAnother, "late", nil),
                (.bobTellsNumber, "late", nil), (.annDeclines, "nothing", nil),
                (.ownerRedeems, "conflict", nil), (.thiefRedeems, "unauthenticated", nil),
            ]
        ),
        (
            refused,
            [
                (.annScans, "late", nil), (.bobScans, "late", nil),
                (.annTellsNumber, "late", nil), (.annTellsAnother, "late", nil),
                (.bobTellsNumber, "late", nil), (.annDeclines, "nothing", nil),
                (.ownerRedeems, "conflict", nil), (.thiefRedeems, "unauthenticated", nil),
            ]
        ),
    ]

    @Test func `Every event in every state comes to what the table says`() throws {
        for (state, rows) in Self.table {
            #expect(Set(rows.map(\.0)) == Set(Event.allCases))
            for (event, outcome, after) in rows {
                var attempt = try Self.attempt(state)
                #expect(Self.apply(event, to: &attempt) == outcome, "\(state) \(event)")
                #expect(attempt.state == after ?? state, "\(state) \(event)")
            }
        }
    }

    @Test func `Out of time nothing goes forward, whatever the state`() throws {
        for (state, _) in Self.table {
            for event in Event.allCases where event != .annDeclines {
                var attempt = try Self.attempt(state)
                let outcome = Self.apply(event, to: &attempt, at: Self.end)
                #expect(attempt.state == state, "\(state) \(event)")
                #expect(
                    ["late", "unauthenticated", "conflict"].contains(outcome), "\(state) \(event)")
            }
            var last = try Self.attempt(state)
            let moment = Self.end.adding(milliseconds: -1)
            #expect(last.isLive(at: moment))
            let outcome = Self.apply(.ownerRedeems, to: &last, at: moment)
            #expect((outcome == "ann") == (state == Self.confirmed))
        }
    }

    @Test func `Who began it sees the number after the scan alone, and why it ended`() throws {
        let now = Self.start
        #expect(try Self.attempt().standing(at: now) == .waiting)
        #expect(try Self.attempt(Self.scanned).standing(at: now) == .scanned(number: 42))
        #expect(try Self.attempt(Self.confirmed).standing(at: now) == .confirmed)
        for state in [.pending, Self.scanned, Self.confirmed] {
            #expect(try Self.attempt(state).standing(at: Self.end) == .ended(LoginAttempt.over))
        }
        for refusal in LoginAttempt.Refusal.allCases {
            let standing = try Self.attempt(.refused(refusal)).standing(at: now)
            #expect(standing == .ended(refusal.failure))
        }
    }

    /// Whatever happens in whatever order: one person is signed in at most, once, by the secret's
    /// holder, in time, and only one who scanned first and then told the number.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `No schedule signs in anybody who did not scan first and tell the number`(
        seed: UInt64
    ) throws {
        var random = Seeded(state: seed)
        var signedIn = 0
        for _ in 0..<500 {
            var attempt = try Self.attempt()
            var now = Self.start
            var firstScanner: String?
            var told = false
            var redemptions = 0
            for _ in 0..<12 {
                let event = Event.allCases[random.next(below: Event.allCases.count)]
                let before = attempt.state
                let outcome = Self.apply(event, to: &attempt, at: now)
                if outcome == "asked", firstScanner == nil {
                    firstScanner = event == .annScans ? "ann" : "bob"
                }
                let teller = event == .annTellsNumber ? "ann" : "bob"
                if [.annTellsNumber, .bobTellsNumber].contains(event), teller == firstScanner,
                    case .scanned = before, now < Self.end
                {
                    told = true
                }
                if outcome == "ann" || outcome == "bob" {
                    redemptions += 1
                    #expect(event == .ownerRedeems)
                    #expect(outcome == firstScanner)
                    #expect(told)
                    #expect(now < Self.end)
                }
                switch before {
                case .redeemed, .refused: #expect(attempt.state == before)
                default: break
                }
                now = now.adding(milliseconds: Int64(random.next(below: 60_000)))
            }
            #expect(redemptions <= 1)
            signedIn += redemptions
        }
        #expect(signedIn > 0, "no schedule came to a login: the test says nothing")
    }

    @Test func `Numbers have two digits and are spread over all of them`() {
        let numbers = Set((0..<90 as Range<UInt64>).map { LoginAttempt.number(from: $0) })
        #expect(numbers == Set(10...99))
        #expect(LoginAttempt.number(from: .max) >= 10)
        #expect(LoginAttempt.number(from: .max) <= 99)
    }

    @Test func `A scene is read as it was written and as nothing else`() throws {
        let scene = try #require(LoginScene(randomBytes: (0..<16).map { UInt8($0) }))
        #expect(scene.text == "login-000102030405060708090a0b0c0d0e0f")
        #expect(LoginScene(text: scene.text) == scene)
        for other in ["", "login-", scene.text + "0", scene.text.uppercased(), "campaign-7"] {
            #expect(LoginScene(text: other) == nil)
        }
        #expect(LoginScene(randomBytes: [1, 2, 3]) == nil)
    }

    @Test func `A secret does not print itself`() throws {
        let secret = try #require(
            LoginAttemptSecret(randomBytes: [UInt8](repeating: 7, count: 32)))
        #expect(LoginAttemptSecret(text: secret.text) == secret)
        #expect(!"\(secret)".contains(secret.text))
        #expect(LoginAttemptSecret(text: "login-000102030405060708090a0b0c0d0e0f") == nil)
    }

    @Test func `Attempts of a source and in all are limited`() {
        #expect(LoginAttempt.tooMany(ofSource: 12) == nil)
        #expect(LoginAttempt.tooMany(ofSource: 13)?.code == .rateLimited)
        #expect(LoginAttempt.tooMany(ofPart: 250) == nil)
        #expect(LoginAttempt.tooMany(ofPart: 251)?.code == .rateLimited)
        let parts = Set((0...255 as ClosedRange<UInt8>).map { LoginAttempt.part(ofSource: [$0]) })
        #expect(parts.count == Int(Limits.loginAttemptParts))
        // No source's digest is a part's key.
        #expect(parts.allSatisfy { $0.count == 1 })
    }
}

/// Numbers that follow from a seed (SplitMix64).
private struct Seeded {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
