/// Frames on their way out, in one buffer, so that a round of the loop makes one TLS record of them.
struct FrameWriter {
    /// Payload bytes of one DATA frame at most: more would only delay what other streams have to say.
    static let largestData = 64 << 10
    /// Bytes that were taken and still lie in front of the others.
    private static let largestGap = 256 << 10

    private(set) var bytes: [UInt8] = []
    /// Bytes already taken.
    private var head = 0
    /// Where the last frame's header is, if it is a DATA frame that may still be extended.
    private var open: (offset: Int, stream: UInt32)?

    var count: Int { bytes.count - head }

    /// What has been looked at is not changed any more: TLS that could not write it has it encrypted already, and a
    /// header that counts more bytes than it did then would never be sent.
    mutating func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        open = nil
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    }

    mutating func drop(_ count: Int) {
        head += count
        open = nil
        if head == bytes.count {
            // A burst's memory is given back.
            if bytes.capacity > 512 << 10 { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
            head = 0
        } else if head >= Self.largestGap, head >= bytes.count / 2 {
            // A peer that reads more slowly than we write never lets the buffer become empty.
            bytes.removeFirst(head)
            head = 0
        }
    }

    /// Adds bytes to the last frame if it belongs to the same stream, so that a head and its small body leave in one
    /// frame: an agent with Nagle's algorithm towards its upstream takes 44 ms longer for two (agent-protocol.md 0.3).
    ///
    /// - Parameter isWhole: the payload is a message of its own, and no other bytes may share its frame.
    mutating func data(
        _ payload: UnsafeRawBufferPointer, stream: UInt32, flags: FrameHeader.Flags, isWhole: Bool = false
    ) {
        defer { if isWhole { open = nil } }
        if flags.isEmpty, !isWhole, let open, open.stream == stream {
            let header = self.header(at: open.offset)
            if header.length + payload.count <= Self.largestData {
                bytes.append(contentsOf: payload)
                return setHeader(
                    FrameHeader(.data, flags: header.flags, stream: stream, length: header.length + payload.count),
                    at: open.offset)
            }
        }
        open = (bytes.count, stream)
        append(FrameHeader(.data, flags: flags, stream: stream, length: payload.count))
        bytes.append(contentsOf: payload)
    }

    /// Ends a stream's direction, by the last frame if that is its own.
    mutating func fin(stream: UInt32, flags: FrameHeader.Flags) {
        if flags.isEmpty, let open, open.stream == stream {
            var header = self.header(at: open.offset)
            header.flags.insert(.fin)
            setHeader(header, at: open.offset)
        } else {
            append(FrameHeader(.data, flags: flags.union(.fin), stream: stream, length: 0))
        }
        open = nil
    }

    /// A frame whose payload is one number: RST and WNDINC.
    mutating func number(_ kind: FrameHeader.Kind, stream: UInt32, _ value: UInt32) {
        open = nil
        append(FrameHeader(kind, stream: stream, length: 4))
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func goAway(last: UInt32, _ code: MuxCode) {
        open = nil
        append(FrameHeader(.goAway, stream: 0, length: 8))
        withUnsafeBytes(of: last.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: code.rawValue.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ header: FrameHeader) {
        withUnsafeBytes(of: header.word.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private func header(at offset: Int) -> FrameHeader {
        bytes.withUnsafeBytes {
            FrameHeader(word: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
    }

    private mutating func setHeader(_ header: FrameHeader, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: header.word.bigEndian, toByteOffset: offset, as: UInt64.self) }
    }
}
