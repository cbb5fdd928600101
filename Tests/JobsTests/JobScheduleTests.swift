import Jobs
import Testing
import TollgateKernel

@Suite struct JobScheduleTests {
    private let minute: Int64 = 60_000
    private let due = Timestamp(seconds: 1_790_000_007)

    private func schedule(_ catchUp: CatchUpPolicy) -> JobSchedule {
        JobSchedule(intervalMilliseconds: minute, catchUp: catchUp)
    }

    @Test func `With all, each missed moment is due in its turn`() {
        let now = due.adding(milliseconds: 3 * minute + 1)
        var moments: [Int64] = []
        var next = due
        while next <= now {
            #expect(!schedule(.all).isSkipped(due: next, now: now))
            moments.append(next.milliseconds - due.milliseconds)
            next = schedule(.all).next(after: next, now: now)
        }
        #expect(moments == [0, minute, 2 * minute, 3 * minute])
        #expect(next == due.adding(milliseconds: 4 * minute))
    }

    @Test func `With last, one run makes up for all and the phase is kept`() {
        let now = due.adding(milliseconds: 3 * minute + 1)
        #expect(!schedule(.last).isSkipped(due: due, now: now))
        #expect(
            schedule(.last).next(after: due, now: now) == due.adding(milliseconds: 4 * minute))
    }

    @Test func `With none, a missed moment is skipped and one that is merely late runs`() {
        let none = schedule(.none)
        #expect(!none.isSkipped(due: due, now: due))
        #expect(!none.isSkipped(due: due, now: due.adding(milliseconds: minute - 1)))
        #expect(none.isSkipped(due: due, now: due.adding(milliseconds: minute)))
        #expect(
            none.next(after: due, now: due.adding(milliseconds: 90 * minute + 5))
                == due.adding(milliseconds: 91 * minute))
    }

    @Test(arguments: [CatchUpPolicy.last, .none])
    func `The next moment is ahead, within one interval and in phase`(policy: CatchUpPolicy) {
        let moments: [Int64] = [0, 1, minute - 1, minute, minute + 1, 5 * minute, 86_400_077]
        for late in moments {
            let now = due.adding(milliseconds: late)
            let ahead = schedule(policy).next(after: due, now: now).milliseconds - now.milliseconds
            #expect((1...minute).contains(ahead), "\(late)")
            #expect((ahead + late) % minute == 0, "\(late)")
        }
    }

    @Test(arguments: [CatchUpPolicy.all, .last, .none])
    func `A clock set back during a run brings no moment twice`(policy: CatchUpPolicy) {
        let next = schedule(policy).next(after: due, now: due.adding(milliseconds: -3_600_000))
        #expect(next == due.adding(milliseconds: minute))
    }

    @Test func `A due moment too far ahead comes back in phase, and never at once`() {
        let schedule = schedule(.last)
        let near: [Int64] = [0, 1, minute, 2 * minute]
        for ahead in near {
            #expect(schedule.corrected(due: due.adding(milliseconds: ahead), now: due) == nil)
        }
        let far: [Int64] = [2 * minute + 1, 3 * minute, 86_400_000, 86_400_001]
        for ahead in far {
            let corrected = schedule.corrected(due: due.adding(milliseconds: ahead), now: due)
            let pause = (corrected?.milliseconds ?? 0) - due.milliseconds
            #expect((1...minute).contains(pause), "\(ahead)")
            #expect((ahead - pause) % minute == 0, "\(ahead)")
        }
    }
}
