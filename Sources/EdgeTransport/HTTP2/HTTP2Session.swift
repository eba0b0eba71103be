import CNghttp2

/// What nghttp2 tells of one connection's frames.
protocol HTTP2SessionEvents: AnyObject {
    func requestBegins(_ stream: Int32) -> Bool
    /// `false` refuses the stream.
    func requestField(_ stream: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool
    func requestHeadEnded(_ stream: Int32, endOfStream: Bool)
    func requestBody(_ stream: Int32, _ bytes: UnsafeRawBufferPointer)
    func requestEnded(_ stream: Int32)
    func streamClosed(_ stream: Int32, error: UInt32)
    func controlFrame(isReset: Bool)
    /// The answer's last frame is on its way.
    func answerSent(_ stream: Int32)
    /// Fills `buffer` with body bytes of a stream.
    func answerBody(_ stream: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Body
}

enum HTTP2Body {
    case bytes(Int, isLast: Bool)
    /// Nothing at hand: `resume` when there is.
    case later
    /// No more bytes, and trailers follow.
    case trailers
}

/// nghttp2's server session in Swift's terms: bytes in, events out; answers in, bytes out. No socket, no clock.
final class HTTP2Session {
    private var session: OpaquePointer?
    private unowned let events: any HTTP2SessionEvents

    init?(events: any HTTP2SessionEvents, maxStreams: UInt32, maxHeadBytes: Int) {
        self.events = events
        var option: OpaquePointer?
        guard nghttp2_option_new(&option) == 0 else { return nil }
        defer { nghttp2_option_del(option) }
        // Windows open only as upstreams take the bytes.
        nghttp2_option_set_no_auto_window_update(option, 1)
        nghttp2_option_set_max_outbound_ack(option, 256)
        nghttp2_option_set_max_settings(option, 16)
        // Forgetting closed streams at once bounds memory; nobody here uses the old priority tree.
        nghttp2_option_set_no_closed_streams(option, 1)
        let me = Unmanaged.passUnretained(self).toOpaque()
        guard nghttp2_session_server_new2(&session, Self.callbacks, me, option) == 0 else { return nil }
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: maxStreams),
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: 256 << 10),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: UInt32(maxHeadBytes)),
        ]
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &settings, settings.count)
        nghttp2_session_set_local_window_size(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, 1 << 20)
    }

    deinit { nghttp2_session_del(session) }

    /// - Returns: whether the connection may go on.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count) == bytes.count
    }

    /// The next bytes for the peer, valid until the next call; `nil` when there are none now.
    func nextOutput() -> UnsafeRawBufferPointer? {
        var data: UnsafePointer<UInt8>?
        let count = nghttp2_session_mem_send(session, &data)
        guard count > 0 else { return nil }
        return UnsafeRawBufferPointer(start: data, count: count)
    }

    /// Neither side has anything more to say.
    var isFinished: Bool {
        nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }

    /// Opens the windows again by what an upstream has taken.
    func consume(_ stream: Int32, _ count: Int) { nghttp2_session_consume(session, stream, count) }

    func answer(_ stream: Int32, _ fields: UnsafeBufferPointer<nghttp2_nv>, hasBody: Bool) {
        guard hasBody else {
            nghttp2_submit_response(session, stream, fields.baseAddress, fields.count, nil)
            return
        }
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, buffer, length, flags, _, me in
            guard let buffer, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
            let session = HTTP2Session.of(me)
            switch session.events.answerBody(stream, UnsafeMutableRawBufferPointer(start: buffer, count: length)) {
            case .bytes(let count, let isLast):
                if isLast { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
                return count
            case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            case .trailers:
                flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                return 0
            }
        }
        nghttp2_submit_response(session, stream, fields.baseAddress, fields.count, &provider)
    }

    func interim(_ stream: Int32, _ fields: UnsafeBufferPointer<nghttp2_nv>) {
        nghttp2_submit_headers(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, fields.baseAddress, fields.count, nil)
    }

    func trailers(_ stream: Int32, _ fields: UnsafeBufferPointer<nghttp2_nv>) {
        nghttp2_submit_trailer(session, stream, fields.baseAddress, fields.count)
    }

    func resume(_ stream: Int32) { nghttp2_session_resume_data(session, stream) }

    func reset(_ stream: Int32, _ error: nghttp2_error_code) {
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, UInt32(error.rawValue))
    }

    /// Takes no further streams; those that run go on.
    func goAway() {
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
            UInt32(NGHTTP2_NO_ERROR.rawValue), nil, 0)
    }

    func terminate(_ error: nghttp2_error_code) { nghttp2_session_terminate_session(session, UInt32(error.rawValue)) }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> HTTP2Session {
        Unmanaged<HTTP2Session>.fromOpaque(pointer!).takeUnretainedValue()
    }

    nonisolated(unsafe) private static let callbacks: OpaquePointer? = {
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, me in
            guard let frame, frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
            let accepted = of(me).events.requestBegins(frame.pointee.hd.stream_id)
            return accepted ? 0 : Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, valueCount, _, me in
            guard let frame, frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
            let accepted = of(me).events.requestField(
                frame.pointee.hd.stream_id, UnsafeBufferPointer(start: name, count: nameCount),
                UnsafeBufferPointer(start: value, count: valueCount))
            return accepted ? 0 : Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, me in
            guard let frame else { return 0 }
            of(me).frameReceived(frame.pointee)
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, count, me in
            of(me).events.requestBody(stream, UnsafeRawBufferPointer(start: data, count: count))
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, me in
            guard let frame, frame.pointee.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 else { return 0 }
            of(me).events.answerSent(frame.pointee.hd.stream_id)
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, error, me in
            of(me).events.streamClosed(stream, error: error)
            return 0
        }
        return callbacks
    }()

    private func frameReceived(_ frame: nghttp2_frame) {
        let ends = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(frame.hd.type) {
        case NGHTTP2_HEADERS.rawValue:
            if frame.headers.cat == NGHTTP2_HCAT_REQUEST {
                events.requestHeadEnded(frame.hd.stream_id, endOfStream: ends)
            } else if ends {
                // Trailers of a request; they are dropped, as few upstreams know them.
                events.requestEnded(frame.hd.stream_id)
            }
        case NGHTTP2_DATA.rawValue:
            if frame.hd.length == 0, !ends { events.controlFrame(isReset: false) }
            if ends { events.requestEnded(frame.hd.stream_id) }
        case NGHTTP2_RST_STREAM.rawValue: events.controlFrame(isReset: true)
        case NGHTTP2_PING.rawValue, NGHTTP2_SETTINGS.rawValue, NGHTTP2_PRIORITY.rawValue:
            events.controlFrame(isReset: false)
        default: break
        }
    }
}
