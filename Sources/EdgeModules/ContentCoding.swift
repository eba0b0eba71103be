import EdgeCore

/// The content codings that the edge can make, and the choice among them (RFC 9110, 12.5.3).
enum ContentCoding: UInt64, Sendable {
    case identity = 1
    case gzip = 2
    case deflate = 3

    var text: String {
        switch self {
        case .identity: "identity"
        case .gzip: "gzip"
        case .deflate: "deflate"
        }
    }

    /// What the client likes best; `nil` when it says nothing. Of equals, gzip is taken before deflate, and either
    /// before no coding.
    static func preferred(_ head: MessageHead) -> ContentCoding? {
        var weights = Weights()
        var isGiven = false
        for field in head.fields where field.id == .acceptEncoding {
            isGiven = true
            head.withBytes(field.value) { weights.read($0) }
        }
        return isGiven ? weights.best : nil
    }

    /// Weights in thousandths; -1 where the client did not say.
    private struct Weights {
        var gzip = -1
        var deflate = -1
        var identity = -1
        var any = -1

        var best: ContentCoding {
            // `*` speaks for codings that are not named.
            let gzip = gzip >= 0 ? gzip : any
            let deflate = deflate >= 0 ? deflate : any
            let best = max(gzip, deflate)
            guard best > 0, best >= identity else { return .identity }
            return gzip >= deflate ? .gzip : .deflate
        }

        mutating func read(_ value: UnsafeBufferPointer<UInt8>) {
            for element in value.split(separator: UInt8(ascii: ",")) {
                let parts = element.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
                guard let coding = parts.first.map(Weights.trimmed), !coding.isEmpty else { continue }
                let weight = parts.dropFirst().lazy.compactMap(Weights.weight).first ?? 1000
                if Weights.equals(coding, "gzip") || Weights.equals(coding, "x-gzip") {
                    gzip = max(gzip, weight)
                } else if Weights.equals(coding, "deflate") {
                    deflate = max(deflate, weight)
                } else if Weights.equals(coding, "identity") {
                    identity = max(identity, weight)
                } else if Weights.equals(coding, "*") {
                    any = max(any, weight)
                }
            }
        }

        private typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

        private static func trimmed(_ bytes: Bytes) -> Bytes {
            var bytes = bytes
            while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
            while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
            return bytes
        }

        private static func equals(_ bytes: Bytes, _ text: StaticString) -> Bool {
            text.withUTF8Buffer { text in
                bytes.count == text.count && zip(bytes, text).allSatisfy { $0 | 0x20 == $1 | 0x20 }
            }
        }

        /// `q=0.5` in thousandths (RFC 9110, 12.4.2). What is malformed counts as 0: a client that says something
        /// unclear gets the plain form.
        private static func weight(_ parameter: Bytes) -> Int? {
            let bytes = trimmed(parameter)
            guard bytes.count >= 2, bytes[bytes.startIndex] | 0x20 == UInt8(ascii: "q"),
                bytes[bytes.startIndex + 1] == UInt8(ascii: "=")
            else { return nil }
            let digits = bytes.dropFirst(2)
            guard let first = digits.first, first == 0x30 || first == 0x31, digits.count <= 5 else { return 0 }
            var weight = Int(first - 0x30) * 1000
            for (place, byte) in digits.dropFirst().enumerated() {
                if place == 0 {
                    guard byte == UInt8(ascii: ".") else { return 0 }
                } else {
                    guard (0x30...0x39).contains(byte) else { return 0 }
                    weight += Int(byte - 0x30) * [100, 10, 1][place - 1]
                }
            }
            return min(weight, 1000)
        }
    }
}
