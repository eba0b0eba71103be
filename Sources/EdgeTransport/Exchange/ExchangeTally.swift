import EdgeCore

/// Counts one exchange or connection in every slot that it went through: region, edge, route, backends.
struct ExchangeTally {
    private var slots = InlineArray<16, Int32>(repeating: -1)
    private var count = 0
    var status = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    var isAborted = false

    mutating func begin(_ service: LoopService, regionSlot: Int32, bytesIn: UInt64) {
        count = 0
        status = 0
        self.bytesIn = bytesIn
        bytesOut = 0
        isAborted = false
        add(regionSlot, service)
    }

    mutating func add(_ slot: Int32, _ service: LoopService) {
        guard count < slots.count else { return }
        slots[count] = slot
        count += 1
        service.count(slot) { $0.started &+= 1 }
    }

    /// Adds the backends that were chosen, each once: a request tried again on a fresh connection is one request.
    mutating func add(_ path: SelectionPath, _ service: LoopService) {
        for index in 0..<path.count where !contains(path.slots[index]) { add(path.slots[index], service) }
    }

    private func contains(_ slot: Int32) -> Bool {
        for index in 0..<count where slots[index] == slot { return true }
        return false
    }

    /// Counts what a long transfer has moved so far, every 256 KiB: a download of a minute is not one burst at its end.
    @inline(__always)
    mutating func spill(_ service: LoopService) {
        if bytesIn &+ bytesOut >= 256 << 10 { moveBytes(service) }
    }

    private mutating func moveBytes(_ service: LoopService) {
        for index in 0..<count {
            service.count(slots[index]) { counters in
                counters.bytesIn &+= bytesIn
                counters.bytesOut &+= bytesOut
            }
        }
        bytesIn = 0
        bytesOut = 0
    }

    /// - Parameter microseconds: from the request's head to the answer's end; `nil` where that says nothing.
    mutating func end(_ service: LoopService, microseconds: UInt64?) {
        for index in 0..<count {
            service.count(slots[index]) { counters in
                counters.ended &+= 1
                if isAborted { counters.aborted &+= 1 } else if status != 0 { counters.count(status: status) }
                counters.bytesIn &+= bytesIn
                counters.bytesOut &+= bytesOut
            }
            if let microseconds { service.record(slots[index], microseconds: microseconds) }
        }
        count = 0
    }
}
