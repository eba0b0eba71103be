import CZlib
import EdgeCore

/// zlib's compressor as a body transform.
///
/// What comes in goes out before the call returns (a sync flush), so that an event stream or a slow page is not held
/// back. That costs some five bytes per piece.
final class Deflater: BodyTransform {
    private static let level: Int32 = 5
    /// In the heap, because zlib's state points back to it.
    private let stream: UnsafeMutablePointer<z_stream>

    /// `nil` without memory for it (about 260 KiB), or when there is nothing to do.
    init?(_ coding: ContentCoding) {
        // 15 bits of window; 16 more select gzip's framing instead of zlib's.
        let windowBits: Int32
        switch coding {
        case .identity: return nil
        case .gzip: windowBits = 15 + 16
        // `deflate` is the zlib format (RFC 9110, 8.4.1.2), not a bare deflate stream.
        case .deflate: windowBits = 15
        }
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = deflateInit2_(
            stream, Deflater.level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func transform(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !input.isEmpty else { return }
        run(input, Z_SYNC_FLUSH, &output)
    }

    func finish(into output: inout [UInt8]) {
        run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, &output)
    }

    private func run(_ input: UnsafeRawBufferPointer, _ flush: Int32, _ output: inout [UInt8]) {
        // zlib only reads what next_in points at.
        stream.pointee.next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?
            .assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(input.count)
        repeat {
            let start = output.count
            let room = Int(deflateBound(stream, uLong(stream.pointee.avail_in))) + 64
            output.append(contentsOf: repeatElement(0, count: room))
            output.withUnsafeMutableBufferPointer { buffer in
                stream.pointee.next_out = buffer.baseAddress.map { $0 + start }
                stream.pointee.avail_out = UInt32(room)
                _ = deflate(stream, flush)
            }
            let unused = Int(stream.pointee.avail_out)
            output.removeLast(unused)
            // Room to spare means that zlib has given everything.
            if unused > 0 { break }
        } while true
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
    }
}
