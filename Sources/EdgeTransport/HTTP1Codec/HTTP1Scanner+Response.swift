import EdgeCore

extension HTTP1Scanner {
    /// Reads one answer's head from an upstream into `head`, which it resets. A forged `ngrok-error-code` is left out.
    ///
    /// - Parameter scanned: as for `request`.
    static func response(
        _ bytes: UnsafeBufferPointer<UInt8>, requestWasHead: Bool, limits: HeadLimits = HeadLimits(),
        scanned: Int = 0, into head: MessageHead
    ) -> ResponseScan {
        head.reset()
        guard var scan = reader(bytes, limits: limits, scanned: scanned) else { return .incomplete }
        var fields: [MessageHead.Field] = []
        head.exchangeFields(&fields)
        var isHTTP10 = false
        var status = 0
        var outcome = scan.statusLine(isHTTP10: &isHTTP10, status: &status)
        if outcome == .complete {
            outcome = scan.fields(into: &fields, maxFields: limits.maxFields, dropping: .edgeErrorCode)
        }
        if outcome == .complete, scan.facts.isChunked, isHTTP10 { outcome = .malformed }
        guard outcome == .complete else {
            fields.removeAll(keepingCapacity: true)
            head.exchangeFields(&fields)
            let isTooLarge = bytes.count >= limits.maxHeadBytes
            return outcome == .incomplete && !isTooLarge ? .incomplete : .invalid(.invalidUpstreamAnswer)
        }
        head.fill(block: UnsafeBufferPointer(rebasing: bytes[0..<scan.index]), fields: &fields)
        head.status = status
        if scan.facts.namesFields { NominatedFields.remove(from: head) }
        var response = facts(scan, status: status, requestWasHead: requestWasHead)
        response.keepAlive = response.framing != .untilClose && scan.facts.keepsAlive(isHTTP10: isHTTP10)
        // A switch without the fields that say to what is no answer a client could act on (RFC 9110, 15.2.2).
        if status == 101, !response.isUpgrade { return .invalid(.invalidUpstreamAnswer) }
        return .complete(response)
    }

    /// RFC 9112, 6.3: some answers have no body whatever their fields say.
    private static func facts(_ scan: HeadReader, status: Int, requestWasHead: Bool) -> ScannedResponse {
        var response = ScannedResponse()
        response.consumed = scan.index
        response.isInterim = status < 200 && status != 101
        response.isUpgrade = status == 101 && scan.facts.wantsUpgrade(scan.base)
        if requestWasHead || status < 200 || status == 204 || status == 304 {
            response.framing = .none
        } else if scan.facts.isChunked {
            response.framing = .chunked
        } else if let length = scan.facts.contentLength {
            response.framing = .length(length)
        } else {
            response.framing = .untilClose
        }
        return response
    }
}

extension HeadReader {
    /// `HTTP/1.x SP 3DIGIT [SP reason] CRLF`. The space before an empty reason is due, but often left out, and its
    /// absence can mislead nobody.
    mutating func statusLine(isHTTP10: inout Bool, status: inout Int) -> HeadOutcome {
        let outcome = version(into: &isHTTP10)
        guard outcome == .complete else { return outcome }
        guard index < end else { return .incomplete }
        guard base[index] == ByteScan.space else { return .malformed }
        for offset in 1...3 {
            guard index + offset < end else { return .incomplete }
            guard ByteScan.isDigit(base[index + offset]) else { return .malformed }
            status = status * 10 + Int(base[index + offset] &- 0x30)
        }
        guard status >= 100, status < 600 else { return .malformed }
        index += 4
        if index < end, base[index] == ByteScan.space {
            index = ByteScan.textEnd(base, from: index, end: end)
            while index < end, base[index] == ByteScan.tab {
                index = ByteScan.textEnd(base, from: index + 1, end: end)
            }
        }
        return lineEnd()
    }
}
