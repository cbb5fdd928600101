/// What a run of a job would do, found out without writing anything.
package struct JobPreview: Hashable, Sendable {
    /// One thing the run would do.
    package struct Item: Hashable, Sendable {
        /// What it is about: an order, a hold, a message, a period.
        package var reference: String
        /// What would become of it, such as `would_book`.
        package var result: String

        /// Makes an item.
        package init(reference: String, result: String) {
            self.reference = reference
            self.result = result
        }
    }

    /// What it would do, in the order of the run; at most ``Limits/jobItemsKeptPerRun``.
    package var items: [Item]
    /// What would happen, in a sentence.
    package var summary: String

    /// Makes a preview.
    package init(items: [Item], summary: String) {
        self.items = items
        self.summary = summary
    }
}
