import Jobs
import Operations
import Testing
import TollgateKernel

@Suite struct LeaseWatchTests {
    private func record(_ token: Int64, _ heartbeat: Int64, holder: String = "a") -> JobRecord {
        JobRecord(
            name: "work", nextDueAt: Timestamp(seconds: 1), fencingToken: token, holder: holder,
            heartbeat: heartbeat)
    }

    @Test func `A lease nobody holds is free`() {
        var watch = LeaseWatch(lease: .seconds(20))
        #expect(watch.look(at: record(3, 4, holder: ""), elapsed: .seconds(1)) == .free)
    }

    @Test func `A lease is silent only after its whole length unchanged under the watcher's eyes`()
    {
        var watch = LeaseWatch(lease: .seconds(20))
        // However long it may have stood before: nobody looked.
        #expect(watch.look(at: record(3, 4), elapsed: .seconds(1_000)) == .held)
        #expect(watch.look(at: record(3, 4), elapsed: .seconds(1_019.999)) == .held)
        #expect(watch.look(at: record(3, 4), elapsed: .seconds(1_020)) == .silent)
    }

    @Test func `A beat starts the watch anew`() {
        var watch = LeaseWatch(lease: .seconds(20))
        #expect(watch.look(at: record(3, 4), elapsed: .seconds(0)) == .held)
        #expect(watch.look(at: record(3, 5), elapsed: .seconds(19)) == .held)
        #expect(watch.look(at: record(3, 5), elapsed: .seconds(38)) == .held)
        #expect(watch.look(at: record(3, 5), elapsed: .seconds(39)) == .silent)
    }

    @Test func `Another holder starts the watch anew, even with the old heartbeat`() {
        var watch = LeaseWatch(lease: .seconds(20))
        #expect(watch.look(at: record(3, 0), elapsed: .seconds(0)) == .held)
        #expect(watch.look(at: record(4, 0, holder: "b"), elapsed: .seconds(20)) == .held)
        #expect(watch.look(at: record(4, 0, holder: "b"), elapsed: .seconds(40)) == .silent)
    }

    @Test func `A lease given back and taken again is watched from the start`() {
        var watch = LeaseWatch(lease: .seconds(20))
        #expect(watch.look(at: record(3, 0), elapsed: .seconds(0)) == .held)
        #expect(watch.look(at: record(3, 0, holder: ""), elapsed: .seconds(10)) == .free)
        #expect(watch.look(at: record(3, 0), elapsed: .seconds(20)) == .held)
    }
}
