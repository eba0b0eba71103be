extension MuxSession {
    /// Sends what the stream's window and the output have room for.
    /// - Parameter isWhole: the bytes are a heartbeat: it shares its frame with no other, and finds room in any output.
    /// - Returns: how many bytes were taken; 0 also for a stream that is over. `writable` follows when it was the
    ///   window that had no room.
    public mutating func send(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer, isWhole: Bool = false) -> Int {
        guard isCurrent(ref), var stream = streams[ref.slot], !stream.localEnded, !stream.isAbandoned else { return 0 }
        // A part of a heartbeat would be echoed as a whole one.
        if isWhole, stream.sendWindow < bytes.count { return 0 }
        var sent = 0
        while sent < bytes.count, isWhole || !isOutputFull {
            let count = min(bytes.count - sent, stream.sendWindow, FrameWriter.largestData)
            guard count > 0 else {
                stream.waitsForCredit = true
                break
            }
            let piece = UnsafeRawBufferPointer(rebasing: bytes[sent..<(sent + count)])
            writer.data(piece, stream: stream.id, flags: stream.isAnnounced ? [] : .syn, isWhole: isWhole)
            stream.isAnnounced = true
            stream.sendWindow -= count
            sent += count
            // A stream that is over at the other side already answers every frame with a reset.
            if noise > 0 { noise -= 1 }
        }
        streams[ref.slot] = stream
        return sent
    }

    /// Ends this side's direction.
    public mutating func finish(_ ref: StreamRef) {
        guard isCurrent(ref), var stream = streams[ref.slot], !stream.localEnded else { return }
        writer.fin(stream: stream.id, flags: stream.isAnnounced ? [] : .syn)
        stream.isAnnounced = true
        stream.localEnded = true
        stream.waitsForCredit = false
        streams[ref.slot] = stream
        if stream.remoteEnded { remove(ref.slot) }
    }

    /// So many received bytes were used up here: the peer may send as many more, soon.
    public mutating func credit(_ ref: StreamRef, _ count: Int, now: UInt64) {
        // Credit for a stream that was given up would only bring more of it.
        guard count > 0, isLive(ref) else { return }
        // In place: this is done for each read, and a copy of the record would be most of its cost.
        let credit = streams[ref.slot]?.window.use(count, now: now, &growth) ?? 0
        guard credit > 0, streams[ref.slot]?.remoteEnded == false else { return }
        writer.number(.credit, stream: ref.id, UInt32(clamping: credit))
    }

    /// Gives a stream up, with whatever is under way.
    ///
    /// With official agents this only ends our direction: an upstream that waits sees the end, and the agent's own end
    /// then tells that the stream's place is free. One that goes on sending is cut off by its next byte (`cutOff`), for
    /// which it gets credit if it has none.
    public mutating func abandon(_ ref: StreamRef, _ code: MuxCode = .cancelled) {
        guard isCurrent(ref), var stream = streams[ref.slot], !stream.isAbandoned else { return }
        guard stream.isAnnounced else { return remove(ref.slot) }
        if isExtended {
            if !(stream.localEnded && stream.remoteEnded) { writer.number(.reset, stream: stream.id, code.rawValue) }
            if !stream.remoteEnded {
                stray.bytes += max(0, stream.window.remaining)
                // Its end, and a reset.
                stray.frames += 2
            }
            return remove(ref.slot)
        }
        if !stream.localEnded { writer.fin(stream: stream.id, flags: []) }
        stream.localEnded = true
        if stream.remoteEnded { return remove(ref.slot) }
        if stream.window.remaining == 0 {
            writer.number(.credit, stream: stream.id, 1)
            stream.window.grant(1)
        }
        stream.isAbandoned = true
        stream.waitsForCredit = false
        abandonedStreams += 1
        streams[ref.slot] = stream
    }

    /// Ends a stream that was given up and still sends. RST alone would wake no official agent (agent-protocol.md 7.6):
    /// credit does, and it then finds that it may not send. Of that nothing is heard; but a byte on a stream that is
    /// over is answered by a reset, which tells that its place is free.
    mutating func cutOff(_ slot: Int) {
        guard var stream = streams[slot], stream.isAbandoned, !stream.isCutOff else { return }
        writer.number(.reset, stream: stream.id, MuxCode.cancelled.rawValue)
        writer.number(.credit, stream: stream.id, 1)
        stream.window.grant(1)
        withUnsafeBytes(of: UInt8(0)) { writer.data($0, stream: stream.id, flags: []) }
        stream.isCutOff = true
        streams[slot] = stream
        // Its end may cross with all this.
        stray.frames += 1
    }
}
