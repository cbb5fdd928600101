import Foundation
import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

@Suite struct LingerTests {
    private static let start = NIODeadline.now()

    @Test func aLookThatIsNotRewardedIsTriedAgainSeldom() {
        var policy = LingerPolicy()
        var looks = 0
        for _ in 0..<(100 * Limits.rpcLingerTrialEvery) where policy.wantsToLook(at: Self.start) {
            looks += 1
            policy.looked(isRewarded: false)
        }
        #expect(looks == 100)
    }

    @Test func aRewardedLookIsTakenAgainUntilItIsLost() {
        var policy = LingerPolicy()
        while !policy.wantsToLook(at: Self.start) {}
        var looks = 0
        for _ in 0..<1_000 {
            policy.looked(isRewarded: true)
            if policy.wantsToLook(at: Self.start) { looks += 1 }
        }
        #expect(looks == 1_000)
        // However long it went well, a few losses end it.
        var losses = 0
        while policy.wantsToLook(at: Self.start), losses < 1_000 {
            policy.looked(isRewarded: false)
            losses += 1
        }
        #expect(losses == LingerPolicy.creditMaximum / 2)
    }

    @Test func oneLossInThreeIsTooMany() {
        var policy = LingerPolicy()
        while !policy.wantsToLook(at: Self.start) {}
        var looks = 0
        for round in 0..<3_000 where policy.wantsToLook(at: Self.start) {
            looks += 1
            policy.looked(isRewarded: round % 3 != 0)
        }
        #expect(looks < 3 * 3_000 / Limits.rpcLingerTrialEvery)
    }

    @Test func afterALookThatOverranNoneIsTakenForASecond() {
        var policy = LingerPolicy()
        while !policy.wantsToLook(at: Self.start) {}
        for _ in 0..<8 { policy.looked(isRewarded: true) }
        policy.overran(at: Self.start)
        let pause = TimeAmount.milliseconds(Limits.rpcLingerOverrunPauseMilliseconds)
        let last = Self.start + pause - .nanoseconds(1)
        let looks = (0..<10_000).count { _ in policy.wantsToLook(at: last) }
        #expect(looks == 0)
        // Then a trial at a time, as at first.
        let turns = 10 * Limits.rpcLingerTrialEvery
        #expect((0..<turns).count { _ in policy.wantsToLook(at: Self.start + pause) } == 10)
    }

    @Test func whoIsAlwaysInterruptedLooksNoMore() {
        var policy = LingerPolicy()
        for _ in 0..<LingerPolicy.creditMaximum { policy.looked(isRewarded: true) }
        var looks = 0
        while policy.wantsToLook(at: Self.start), looks < 1_000 {
            policy.interrupted()
            looks += 1
        }
        #expect(looks == LingerPolicy.creditMaximum)
    }

    @Test func onlyWhoReadsAloneIsAlone() {
        var sole = SoleReader()
        let (one, other) = (NSObject(), NSObject())
        let start = NIODeadline.now()
        let alone = TimeAmount.microseconds(Limits.rpcLingerAloneMicroseconds)
        #expect(!sole.isAlone(ObjectIdentifier(one), at: start))
        sole.read(ObjectIdentifier(one), at: start)
        #expect(!sole.isAlone(ObjectIdentifier(one), at: start))
        #expect(sole.isAlone(ObjectIdentifier(one), at: start + alone))
        #expect(!sole.isAlone(ObjectIdentifier(other), at: start + alone))
        // Its own reads do not begin the time anew, another's does.
        sole.read(ObjectIdentifier(one), at: start + alone)
        #expect(sole.isAlone(ObjectIdentifier(one), at: start + alone))
        sole.read(ObjectIdentifier(other), at: start + alone)
        #expect(!sole.isAlone(ObjectIdentifier(one), at: start + alone + alone))
        sole.read(ObjectIdentifier(one), at: start + alone + alone)
        #expect(!sole.isAlone(ObjectIdentifier(one), at: start + alone + alone))
    }
}
