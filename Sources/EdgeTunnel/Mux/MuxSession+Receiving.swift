extension MuxSession {
    /// How many frames that move nothing a peer may send before it is taken for one that means harm.
    private static let maximumNoise = 10_000

    /// Reads on until something has happened that the caller must know.
    /// - Returns: `nil` when the bytes are used up.
    /// - Throws: what ends the session; nothing may be read after it.
    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(MuxViolation) -> MuxEvent? {
        while true {
            switch reader.next(bytes, &offset) {
            case .blocked: return nil
            case .header(let header):
                if let event = try begin(header) { return event }
            case .payload(let range):
                if let event = try take(bytes, range) { return event }
            case .end:
                if let event = try end() { return event }
            }
        }
    }

    private mutating func begin(_ header: FrameHeader) throws(MuxViolation) -> MuxEvent? {
        guard !isUnread else { throw .noise }
        guard let kind = header.kind else { throw .unknownFrame }
        switch kind {
        case .data: return try beginData(header)
        case .reset, .credit:
            guard header.length == 4, header.stream != 0 else { throw .malformedFrame }
            current = .number(kind, id: header.stream, value: 0)
            return nil
        // Whatever it says: official agents write its length wrongly, so that nothing behind it can be found.
        case .goAway:
            guard !isExtended || (header.stream == 0 && header.length >= 8) else { throw .malformedFrame }
            isGoingAway = true
            current = .ignored
            return .goAway(.none)
        }
    }

    private mutating func beginData(_ header: FrameHeader) throws(MuxViolation) -> MuxEvent? {
        let id = header.stream
        let isFin = header.flags.contains(.fin)
        if header.flags.contains(.syn) {
            let ref = try accept(id)
            current = .data(slot: ref.slot, id: id, isFin: isFin)
            return .opened(ref)
        }
        guard let slot = slots[id] else {
            guard wasOpen(id) else { throw .streamIdentifier }
            current = .ignored
            try countStray(header.length)
            // An empty last frame crosses with an end of ours in all innocence; other bytes have no stream to go to.
            if header.length > 0, !isExtended {
                writer.number(.reset, stream: id, MuxCode.streamClosed.rawValue)
            }
            return nil
        }
        guard streams[slot]?.remoteEnded == false else {
            // As harmless as on a stream that is over for both sides.
            guard header.length == 0 else { throw .malformedFrame }
            current = .ignored
            try countNoise()
            return nil
        }
        if header.length == 0, !isFin { try countNoise() }
        current = .data(slot: slot, id: id, isFin: isFin)
        return nil
    }

    private mutating func accept(_ id: UInt32) throws(MuxViolation) -> StreamRef {
        guard id != 0, !isOwn(id), id > highestPeerID else { throw .streamIdentifier }
        guard inboundCount < limits.inbound, slots.count < limits.streams + limits.inbound else {
            throw .tooManyStreams
        }
        highestPeerID = id
        return add(id, isInbound: true)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(MuxViolation) -> MuxEvent? {
        switch current {
        case .data(let slot, let id, _):
            // The stream may have been given up while its frame was arriving.
            guard streams[slot]?.id == id else { return nil }
            guard streams[slot]?.window.receive(range.count) == true else { throw .windowOverrun }
            if noise > 0 { noise -= 1 }
            guard streams[slot]?.isAbandoned == true else { return .data(StreamRef(slot: slot, id: id), range) }
            cutOff(slot)
            return nil
        case .number(let kind, let id, var value):
            for byte in bytes[range] { value = value << 8 | UInt32(byte) }
            current = .number(kind, id: id, value: value)
            return nil
        case .none, .ignored: return nil
        }
    }

    private mutating func end() throws(MuxViolation) -> MuxEvent? {
        defer { current = .none }
        switch current {
        case .data(let slot, let id, let isFin):
            guard isFin, streams[slot]?.id == id else { return nil }
            return remoteEnd(StreamRef(slot: slot, id: id))
        case .number(.reset, let id, let value): return try reset(id, MuxCode(rawValue: value))
        case .number(_, let id, let value): return try credited(id, value & 0x7FFF_FFFF)
        case .none, .ignored: return nil
        }
    }

    private mutating func remoteEnd(_ ref: StreamRef) -> MuxEvent? {
        streams[ref.slot]?.remoteEnded = true
        let isAbandoned = streams[ref.slot]?.isAbandoned == true
        if streams[ref.slot]?.localEnded == true { remove(ref.slot) }
        return isAbandoned ? nil : .ended(ref)
    }

    private mutating func reset(_ id: UInt32, _ code: MuxCode) throws(MuxViolation) -> MuxEvent? {
        guard let slot = slots[id] else {
            guard wasOpen(id) else { throw .streamIdentifier }
            try countStray(0)
            return nil
        }
        let isAbandoned = streams[slot]?.isAbandoned == true
        remove(slot)
        return isAbandoned ? nil : .reset(StreamRef(slot: slot, id: id), code)
    }

    private mutating func credited(_ id: UInt32, _ value: UInt32) throws(MuxViolation) -> MuxEvent? {
        guard let slot = slots[id], var stream = streams[slot] else {
            guard wasOpen(id) else { throw .streamIdentifier }
            // Credit that crosses with a stream's end is the rule: official agents give it for every read.
            return nil
        }
        // Official agents do no sums here, so neither is a surplus theirs to give: it could not be used up anyway.
        stream.sendWindow = min(stream.sendWindow + Int(value), 1 << 30)
        stream.credited &+= UInt64(value)
        let wakes = stream.waitsForCredit && stream.sendWindow > 0
        if wakes { stream.waitsForCredit = false }
        streams[slot] = stream
        return wakes ? .writable(StreamRef(slot: slot, id: id)) : nil
    }

    /// A frame for a stream that is over. Those that were under way when we reset it are nobody's fault.
    private mutating func countStray(_ length: Int) throws(MuxViolation) {
        if length > 0, length <= stray.bytes {
            stray.bytes -= length
        } else if length == 0, stray.frames > 0 {
            stray.frames -= 1
        } else {
            try countNoise()
        }
    }

    private mutating func countNoise() throws(MuxViolation) {
        noise += 1
        guard noise <= Self.maximumNoise else { throw .noise }
    }
}
