import Accounts
import Application
import Foundation
import Storage
import TollgateKernel

/// A store with a long history: every movement was made by the ledger itself, so it is as true as
/// one that people made.
///
/// Chats make it: one in twenty is free (its transfer has no customer), one in fifty is released
/// without a charge, each of the others is charged less than it reserved.
struct LargeLedger: Sendable {
    /// What stands in it.
    struct Size: Sendable {
        /// Transfers, the grants of the beginning included.
        var transfers: Int
        /// The customers they belong to.
        var accounts: Int
    }

    /// Makes a store of about so many transfers in a folder that exists.
    ///
    /// - Parameter progress: Told how many there are, now and then.
    static func make(
        folder: String, _ size: Size, progress: @escaping @Sendable (Int) -> Void
    ) async throws {
        let seeded = try await SeededStore.make(folder: folder, accounts: size.accounts)
        let identifiers = TimeSortedIdentifiers()
        let began = SystemClock().now()
        try await SeededStore.withStore(folder) { store in
            var done = seeded.transfers
            var number = 0
            while done < size.transfers {
                // Writes go to their end whatever becomes of who asked: it is noticed here.
                try Task.checkCancellation()
                let first = number
                let last = min(first + Limits.benchChatsPerWrite, first + size.transfers - done)
                number = last
                done += try await store.write { tx in
                    let ledger = Ledger(
                        tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                    var transfers = 0
                    for number in first..<last {
                        // One a millisecond: a history has its own time.
                        let now = began.adding(milliseconds: Int64(number))
                        // A stride, so that an account's rows lie apart as they do in life.
                        let account = seeded.accounts[
                            number &* 7_919 % seeded.accounts.count]
                        if try chat(number, of: account, ledger, at: now) { transfers += 1 }
                    }
                    return transfers
                }
                progress(done)
            }
        }
        try SeededStore.fold("\(folder)/store.sqlite")
    }

    /// One chat from its hold to its end; whether a transfer came of it.
    private static func chat(
        _ number: Int, of account: AccountID, _ ledger: Ledger, at now: Timestamp
    ) throws -> Bool {
        let isFree = number.isMultiple(of: 20)
        let hold = try ledger.hold(
            HoldRequest(
                account: account, requestID: IdempotencyKey(rawValue: "chat-\(number)"),
                requestHash: SeededStore.digest(Int64(number)), source: isFree ? .trial : .credits,
                amount: Credits(micro: 20_000), trialDay: isFree ? ShanghaiDay(now) : nil,
                trialLimit: .max, expiresAt: now.adding(milliseconds: 900_000)),
            at: now)
        if number % 50 == 7 {
            _ = try ledger.release(hold.id, as: .released, at: now)
            return false
        }
        let price = Credits(micro: Int64(1 + number &* 31 % 20_000))
        _ = try ledger.settle(hold, price: price, at: now)
        return true
    }
}
