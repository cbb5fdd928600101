/// A read that waiting calls lie in: its memory counts until the last of them has ended.
///
/// Made only for calls that wait, and one for all that came together: whatever is answered at once
/// costs nothing here.
final class PinnedRead: Sendable {
    private let bytes: Int
    private let edge: ServerEdge

    init(_ bytes: Int, in edge: ServerEdge) {
        self.bytes = bytes
        self.edge = edge
        edge.notePinned(bytes)
    }

    deinit { edge.notePinned(-bytes) }
}
