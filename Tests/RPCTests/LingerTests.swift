import Foundation
import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

@Suite struct LingerTests {
    @Test func aLookThatIsNotRewardedIsTriedAgainSeldom() {
        var policy = LingerPolicy()
        var looks = 0
        for _ in 0..<(100 * Limits.rpcLingerTrialEvery) where policy.wantsToLook() {
            looks += 1
            policy.looked(isRewarded: false)
        }
        #expect(looks == 100)
    }

    @Test func aRewardedLookIsTakenAgainUntilItIsLost() {
        var policy = LingerPolicy()
        while !policy.wantsToLook() {}
        var looks = 0
        for _ in 0..<1_000 {
            policy.looked(isRewarded: true)
            if policy.wantsToLook() { looks += 1 }
        }
        #expect(looks == 1_000)
        // However long it went well, a few losses end it.
        var losses = 0
        while policy.wantsToLook(), losses < 1_000 {
            policy.looked(isRewarded: false)
            losses += 1
        }
        #expect(losses == LingerPolicy.creditMaximum / 2)
    }

    @Test func oneLossInThreeIsTooMany() {
        var policy = LingerPolicy()
        while !policy.wantsToLook() {}
        var looks = 0
        for round in 0..<3_000 where policy.wantsToLook() {
            looks += 1
            policy.looked(isRewarded: round % 3 != 0)
        }
        #expect(looks < 3_000)
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
