/// Writes into memory reserved at the end of an array; what is not written is given back.
///
/// Cheaper than one `append` per part: one check of the array for a whole head. Bytes beyond the capacity are a fault
/// of the caller's sum and stop the program rather than the memory's neighbour.
struct ByteWriter {
    private let base: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    private(set) var count = 0

    /// Runs `body` with a writer for at most `capacity` bytes.
    @inline(__always)
    static func append(to output: inout [UInt8], upTo capacity: Int, _ body: (inout ByteWriter) -> Void) {
        output.append(addingCapacity: capacity) { span in
            span.withUnsafeMutableBufferPointer { free, written in
                guard let base = free.baseAddress, free.count >= capacity else { return }
                var writer = ByteWriter(base: base, capacity: capacity)
                body(&writer)
                written = writer.count
            }
        }
    }

    private init(base: UnsafeMutablePointer<UInt8>, capacity: Int) {
        self.base = base
        self.capacity = capacity
    }

    @inline(__always)
    mutating func write(_ source: UnsafePointer<UInt8>, count added: Int) {
        precondition(added >= 0 && added <= capacity &- count, "the sum of a head's parts is wrong")
        (base + count).update(from: source, count: added)
        count &+= added
    }

    @inline(__always)
    mutating func write(_ text: StaticString) { write(text.utf8Start, count: text.utf8CodeUnitCount) }

    @inline(__always)
    mutating func write(_ byte: UInt8) {
        precondition(count < capacity, "the sum of a head's parts is wrong")
        base[count] = byte
        count &+= 1
    }

    mutating func writeDecimal(_ value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            write(0x30 &+ UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    mutating func writeHex(_ value: UInt64) {
        var shift = max(0, (63 - value.leadingZeroBitCount) & ~3)
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
            write(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
            shift -= 4
        }
    }
}
