import EdgeCore

/// Reads heads of HTTP/1.0 and HTTP/1.1 (RFC 9112), so strictly that no other parser can read them otherwise.
///
/// One pass over the bytes; no allocation once `head` has grown; bytes are copied into `head` at once at the end.
enum HTTP1Scanner {
    /// Reads one request head from the start of `bytes` and puts its parts into `head`, which it resets.
    ///
    /// The target is stored in origin form, `head.host` in lower case without port and without a final dot. Fields that
    /// Connection names are gone from `head`; the hop-by-hop fields themselves are there, and left out by `HTTP1Writer`.
    /// - Parameter scanned: how many bytes the last call saw, when it answered `incomplete`: the head is looked at
    ///   again only if a line has ended since. 0 on the first call for a head.
    static func request(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: HeadLimits = HeadLimits(), scanned: Int = 0,
        into head: MessageHead
    ) -> RequestScan {
        head.reset()
        guard let reader = reader(bytes, limits: limits, scanned: scanned) else { return .incomplete }
        var fields: [MessageHead.Field] = []
        head.exchangeFields(&fields)
        var line = HeadReader.RequestLine()
        var scan = reader
        let outcome = request(&scan, limits: limits, line: &line, fields: &fields)
        guard outcome == .complete else {
            fields.removeAll(keepingCapacity: true)
            head.exchangeFields(&fields)
            if let error = outcome.requestError { return .invalid(error) }
            return bytes.count >= limits.maxHeadBytes ? .invalid(.headTooLarge) : .incomplete
        }
        guard let authority = Destination(scan, line: line) else {
            fields.removeAll(keepingCapacity: true)
            head.exchangeFields(&fields)
            return .invalid(.badRequest)
        }
        head.fill(block: UnsafeBufferPointer(rebasing: bytes[0..<scan.index]), fields: &fields)
        authority.store(in: head, base: scan.base)
        head.method = MessageHead.Slice(start: line.method.lowerBound, count: line.method.count)
        if scan.facts.namesFields { NominatedFields.remove(from: head) }
        if scan.facts.expectsUnknown && !line.isHTTP10 { return .invalid(.expectationFailed) }
        let request = facts(scan, line: line)
        // Ignored where it has no meaning (RFC 9110, 10.1.1); sent on, it would get one.
        if !request.expectsContinue, scan.facts.expectsContinue || scan.facts.expectsUnknown { head.remove(.expect) }
        return .complete(request)
    }

    /// What may be read of the bytes given; `nil` when nothing can have changed since the last look.
    static func reader(_ bytes: UnsafeBufferPointer<UInt8>, limits: HeadLimits, scanned: Int) -> HeadReader? {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return nil }
        if scanned > 0, bytes.count < limits.maxHeadBytes,
            !ByteScan.holdsLineFeed(base, from: min(scanned, bytes.count), end: bytes.count)
        {
            return nil
        }
        return HeadReader(base, end: min(bytes.count, limits.maxHeadBytes))
    }

    @inline(__always)
    private static func request(
        _ scan: inout HeadReader, limits: HeadLimits, line: inout HeadReader.RequestLine,
        fields: inout [MessageHead.Field]
    ) -> HeadOutcome {
        var outcome = scan.requestLine(maxTargetBytes: limits.maxTargetBytes, into: &line)
        guard outcome == .complete else { return outcome }
        if ByteScan.equalsExactly(scan.base, line.method, "CONNECT") { return .isConnect }
        outcome = scan.fields(into: &fields, maxFields: limits.maxFields)
        guard outcome == .complete else { return outcome }
        // HTTP/1.0 knows no chunks: such a message was changed on its way, or means to deceive (RFC 9112, 6.1).
        return scan.facts.isChunked && line.isHTTP10 ? .malformed : .complete
    }

    private static func facts(_ scan: HeadReader, line: HeadReader.RequestLine) -> ScannedRequest {
        var request = ScannedRequest()
        request.consumed = scan.index
        if scan.facts.isChunked {
            request.framing = .chunked
        } else if let length = scan.facts.contentLength {
            request.framing = .length(length)
        }
        let hasBody = request.framing != .none && request.framing != .length(0)
        request.isHTTP10 = line.isHTTP10
        request.keepAlive = scan.facts.keepsAlive(isHTTP10: line.isHTTP10)
        request.expectsContinue = scan.facts.expectsContinue && hasBody && !line.isHTTP10
        request.isUpgrade = scan.facts.saysUpgrade && !line.isHTTP10 && !hasBody && scan.facts.wantsUpgrade(scan.base)
        request.isHead = ByteScan.equalsExactly(scan.base, line.method, "HEAD")
        return request
    }
}

/// Where a request is for: from its target and its Host field (RFC 9112, 3.2 and 3.3).
private struct Destination {
    /// The target in origin form, or `*`; for an absolute form without a path, from its query on.
    var target: Range<Int>
    var lacksPath = false
    var host: Range<Int>?
    /// The authority of an absolute-form target on HTTP/1.0 that brought no Host field.
    var missingHostField: Range<Int>?

    /// `nil` when malformed.
    @inline(__always)
    init?(_ scan: HeadReader, line: HeadReader.RequestLine) {
        target = line.target
        var hostAuthority: Authority?
        if let field = scan.facts.host {
            guard let parsed = Authority(scan.base, field) else { return nil }
            hostAuthority = parsed
            host = parsed.host
        } else if !line.isHTTP10 {
            return nil
        }
        let first = scan.base[line.target.lowerBound]
        if first == UInt8(ascii: "/") { return }
        if first == UInt8(ascii: "*") {
            guard line.target.count == 1, ByteScan.equalsExactly(scan.base, line.method, "OPTIONS") else { return nil }
            return
        }
        guard readAbsolute(scan.base, hostAuthority: hostAuthority) else { return nil }
    }

    /// `http(s)://authority[/path][?query]`; the authority must be the Host field's.
    private mutating func readAbsolute(_ base: UnsafePointer<UInt8>, hostAuthority: Authority?) -> Bool {
        let whole = target
        let defaultPort: UInt16
        var start = whole.lowerBound
        if whole.count > 7, ByteScan.equals(base, start, 7, "http://") {
            (defaultPort, start) = (80, start + 7)
        } else if whole.count > 8, ByteScan.equals(base, start, 8, "https://") {
            (defaultPort, start) = (443, start + 8)
        } else {
            return false
        }
        var end = start
        while end < whole.upperBound, base[end] != UInt8(ascii: "/"), base[end] != UInt8(ascii: "?") { end += 1 }
        guard let own = Authority(base, start..<end) else { return false }
        if let other = hostAuthority {
            guard (own.port ?? defaultPort) == (other.port ?? defaultPort), own.host.count == other.host.count else {
                return false
            }
            for (mine, theirs) in zip(own.host, other.host)
            where ByteScan.lowered(base[mine]) != ByteScan.lowered(base[theirs]) { return false }
        } else {
            missingHostField = start..<end
            host = own.host
        }
        target = end..<whole.upperBound
        lacksPath = end == whole.upperBound || base[end] == UInt8(ascii: "?")
        return true
    }

    /// Puts target and host into a head that holds the block this was read from.
    @inline(__always)
    func store(in head: MessageHead, base: UnsafePointer<UInt8>) {
        head.target = MessageHead.Slice(start: target.lowerBound, count: target.count)
        if lacksPath || missingHostField != nil { storeRest(in: head, base: base) }
        guard let host else { return }
        for index in host where base[index] &- 0x41 < 26 {
            head.host = head.store(lowercased: UnsafeBufferPointer(start: base + host.lowerBound, count: host.count))
            return
        }
        head.host = MessageHead.Slice(start: host.lowerBound, count: host.count)
    }

    private func storeRest(in head: MessageHead, base: UnsafePointer<UInt8>) {
        if lacksPath {
            let slash = head.store("/")
            head.store(UnsafeBufferPointer(start: base + target.lowerBound, count: target.count))
            head.target = MessageHead.Slice(start: Int(slash.start), count: target.count + 1)
        }
        if let field = missingHostField {
            FieldName.host.text.withUTF8Buffer { name in
                let value = UnsafeBufferPointer(start: base + field.lowerBound, count: field.count)
                head.append(name: name, value: value, id: .host)
            }
        }
    }
}
