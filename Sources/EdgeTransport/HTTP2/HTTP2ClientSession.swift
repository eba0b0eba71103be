import CNghttp2
import EdgeCore

/// What an upstream's frames say. Called while bytes are received: must only take note.
protocol HTTP2ClientEvents: AnyObject {
    func answerHead(_ head: MessageHead, endsStream: Bool)
    func answerBody(_ bytes: UnsafeRawBufferPointer)
    func answerEnded(trailers: MessageHead?, isClean: Bool)
}

/// nghttp2's client session in Swift's terms, for one exchange after the other: bytes in, events out; requests in, bytes
/// out. No socket, no clock.
final class HTTP2ClientSession {
    unowned(unsafe) var events: (any HTTP2ClientEvents)?
    private var session: OpaquePointer?
    private var stream: Int32 = 0
    private var body = ByteQueue()
    private var bodyEnded = false
    private var isDeferred = false
    private let head = MessageHead()
    private var headBytes = 0
    private let maxHeadBytes: Int
    private var hasHead = false

    init?(maxHeadBytes: Int) {
        self.maxHeadBytes = maxHeadBytes
        var option: OpaquePointer?
        guard nghttp2_option_new(&option) == 0 else { return nil }
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_max_outbound_ack(option, 256)
        nghttp2_option_set_max_settings(option, 16)
        nghttp2_option_set_no_closed_streams(option, 1)
        let me = Unmanaged.passUnretained(self).toOpaque()
        guard nghttp2_session_client_new2(&session, Self.callbacks, me, option) == 0 else { return nil }
        var settings = [
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: 256 << 10),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: UInt32(maxHeadBytes)),
        ]
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &settings, settings.count)
        nghttp2_session_set_local_window_size(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, 1 << 20)
    }

    deinit { nghttp2_session_del(session) }

    /// Whether the upstream takes another request on this connection.
    var mayRequest: Bool { nghttp2_session_check_request_allowed(session) != 0 }
    var queuedBody: Int { body.count }

    /// - Returns: whether the connection may go on.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count) == bytes.count
    }

    /// The next bytes for the upstream, valid until the next call; `nil` when there are none now.
    func nextOutput() -> UnsafeRawBufferPointer? {
        var data: UnsafePointer<UInt8>?
        let count = nghttp2_session_mem_send(session, &data)
        guard count > 0 else { return nil }
        return UnsafeRawBufferPointer(start: data, count: count)
    }

    // MARK: Requests

    /// - Returns: whether the request could be begun.
    func submit(_ request: MessageHead, hasBody: Bool) -> Bool {
        guard mayRequest else { return false }
        body.removeAll()
        bodyEnded = false
        isDeferred = false
        hasHead = false
        var block = FieldBlock()
        block.append(":method", request, request.method)
        block.append(":scheme", "https")
        block.append(":authority", request, request.value(.host) ?? request.host)
        block.append(":path", request, request.target)
        for field in request.fields where !field.id.isHopByHop && field.id != .host {
            block.append(request, field)
        }
        // Upstreams that need trailers (gRPC) look for it; whoever does not send any ignores it.
        block.append("te", "trailers")
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, _, buffer, length, flags, _, me in
            guard let buffer, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
            return HTTP2ClientSession.of(me).fill(
                UnsafeMutableRawBufferPointer(start: buffer, count: length), &flags.pointee)
        }
        stream = block.withFields { fields in
            guard hasBody else {
                return nghttp2_submit_request(session, nil, fields.baseAddress, fields.count, nil, nil)
            }
            return nghttp2_submit_request(session, nil, fields.baseAddress, fields.count, &provider, nil)
        }
        return stream > 0
    }

    func queueBody(_ bytes: UnsafeRawBufferPointer) {
        body.append(bytes)
        resume()
    }

    func endBody() {
        bodyEnded = true
        resume()
    }

    private func resume() {
        guard isDeferred else { return }
        isDeferred = false
        nghttp2_session_resume_data(session, stream)
    }

    private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ flags: inout UInt32) -> Int {
        let count = min(buffer.count, body.count)
        guard count > 0 || bodyEnded else {
            isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        body.withBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
        body.drop(count)
        if body.isEmpty, bodyEnded { flags |= NGHTTP2_DATA_FLAG_EOF.rawValue }
        return count
    }

    // MARK: Answers

    private func field(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
        headBytes += name.count + value.count + 32
        guard headBytes <= maxHeadBytes else { return false }
        if name.first == UInt8(ascii: ":") {
            head.status = Int(String(decoding: value, as: UTF8.self)) ?? 0
            return (100...599).contains(head.status)
        }
        let id = FieldName(name)
        guard !HTTP2FieldRules.isForbidden(id, value: value) else { return false }
        head.append(name: name, value: value, id: id)
        return true
    }

    private func received(_ frame: nghttp2_frame) {
        let ends = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        guard frame.hd.stream_id == stream else { return }
        if UInt32(frame.hd.type) == NGHTTP2_HEADERS.rawValue {
            if hasHead {
                events?.answerEnded(trailers: head.fields.isEmpty ? nil : head, isClean: true)
            } else {
                hasHead = head.status >= 200
                events?.answerHead(head, endsStream: ends)
            }
        }
        if ends { events?.answerEnded(trailers: nil, isClean: true) }
    }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> HTTP2ClientSession {
        Unmanaged<HTTP2ClientSession>.fromOpaque(pointer!).takeUnretainedValue()
    }

    nonisolated(unsafe) private static let callbacks: OpaquePointer? = {
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, _, me in
            of(me).head.reset()
            of(me).headBytes = 0
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, me in
            let accepted = of(me).field(
                UnsafeBufferPointer(start: name, count: nameCount),
                UnsafeBufferPointer(start: value, count: valueCount))
            return accepted ? 0 : Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, me in
            if let frame { of(me).received(frame.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, count, me in
            of(me).events?.answerBody(UnsafeRawBufferPointer(start: data, count: count))
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, error, me in
            guard stream == of(me).stream else { return 0 }
            of(me).events?.answerEnded(trailers: nil, isClean: error == UInt32(NGHTTP2_NO_ERROR.rawValue))
            return 0
        }
        return callbacks
    }()
}

/// Fields in nghttp2's form, with their bytes in one place until they are submitted.
private struct FieldBlock {
    private var bytes: [UInt8] = []
    private var parts: [(name: Range<Int>, value: Range<Int>)] = []

    mutating func append(_ name: StaticString, _ value: StaticString) {
        parts.append((name.withUTF8Buffer { add($0) }, value.withUTF8Buffer { add($0) }))
    }

    mutating func append(_ name: StaticString, _ head: MessageHead, _ value: MessageHead.Slice) {
        parts.append((name.withUTF8Buffer { add($0) }, head.withBytes(value) { add($0) }))
    }

    mutating func append(_ head: MessageHead, _ field: MessageHead.Field) {
        parts.append((head.withBytes(field.name) { add($0) }, head.withBytes(field.value) { add($0) }))
    }

    private mutating func add(_ more: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        bytes.append(contentsOf: more)
        return (bytes.count - more.count)..<bytes.count
    }

    /// nghttp2 copies them, and lower-cases the names.
    mutating func withFields<R>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> R) -> R {
        bytes.withUnsafeMutableBufferPointer { bytes in
            let fields = parts.map { part in
                nghttp2_nv(
                    name: bytes.baseAddress.map { $0 + part.name.lowerBound },
                    value: bytes.baseAddress.map { $0 + part.value.lowerBound }, namelen: part.name.count,
                    valuelen: part.value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
            }
            return fields.withUnsafeBufferPointer(body)
        }
    }
}
