/// What keeps holds of different customers out of each other's way.
extension Schema {
    static let spreadHolds = Migration(
        number: 19, name: "holds spread for lookups",
        steps: [
            // Every hold is inserted at the end of the primary key. There each reservation's
            // foreign key looks its hold up, and each settlement reads and writes its own.
            .spread("holds", column: "id")
        ])
}
