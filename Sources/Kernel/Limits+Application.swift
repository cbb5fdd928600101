extension Limits {
    /// Calls whose money can be under way at once.
    ///
    /// Each needs some kilobytes and a place in the store's queue; beyond this a new call is
    /// refused early instead of waiting in the dark.
    package static let settlementsUnderWay = 4_096

    /// Pauses between attempts to end a hold while the store has no room or no primary.
    ///
    /// The first ones outlast a full queue, all of them the 26 s that a replicated database took to
    /// fail over (docs/SCALING.md): an answer that was delivered is charged. After that the sweeper
    /// ends the hold, in the customer's favour.
    package static let settlementPausesMilliseconds: [Int64] = [
        50, 200, 600, 1_200, 2_400, 4_800, 9_000, 10_000, 10_000,
    ]

    /// How old the cached models, channels and words may be: an operator's change is seen within
    /// a second, and a busy server reads them once a second instead of with each question.
    package static let catalogueAgeMilliseconds: Int64 = 1_000

    /// Providers' keys kept open: more than an operator has channels.
    ///
    /// Past it all are forgotten, and each is opened again when it is needed.
    package static let openedKeys = 1_024

    /// How often the master key's files are read again while something does not open, in
    /// milliseconds: a damaged secret costs a server two small reads in this time, and a server
    /// that was given the new key after a rotation uses it after so long at most.
    package static let masterKeyRereadMilliseconds: Int64 = 3_000

    /// Channels tried for one question: enough to get past a failing provider, few enough that a
    /// question everybody refuses ends soon.
    package static let channelsTriedPerQuestion = 4

    /// Rows a job's transaction touches: keeps it under 5 ms, so that the server's own writes never
    /// wait long for their turn.
    package static let rowsPerJobTransaction = 200

    /// Holds or lots that one transaction of a sweep ends: each touches its account's row, its lots
    /// and its API key, and on PostgreSQL a transaction over many accounts meets the calls of all
    /// of them; over 200 it starved under load.
    package static let itemsPerSweep = 32

    /// Holds or lots in a row that cannot be ended after which a sweep stops: so many have one
    /// cause, and each costs some transactions to find.
    package static let setAsidePerSweep = 100

    /// Accounts in a row that the store had no time for, after which a sweep stops: one may be much
    /// asked for, two mean that the store is away.
    package static let missedInARow = 2

    /// Orders one run of payment-reconcile or order-close looks at.
    package static let ordersPerJobRun = 500

    /// Attempts to send a message to a person before it is given up: with the back-off below about
    /// a day.
    package static let outboxAttempts: Int64 = 12

    /// The longest pause between two attempts to send a message.
    package static let outboxBackOffMilliseconds: Int64 = 4 * 3_600_000

    /// How long received pushes are remembered: the official account re-sends within seconds; a day
    /// also covers a clock that was wrong.
    package static let pushMemoryMilliseconds: Int64 = 86_400_000

    /// How far from our clock a push's timestamp may be (replay protection).
    package static let pushFreshnessMilliseconds: Int64 = 300_000

    /// Hours a rollup run goes forward at most: 400 days after a long stop; the next run goes on.
    package static let rollupHoursPerRun: Int64 = 9_600

    /// Bytes of a device's name in the question to whoever scanned its QR code: a line of a chat.
    package static let shownDeviceBytes = 48

    /// Keys that do not open which one run of sealing anew names: enough to see what they share.
    package static let unreadableKeysTold = 20
}
