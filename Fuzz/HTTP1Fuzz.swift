import EdgeCore

/// The harness of `scripts/fuzz`: compiled into one module with the HTTP/1 codec, outside the package.
///
/// An input is one byte that chooses what is read, one that says where it is cut, and the message. Whatever the message:
/// nothing may trap, it means the same in one piece and in several, and what was accepted is written as exactly one
/// message that is read again as the same. A broken promise is a crash, which libFuzzer keeps as a file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    guard count > 2 else { return 0 }
    let message = UnsafeBufferPointer(rebasing: input[2...])
    let cut = Int(input[1]) * message.count / 255
    switch input[0] % 4 {
    case 0: RequestFuzz.run(message, cut: cut)
    case 1: ResponseFuzz.run(message, cut: cut, requestWasHead: input[0] & 4 != 0)
    case 2: BodyFuzz.run(message, cut: cut)
    default: RulesFuzz.run(message, cut: cut)
    }
    return 0
}

private func promise(_ holds: Bool, _ text: StaticString) {
    if !holds { fatalError("\(text)") }
}

private func copy(_ bytes: UnsafeBufferPointer<UInt8>, _ slice: MessageHead.Slice) -> [UInt8] {
    Array(bytes[slice.range])
}

private func parts(_ head: MessageHead) -> [[UInt8]] {
    head.bytes.withUnsafeBufferPointer { bytes in
        [copy(bytes, head.method), copy(bytes, head.target), copy(bytes, head.host)]
            + head.fields.flatMap { [copy(bytes, $0.name), copy(bytes, $0.value), [$0.id.rawValue]] }
    }
}

/// A second, slow reading of a head that was accepted, sharing no code with the first: line ends, and how often a
/// framing field is there.
private func promiseOneReading(_ bytes: some Collection<UInt8>, mayBeginEmpty: Bool) {
    var lines: [[UInt8]] = [[]]
    for byte in bytes {
        promise(byte != 0 && byte != 0x7F, "an accepted head holds no NUL or DEL")
        if byte == 0x0A {
            promise(lines[lines.count - 1].last == 0x0D, "an accepted head has no bare LF")
            lines[lines.count - 1].removeLast()
            lines.append([])
        } else {
            promise(lines[lines.count - 1].last != 0x0D, "an accepted head has no bare CR")
            lines[lines.count - 1].append(byte)
        }
    }
    promise(lines.removeLast().isEmpty && lines.removeLast().isEmpty, "a head ends with an empty line")
    if mayBeginEmpty, lines.first?.isEmpty == true { lines.removeFirst() }
    var framing = 0
    var hosts = 0
    for line in lines.dropFirst() {
        let name = line.prefix { $0 != UInt8(ascii: ":") }.map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 0x20 : $0 }
        promise(!name.isEmpty && name.count < line.count, "every line has a name and a colon")
        promise(!name.contains { $0 <= 0x20 || $0 >= 0x7F }, "a name holds no white space or control")
        if name == Array("content-length".utf8) || name == Array("transfer-encoding".utf8) { framing += 1 }
        if name == Array("host".utf8) { hosts += 1 }
    }
    promise(framing <= 1, "an accepted head has one framing field at most")
    promise(hosts <= 1, "an accepted head has one Host at most")
}

private enum RequestFuzz {
    private static let limits = HeadLimits(maxHeadBytes: 700, maxFields: 12, maxTargetBytes: 100)

    enum Outcome: Equatable {
        case incomplete
        case complete(ScannedRequest, [[UInt8]])
        case invalid(EdgeError)
    }

    static func read(_ bytes: UnsafeBufferPointer<UInt8>, scanned: Int = 0, into head: MessageHead) -> Outcome {
        switch HTTP1Scanner.request(bytes, limits: limits, scanned: scanned, into: head) {
        case .incomplete: .incomplete
        case .complete(let request): .complete(request, parts(head))
        case .invalid(let error): .invalid(error)
        }
    }

    static func run(_ message: UnsafeBufferPointer<UInt8>, cut: Int) {
        let head = MessageHead()
        let first = UnsafeBufferPointer(rebasing: message[..<cut])
        let part = read(first, into: head)
        let whole = read(message, into: head)
        if part == .incomplete {
            let resumed = read(message, scanned: cut, into: MessageHead())
            let isDue = cut == 0 || message[cut...].contains(0x0A)
            promise(resumed == whole || (!isDue && resumed == .incomplete), "a cut request means the same")
        } else {
            promise(part == whole, "a request is judged early as it is judged whole")
        }
        guard case .complete(let request, _) = whole else { return }
        promise(request.consumed <= limits.maxHeadBytes, "a head is within its limit")
        promiseOneReading(message[..<request.consumed], mayBeginEmpty: true)
        write(head, request)
    }

    private static func write(_ head: MessageHead, _ request: ScannedRequest) {
        var output: [UInt8] = []
        HTTP1Writer.requestHead(head, framing: request.framing, isUpgrade: request.isUpgrade, into: &output)
        promiseOneReading(output, mayBeginEmpty: false)
        let again = MessageHead()
        let scan = output.withUnsafeBufferPointer { HTTP1Scanner.request($0, into: again) }
        // Without any Host, as HTTP/1.0 may come, what goes on has an empty one.
        guard !head.host.isEmpty else { return }
        guard case .complete(let second) = scan else { fatalError("what was written is a request") }
        promise(second.consumed == output.count, "one request is written, and nothing after it")
        promise(second.framing == request.framing, "framing survives")
        promise(second.isUpgrade == request.isUpgrade, "an upgrade survives")
        promise(Array(parts(again)[..<3]) == Array(parts(head)[..<3]), "method, target and host survive")
    }
}

private enum ResponseFuzz {
    enum Outcome: Equatable {
        case incomplete
        case complete(ScannedResponse, Int, [[UInt8]])
        case invalid(EdgeError)
    }

    static func read(
        _ bytes: UnsafeBufferPointer<UInt8>, requestWasHead: Bool, scanned: Int = 0, into head: MessageHead
    ) -> Outcome {
        let limits = HeadLimits(maxHeadBytes: 700, maxFields: 12, maxTargetBytes: 100)
        return
            switch HTTP1Scanner.response(
                bytes, requestWasHead: requestWasHead, limits: limits, scanned: scanned, into: head)
        {
        case .incomplete: .incomplete
        case .complete(let response): .complete(response, head.status, parts(head))
        case .invalid(let error): .invalid(error)
        }
    }

    static func run(_ message: UnsafeBufferPointer<UInt8>, cut: Int, requestWasHead: Bool) {
        let head = MessageHead()
        let first = UnsafeBufferPointer(rebasing: message[..<cut])
        let part = read(first, requestWasHead: requestWasHead, into: head)
        let whole = read(message, requestWasHead: requestWasHead, into: head)
        if part == .incomplete {
            let resumed = read(message, requestWasHead: requestWasHead, scanned: cut, into: MessageHead())
            let isDue = cut == 0 || message[cut...].contains(0x0A)
            promise(resumed == whole || (!isDue && resumed == .incomplete), "a cut answer means the same")
        } else {
            promise(part == whole, "an answer is judged early as it is judged whole")
        }
        guard case .complete(let response, let status, _) = whole else { return }
        promise(!head.contains(.edgeErrorCode), "an upstream forges no error code")
        promiseOneReading(message[..<response.consumed], mayBeginEmpty: false)
        var output: [UInt8] = []
        HTTP1Writer.responseHead(
            head, framing: response.framing.towardsClient(isHTTP10: false), isUpgrade: response.isUpgrade,
            requestWasHead: requestWasHead, into: &output)
        promiseOneReading(output, mayBeginEmpty: false)
        let again = MessageHead()
        let scan = output.withUnsafeBufferPointer {
            HTTP1Scanner.response($0, requestWasHead: requestWasHead, into: again)
        }
        guard case .complete(let second) = scan else { fatalError("what was written is an answer") }
        promise(second.consumed == output.count && again.status == status, "one answer is written")
        promise(second.framing == response.framing.towardsClient(isHTTP10: false), "framing survives")
    }
}

private enum BodyFuzz {
    struct Outcome: Equatable {
        var last: BodyDecoder.Step
        var body: [UInt8] = []
        var used = 0
        var trailers: [[UInt8]] = []
    }

    static func decode(_ pieces: [UnsafeBufferPointer<UInt8>]) -> Outcome {
        var decoder = BodyDecoder(.chunked, limits: HeadLimits(maxFields: 8))
        var outcome = Outcome(last: .needMore)
        for piece in pieces {
            var offset = 0
            reading: while true {
                let before = offset
                outcome.last = decoder.next(piece, from: &offset)
                promise(offset >= before && offset <= piece.count, "the decoder stays within what it is given")
                switch outcome.last {
                case .data(let range):
                    promise(!range.isEmpty && range.upperBound == offset, "data comes piece by piece")
                    outcome.body += piece[range]
                case .needMore:
                    promise(offset == piece.count, "more is asked for when all is used")
                    break reading
                case .end: break reading
                case .invalid(let error): return Outcome(last: .invalid(error))
                }
            }
            outcome.used += offset
            if outcome.last == .end { break }
        }
        outcome.trailers = decoder.trailers.map(parts) ?? []
        return outcome
    }

    static func run(_ message: UnsafeBufferPointer<UInt8>, cut: Int) {
        let whole = decode([message])
        let two = decode([
            UnsafeBufferPointer(rebasing: message[..<cut]), UnsafeBufferPointer(rebasing: message[cut...]),
        ])
        promise(two == whole, "a body in two pieces means the same")
        let drips = decode(message.indices.map { UnsafeBufferPointer(rebasing: message[$0...$0]) })
        promise(drips == whole, "a body in drips means the same")
        guard whole.last == .end, !whole.body.isEmpty else { return }
        var output: [UInt8] = []
        HTTP1Writer.chunkHeader(whole.body.count, into: &output)
        output += whole.body
        HTTP1Writer.chunkEnd(into: &output)
        HTTP1Writer.lastChunk(into: &output)
        let again = output.withUnsafeBufferPointer { decode([$0]) }
        promise(again.last == .end && again.body == whole.body && again.used == output.count, "a body survives")
    }
}

/// A message made of fields that HTTP/2's rules let pass must be one message of HTTP/1.
private enum RulesFuzz {
    static func run(_ message: UnsafeBufferPointer<UInt8>, cut: Int) {
        let name = UnsafeBufferPointer(rebasing: message[..<cut])
        let value = UnsafeBufferPointer(rebasing: message[cut...])
        let head = MessageHead()
        head.method = HTTP2FieldRules.isValidMethod(name) ? head.store(name) : head.store("GET")
        let isPath = HTTP2FieldRules.isValidPath(value) && value.first == UInt8(ascii: "/")
        head.target = isPath ? head.store(value) : head.store("/")
        if HTTP2FieldRules.isValidAuthority(value) {
            head.host = head.store(lowercased: HTTP2FieldRules.host(ofAuthority: value))
            FieldName.host.text.withUTF8Buffer { head.append(name: $0, value: value, id: .host) }
        } else {
            head.append(.host, "a")
        }
        let id = FieldName(name)
        if HTTP2FieldRules.isValidName(name), HTTP2FieldRules.isValidValue(value), id != .host,
            !HTTP2FieldRules.isForbidden(id, value: value)
        {
            head.append(name: name, value: value, id: id)
        }
        let length = HTTP2FieldRules.contentLength(value)
        var output: [UInt8] = []
        HTTP1Writer.requestHead(head, framing: length.map { .length($0) } ?? .none, into: &output)
        promiseOneReading(output, mayBeginEmpty: false)
        let scan = output.withUnsafeBufferPointer { HTTP1Scanner.request($0, into: MessageHead()) }
        switch scan {
        case .incomplete: fatalError("what was written is whole")
        case .complete(let request):
            promise(request.consumed == output.count, "one request is written, and nothing after it")
            promise(request.framing == length.map { .length($0) } ?? .none, "fields change no framing")
        case .invalid(let error):
            // Methods and expectations that HTTP/1 answers on its own account.
            promise(error == .connectRefused || error == .expectationFailed, "what was written is a request")
        }
    }
}
