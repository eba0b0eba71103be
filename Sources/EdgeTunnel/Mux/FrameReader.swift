/// Takes frames out of a byte stream without keeping payloads: a header's bytes are put together, and what follows is
/// handed on in the pieces in which it arrived. So a frame of 16 MiB costs no more memory than one of 16 bytes.
struct FrameReader {
    enum Step: Equatable {
        case header(FrameHeader)
        /// Bytes of the present frame's payload, as a range of the buffer. Never empty.
        case payload(Range<Int>)
        /// The present frame is complete.
        case end
        /// More bytes are needed.
        case blocked
    }

    private enum State {
        case header(bytes: Int, word: UInt64)
        case payload(left: Int)
    }

    private var state = State.header(bytes: 0, word: 0)

    init() {}

    @inline(__always)
    mutating func next(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> Step {
        switch state {
        case .payload(0):
            state = .header(bytes: 0, word: 0)
            return .end
        case .payload(let left):
            let count = min(left, bytes.count - offset)
            guard count > 0 else { return .blocked }
            defer { offset += count }
            state = .payload(left: left - count)
            return .payload(offset..<(offset + count))
        case .header(let have, let word): return header(bytes, &offset, have, word)
        }
    }

    private mutating func header(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ have: Int, _ partial: UInt64
    ) -> Step {
        var word = partial
        if have == 0, bytes.count - offset >= FrameHeader.size {
            word = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += FrameHeader.size
        } else {
            var have = have
            while have < FrameHeader.size {
                guard offset < bytes.count else {
                    state = .header(bytes: have, word: word)
                    return .blocked
                }
                word = word << 8 | UInt64(bytes[offset])
                offset += 1
                have += 1
            }
        }
        let header = FrameHeader(word: word)
        state = .payload(left: header.length)
        return .header(header)
    }
}
