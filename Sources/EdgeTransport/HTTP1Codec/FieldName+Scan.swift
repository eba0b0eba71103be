import EdgeCore

extension FieldName {
    /// The same as `FieldName(_:)` for a token, by comparing words. `end` bounds what may be read at `base`.
    ///
    /// Setting bit 0x20 makes letters lower case and leaves `-` and digits alone; no other token character becomes
    /// one of those by it, so that the comparison is exact for tokens.
    @inline(__always)
    static func scan(_ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int, end: Int) -> FieldName {
        // Words are read past a short name; next to the end of the buffer there may be nothing to read.
        guard start &+ 24 <= end, count <= 19 else {
            return count <= 19 ? FieldName(UnsafeBufferPointer(start: base + start, count: count)) : .other
        }
        let name = Word(base + start, count)
        switch count {
        case 2: return name.isShort("te") ? .te : .other
        case 4:
            if name.isShort("host") { return .host }
            if name.isShort("date") { return .date }
            if name.isShort("etag") { return .etag }
            return name.isShort("vary") ? .vary : .other
        case 6:
            if name.isShort("cookie") { return .cookie }
            return name.isShort("expect") ? .expect : .other
        case 7:
            if name.isShort("upgrade") { return .upgrade }
            return name.isShort("trailer") ? .trailer : .other
        case 10:
            if name.isLong("user-agent") { return .userAgent }
            if name.isLong("connection") { return .connection }
            return name.isLong("keep-alive") ? .keepAlive : .other
        case 12: return name.isLong("content-type") ? .contentType : .other
        case 13: return name.isLong("cache-control") ? .cacheControl : .other
        case 14:
            if name.isLong("content-length") { return .contentLength }
            return name.isLong("http2-settings") ? .http2Settings : .other
        case 15:
            if name.isLong("accept-encoding") { return .acceptEncoding }
            return name.isLong("x-forwarded-for") ? .forwardedFor : .other
        case 16:
            if name.isLong("content-encoding") { return .contentEncoding }
            if name.isLong("proxy-connection") { return .proxyConnection }
            if name.isLong("ngrok-error-code") { return .edgeErrorCode }
            return name.isLong("x-forwarded-host") ? .forwardedHost : .other
        case 17:
            if name.isLong("transfer-encoding") { return .transferEncoding }
            if name.isLong("x-forwarded-proto") { return .forwardedProto }
            return name.isLong("sec-websocket-key") ? .secWebSocketKey : .other
        case 18: return name.isLong("proxy-authenticate") ? .proxyAuthenticate : .other
        case 19: return name.isLong("proxy-authorization") ? .proxyAuthorization : .other
        default: return .other
        }
    }

    /// A name's bytes in lower case, as far as words hold them.
    private struct Word {
        let base: UnsafePointer<UInt8>
        let count: Int
        let first: UInt64

        @inline(__always)
        init(_ base: UnsafePointer<UInt8>, _ count: Int) {
            self.base = base
            self.count = count
            first = ByteScan.word(base, 0) | 0x2020_2020_2020_2020
        }

        /// For names of up to eight bytes.
        @inline(__always)
        func isShort(_ text: StaticString) -> Bool {
            let length = text.utf8CodeUnitCount
            var expected: UInt64 = 0
            for index in 0..<length { expected |= UInt64(text.utf8Start[index]) << UInt64(8 &* index) }
            return first & (~0 >> UInt64(64 &- 8 &* length)) == expected
        }

        /// For names of eight to 24 bytes: the first, the last and, in between, the second eight.
        @inline(__always)
        func isLong(_ text: StaticString) -> Bool {
            let length = text.utf8CodeUnitCount
            let expected = text.utf8Start
            guard first == ByteScan.word(expected, 0) else { return false }
            if length > 16, ByteScan.word(base, 8) | 0x2020_2020_2020_2020 != ByteScan.word(expected, 8) {
                return false
            }
            return ByteScan.word(base, length &- 8) | 0x2020_2020_2020_2020 == ByteScan.word(expected, length &- 8)
        }
    }
}
