import EdgeCore

/// Why a head was not read to its end, before it becomes an `EdgeError`.
enum HeadOutcome: UInt8 {
    case complete, incomplete, malformed, tooManyFields, targetTooLong, unknownVersion, unknownExpectation, isConnect

    /// The answer for a client; `nil` for the two that are no fault.
    var requestError: EdgeError? {
        switch self {
        case .complete, .incomplete: nil
        case .malformed: .badRequest
        case .tooManyFields: .headTooLarge
        case .targetTooLong: .targetTooLong
        case .unknownVersion: .versionNotSupported
        case .unknownExpectation: .expectationFailed
        case .isConnect: .connectRefused
        }
    }
}

/// What the fields of one head say about framing and connection; filled field by field in one pass.
struct FieldFacts {
    /// The Host field's value, once there was one.
    var host: Range<Int>?
    var contentLength: UInt64?
    var isChunked = false
    var saysClose = false
    var saysKeepAlive = false
    var saysUpgrade = false
    /// Whether Connection names fields beyond those known here.
    var namesFields = false
    var upgradesTo: Range<Int>?
    var expectsContinue = false
    var expectsUnknown = false

    /// Takes note of a field. `start` and `count` are its value's.
    @inline(__always)
    mutating func note(_ id: FieldName, _ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> HeadOutcome {
        switch id {
        case .host:
            guard host == nil else { return .malformed }
            host = start..<start &+ count
        case .contentLength:
            // A repeated length is refused even when both agree (RFC 9112, 6.3).
            guard contentLength == nil, !isChunked, let value = ByteScan.decimal(base, start, count) else {
                return .malformed
            }
            contentLength = value
        case .transferEncoding:
            guard !isChunked, contentLength == nil, ByteScan.equals(base, start, count, "chunked") else {
                return .malformed
            }
            isChunked = true
        case .connection: noteConnection(base, start, count)
        case .upgrade:
            // Two of them are no offer: only a single one is looked through and sent on.
            upgradesTo = upgradesTo == nil ? start..<start &+ count : 0..<0
        case .expect:
            if ByteScan.equals(base, start, count, "100-continue") {
                expectsContinue = true
            } else {
                expectsUnknown = true
            }
        default: break
        }
        return .complete
    }

    private mutating func noteConnection(_ base: UnsafePointer<UInt8>, _ start: Int, _ count: Int) {
        var list = TokenList(base, start..<start + count)
        while let token = list.next() {
            if ByteScan.equals(base, token.lowerBound, token.count, "keep-alive") {
                saysKeepAlive = true
            } else if ByteScan.equals(base, token.lowerBound, token.count, "close") {
                saysClose = true
            } else if ByteScan.equals(base, token.lowerBound, token.count, "upgrade") {
                saysUpgrade = true
            } else {
                namesFields = true
            }
        }
    }

    /// Whether the connection may serve another message after this one (RFC 9112, 9.3).
    func keepsAlive(isHTTP10: Bool) -> Bool { !saysClose && (!isHTTP10 || saysKeepAlive) }

    /// Whether an upgrade is asked for, to a protocol that may pass. HTTP itself may not: within an upgraded h2c
    /// connection requests would reach the upstream past every route and module.
    func wantsUpgrade(_ base: UnsafePointer<UInt8>) -> Bool {
        guard saysUpgrade, let range = upgradesTo, !range.isEmpty else { return false }
        var list = TokenList(base, range)
        var count = 0
        while let token = list.next() {
            count += 1
            let isHTTP2 =
                ByteScan.equals(base, token.lowerBound, token.count, "h2c")
                || ByteScan.equals(base, token.lowerBound, token.count, "h2")
            let isHTTP = token.count >= 4 && ByteScan.equals(base, token.lowerBound, 4, "http")
            if isHTTP2 || isHTTP { return false }
        }
        return count > 0
    }
}

/// The members of a comma-separated value, without the white space around them; empty ones are passed over.
struct TokenList {
    private let base: UnsafePointer<UInt8>
    private var index: Int
    private let end: Int

    init(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) {
        self.base = base
        index = range.lowerBound
        end = range.upperBound
    }

    mutating func next() -> Range<Int>? {
        while index < end, base[index] == 0x20 || base[index] == 0x09 || base[index] == 0x2C { index &+= 1 }
        guard index < end else { return nil }
        let start = index
        while index < end, base[index] != 0x2C { index &+= 1 }
        var last = index
        while last > start, base[last &- 1] == 0x20 || base[last &- 1] == 0x09 { last &-= 1 }
        return start..<last
    }
}

/// Which fields a Connection list may take away (RFC 9110, 7.6.1). They go when the head is read, before any module
/// sees it: what a module or the edge adds later is then out of a client's reach.
enum NominatedFields {
    static func remove(from head: MessageHead) {
        let lists = head.fields.filter { $0.id == .connection }.map(\.value)
        head.removeFields { field in
            field.id == .other && !isProtected(head, field.name) && lists.contains { names(head, $0, field.name) }
        }
    }

    private static func names(_ head: MessageHead, _ list: MessageHead.Slice, _ name: MessageHead.Slice) -> Bool {
        head.bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            var tokens = TokenList(base, list.range)
            while let token = tokens.next() {
                guard token.count == Int(name.count) else { continue }
                let isSame = (0..<token.count).allSatisfy {
                    ByteScan.lowered(base[token.lowerBound + $0]) == ByteScan.lowered(base[Int(name.start) + $0])
                }
                if isSame { return true }
            }
            return false
        }
    }

    /// Fields that say who asks and with what right, or what the edge itself says: a client that could have them
    /// taken away would be someone else to the upstream. Fields known by number are all protected, or hop-by-hop.
    private static func isProtected(_ head: MessageHead, _ name: MessageHead.Slice) -> Bool {
        for known in protectedNames where head.equals(name, known) { return true }
        return protectedPrefixes.contains { prefix in
            name.count >= prefix.utf8.count
                && head.equals(MessageHead.Slice(start: Int(name.start), count: prefix.utf8.count), prefix)
        }
    }

    private static let protectedNames = [
        "authorization", "set-cookie", "forwarded", "via", "x-real-ip", "origin", "www-authenticate", "location",
        "content-range", "range",
    ]
    private static let protectedPrefixes = ["x-forwarded-", "ngrok-", "sec-", "access-control-"]
}
