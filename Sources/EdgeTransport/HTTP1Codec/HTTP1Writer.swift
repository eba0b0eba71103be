import EdgeCore

/// Writes heads and chunk framing of HTTP/1.1. Everything is appended to the caller's buffer.
enum HTTP1Writer {
    /// Appends a request head for an upstream: HTTP/1.1, `host` first, the framing field that `framing` asks for, and
    /// no hop-by-hop field but our own. An empty `host` goes out when there is none (RFC 9112, 3.2).
    /// - Parameters:
    ///   - isUpgrade: sends `connection: upgrade` and the head's `upgrade` field on.
    ///   - keepAlive: `false` adds `connection: close`.
    static func requestHead(
        _ head: MessageHead, framing: BodyFraming, isUpgrade: Bool = false, keepAlive: Bool = true,
        into output: inout [UInt8]
    ) {
        head.bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            head.fields.withUnsafeBufferPointer { fields in
                let parts = HeadParts(base: base, count: bytes.count, fields: fields)
                let line = Int(head.method.count) + Int(head.target.count) + Int(head.host.count)
                ByteWriter.append(to: &output, upTo: parts.bound + line + fixedBytes) { writer in
                    parts.write(head.method, to: &writer)
                    writer.write(ByteScan.space)
                    parts.write(head.target, to: &writer)
                    writer.write(" HTTP/1.1\r\nhost: ")
                    parts.write(parts.first(.host)?.value ?? head.host, to: &writer)
                    writer.write("\r\n")
                    parts.writeFields(to: &writer)
                    writeFraming(framing, to: &writer)
                    writeConnection(parts, isUpgrade: isUpgrade, keepAlive: keepAlive, isHTTP10: false, to: &writer)
                    writer.write("\r\n")
                }
            }
        }
    }

    /// Appends an answer's head for a client (interim answers too: framing `none`).
    ///
    /// `framing` is that of the bytes the caller will write: pass `upstreamFraming.towardsClient(isHTTP10:)`.
    /// With `none`, `content-length` passes through on an answer to HEAD and on 304, and is 0 where one is due.
    /// `untilClose` needs `keepAlive: false`, and gets it.
    static func responseHead(
        _ head: MessageHead, framing: BodyFraming, isHTTP10: Bool = false, keepAlive: Bool = true,
        isUpgrade: Bool = false, requestWasHead: Bool = false, into output: inout [UInt8]
    ) {
        let status = head.status
        let framing = framing == .chunked && isHTTP10 ? .untilClose : framing
        let keepAlive = keepAlive && framing != .untilClose
        head.bytes.withUnsafeBufferPointer { bytes in
            head.fields.withUnsafeBufferPointer { fields in
                guard let base = bytes.baseAddress ?? UnsafePointer(continueAnswer.utf8Start) else { return }
                let parts = HeadParts(base: base, count: bytes.count, fields: fields)
                ByteWriter.append(to: &output, upTo: parts.bound + fixedBytes) { writer in
                    writeStatusLine(status, to: &writer)
                    parts.writeFields(to: &writer)
                    if framing == .none {
                        writeLengthWithoutBody(parts, status: status, requestWasHead: requestWasHead, to: &writer)
                    } else {
                        writeFraming(framing, to: &writer)
                    }
                    // An interim answer says nothing of the connection: the final one will.
                    if status >= 200 || isUpgrade {
                        writeConnection(
                            parts, isUpgrade: isUpgrade, keepAlive: keepAlive, isHTTP10: isHTTP10, to: &writer)
                    }
                    writer.write("\r\n")
                }
            }
        }
    }

    /// `HTTP/1.1 status reason` and CRLF.
    static func statusLine(_ status: Int, into output: inout [UInt8]) {
        ByteWriter.append(to: &output, upTo: 80) { writeStatusLine(status, to: &$0) }
    }

    /// `name: value` and CRLF. The value must hold no CR, LF or NUL.
    static func field(_ name: StaticString, _ value: String, into output: inout [UInt8]) {
        append(name, to: &output)
        append(": ", to: &output)
        output.append(contentsOf: value.utf8)
        append("\r\n", to: &output)
    }

    /// The line before a chunk of `count` bytes (more than 0: none ends the body). After the chunk comes `chunkEnd`.
    static func chunkHeader(_ count: Int, into output: inout [UInt8]) {
        precondition(count > 0, "an empty chunk would end the body")
        ByteWriter.append(to: &output, upTo: 18) { writer in
            writer.writeHex(UInt64(count))
            writer.write("\r\n")
        }
    }

    /// CRLF.
    static func chunkEnd(into output: inout [UInt8]) { append("\r\n", to: &output) }

    /// The last chunk, trailers if any, and the empty line.
    static func lastChunk(trailers: MessageHead? = nil, into output: inout [UInt8]) {
        append("0\r\n", to: &output)
        trailers?.bytes.withUnsafeBufferPointer { bytes in
            trailers?.fields.withUnsafeBufferPointer { fields in
                guard let base = bytes.baseAddress else { return }
                let parts = HeadParts(base: base, count: bytes.count, fields: fields)
                ByteWriter.append(to: &output, upTo: parts.bound) { parts.writeFields(to: &$0) }
            }
        }
        append("\r\n", to: &output)
    }

    static func appendDecimal(_ value: UInt64, into output: inout [UInt8]) {
        ByteWriter.append(to: &output, upTo: 20) { $0.writeDecimal(value) }
    }

    /// Lower case, without leading zeros.
    static func appendHex(_ value: UInt64, into output: inout [UInt8]) {
        ByteWriter.append(to: &output, upTo: 16) { $0.writeHex(value) }
    }

    /// More than all the texts of the writer's own in one head: start line, length, connection.
    private static let fixedBytes = 256

    /// `HTTP/1.1 100 Continue` with its empty line.
    static let continueAnswer: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Appends a text that was written down in the program.
    static func append(_ text: StaticString, to output: inout [UInt8]) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension HTTP1Writer {
    private static func writeStatusLine(_ status: Int, to writer: inout ByteWriter) {
        if status == 200 { return writer.write("HTTP/1.1 200 OK\r\n") }
        writer.write("HTTP/1.1 ")
        writer.writeDecimal(UInt64(min(max(status, 100), 999)))
        writer.write(ByteScan.space)
        writer.write(reason(status))
        writer.write("\r\n")
    }

    private static func writeFraming(_ framing: BodyFraming, to writer: inout ByteWriter) {
        switch framing {
        case .none, .untilClose: break
        case .chunked: writer.write("transfer-encoding: chunked\r\n")
        case .length(let length): writeLength(length, to: &writer)
        }
    }

    private static func writeLength(_ length: UInt64, to writer: inout ByteWriter) {
        writer.write("content-length: ")
        writer.writeDecimal(length)
        writer.write("\r\n")
    }

    /// An answer without a body: what it would have had (HEAD, 304), nothing (1xx, 204), or 0 (RFC 9110, 8.6).
    private static func writeLengthWithoutBody(
        _ parts: HeadParts, status: Int, requestWasHead: Bool, to writer: inout ByteWriter
    ) {
        if status < 200 || status == 204 { return }
        guard requestWasHead || status == 304 else { return writeLength(0, to: &writer) }
        guard let value = parts.first(.contentLength)?.value,
            let length = ByteScan.decimal(parts.base, Int(value.start), Int(value.count))
        else { return }
        writeLength(length, to: &writer)
    }

    private static func writeConnection(
        _ parts: HeadParts, isUpgrade: Bool, keepAlive: Bool, isHTTP10: Bool, to writer: inout ByteWriter
    ) {
        if isUpgrade, let upgrade = parts.first(.upgrade) {
            writer.write("connection: upgrade\r\nupgrade: ")
            parts.write(upgrade.value, to: &writer)
            writer.write("\r\n")
        } else if !keepAlive {
            writer.write("connection: close\r\n")
        } else if isHTTP10 {
            writer.write("connection: keep-alive\r\n")
        }
    }
}

/// A head's bytes and fields, for writing.
private struct HeadParts {
    let base: UnsafePointer<UInt8>
    let count: Int
    let fields: UnsafeBufferPointer<MessageHead.Field>

    /// What all fields take at most, each with colon, space and CRLF, and with `upgrade` and `host` written anew.
    var bound: Int {
        var sum = 0
        for field in fields { sum &+= Int(field.name.count) &+ Int(field.value.count) &+ 4 }
        return sum
    }

    func first(_ id: FieldName) -> MessageHead.Field? {
        for field in fields where field.id == id { return field }
        return nil
    }

    @inline(__always)
    func write(_ slice: MessageHead.Slice, to writer: inout ByteWriter) {
        let (start, length) = (Int(slice.start), Int(slice.count))
        precondition(start >= 0 && length >= 0 && start &+ length <= count, "a part lies outside its head")
        writer.write(base + start, count: length)
    }

    /// Every field but those the writer decides about: host, framing, hop-by-hop. Lines that lie one after the other
    /// in the store, as `name: value CRLF`, go in one piece.
    @inline(__always)
    func writeFields(to writer: inout ByteWriter) {
        var runStart = 0
        var runEnd = 0
        for field in fields {
            if field.id == .host || field.id == .contentLength || (field.id != .other && field.id.isHopByHop) {
                continue
            }
            if let end = lineEnd(field) {
                if Int(field.name.start) != runEnd {
                    writer.write(base + runStart, count: runEnd &- runStart)
                    runStart = Int(field.name.start)
                }
                runEnd = end
            } else {
                writer.write(base + runStart, count: runEnd &- runStart)
                (runStart, runEnd) = (0, 0)
                write(field.name, to: &writer)
                writer.write(": ")
                write(field.value, to: &writer)
                writer.write("\r\n")
            }
        }
        writer.write(base + runStart, count: runEnd &- runStart)
    }

    /// The end of the line that the field makes up in the store; `nil` when it is not stored as one.
    @inline(__always)
    private func lineEnd(_ field: MessageHead.Field) -> Int? {
        let nameEnd = Int(field.name.start) &+ Int(field.name.count)
        let valueEnd = Int(field.value.start) &+ Int(field.value.count)
        guard field.name.start >= 0, field.name.count >= 0, field.value.count >= 0,
            Int(field.value.start) == nameEnd &+ 2, valueEnd &+ 2 <= count,
            base[nameEnd] == UInt8(ascii: ":"), base[nameEnd &+ 1] == ByteScan.space,
            base[valueEnd] == ByteScan.carriageReturn, base[valueEnd &+ 1] == ByteScan.lineFeed
        else { return nil }
        return valueEnd &+ 2
    }
}
