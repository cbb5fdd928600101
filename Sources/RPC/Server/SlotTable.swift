/// The number of a running call on its connection: a place and how often it was used before.
package struct CallID: Hashable, Sendable {
    let index: Int32
    let generation: Int32

    /// The number of the call's stream for the peer; never negative.
    package var streamID: Int64 { Int64(generation) << 32 | Int64(index) }

    init(index: Int32, generation: Int32) {
        self.index = index
        self.generation = generation
    }

    /// Reads a stream's number; nil if none of ours looks like it.
    package init?(streamID: Int64) {
        guard streamID >= 0, streamID & 0x8000_0000 == 0 else { return nil }
        index = Int32(truncatingIfNeeded: streamID & 0x7fff_ffff)
        generation = Int32(truncatingIfNeeded: streamID >> 32)
    }
}

/// Elements in numbered places that are used again; every operation on one is constant in time.
struct SlotTable<Element> {
    private struct Slot {
        var generation: Int32
        var element: Element?
    }

    private var slots: [Slot] = []
    private var free: [Int32] = []

    /// How many elements there are.
    private(set) var count = 0

    /// Takes an element in.
    mutating func insert(_ element: Element) -> CallID {
        count += 1
        if let index = free.popLast() {
            slots[Int(index)].element = element
            return CallID(index: index, generation: slots[Int(index)].generation)
        }
        slots.append(Slot(generation: 0, element: element))
        return CallID(index: Int32(slots.count - 1), generation: 0)
    }

    /// Whether the place still holds what the number was given for.
    private func holds(_ id: CallID) -> Bool {
        Int(id.index) < slots.count && slots[Int(id.index)].generation == id.generation
    }

    /// The element behind a number; nil if it has gone.
    ///
    /// Only an element that is there can be changed. Inlined, because a coroutine whose frame is
    /// not its caller's allocates one for each change.
    subscript(id: CallID) -> Element? {
        @inline(__always) get { holds(id) ? slots[Int(id.index)].element : nil }
        @inline(__always) _modify {
            precondition(holds(id), "a call's number outlived the call")
            yield &slots[Int(id.index)].element
        }
    }

    /// Changes an element that is there; what `change` says, or false if it has gone.
    ///
    /// To do so through the subscript may take memory for the change.
    mutating func change(_ id: CallID, _ change: (inout Element) -> Bool) -> Bool {
        guard holds(id), var element = slots[Int(id.index)].element.take() else { return false }
        defer { slots[Int(id.index)].element = element }
        return change(&element)
    }

    /// Gives an element's place back; nothing happens if it has gone.
    mutating func remove(_ id: CallID) {
        guard holds(id), slots[Int(id.index)].element != nil else { return }
        slots[Int(id.index)].element = nil
        slots[Int(id.index)].generation = (slots[Int(id.index)].generation &+ 1) & .max
        free.append(id.index)
        count -= 1
    }

    /// The numbers of the elements that satisfy a condition.
    func ids(where isWanted: (Element) -> Bool) -> [CallID] {
        var result: [CallID] = []
        for (index, slot) in slots.enumerated() {
            guard let element = slot.element, isWanted(element) else { continue }
            result.append(CallID(index: Int32(index), generation: slot.generation))
        }
        return result
    }
}
