package import Application

/// A store as whoever opened it sees it: beside its transactions it has a state and an end.
package protocol OpenedStore: Store {
    /// Whether the store takes writes.
    var health: StoreHealth { get }
    /// Writes that wait.
    var backlog: Int { get }
    /// Refuses new work, settles what waits, then closes every connection.
    func close() async
}
