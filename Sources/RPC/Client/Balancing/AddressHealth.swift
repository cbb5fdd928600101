import TollgateKernel

/// Whether an address is given calls, as its answers say.
struct AddressHealth: Equatable {
    /// Why an address is given no calls, as long as there are others.
    enum Absence: Equatable {
        /// It cannot be connected to, or says that it is stopping: a fact.
        case gone
        /// It failed again and again: a judgement, which is never passed on more than half.
        case ejected
    }

    private(set) var absence: Absence?
    /// When it may be asked again, in nanoseconds of the monotonic clock.
    private(set) var retryAt: Int64 = 0
    private(set) var consecutiveFailures = 0
    /// Absences since it last answered well for good; each lasts twice as long.
    private var absences = 0
    private var returnedAt: Int64 = 0

    /// It answered.
    mutating func succeeded(at now: Int64) {
        consecutiveFailures = 0
        absence = nil
        // An address that fails soon after it came back is not forgiven yet.
        if now - returnedAt > Limits.clientForgivenessNanoseconds { absences = 0 }
    }

    /// It failed once more; true if it failed so often that it should be ejected.
    mutating func failed() -> Bool {
        consecutiveFailures += 1
        return absence == nil && consecutiveFailures >= Limits.clientFailuresBeforeEjection
    }

    /// Puts the address aside; `random` is from 0 to 1, so that clients come back apart.
    mutating func leave(_ reason: Absence, at now: Int64, random: Double) {
        // What is known to be gone is not told again by every call that was on its way.
        if absence != nil, now < retryAt { return }
        absence = reason
        absences = min(absences + 1, 16)
        let base = Limits.clientAbsenceNanoseconds << Int64(absences - 1)
        let pause = min(base, Limits.clientAbsenceMaximumNanoseconds)
        retryAt = now + pause / 2 + Int64(Double(pause / 2) * random)
    }

    /// Whether it is to be probed: its time is over.
    func isProbeDue(at now: Int64) -> Bool { absence != nil && now >= retryAt }

    /// It is given calls again.
    mutating func comeBack(at now: Int64) {
        absence = nil
        consecutiveFailures = 0
        returnedAt = now
    }
}
