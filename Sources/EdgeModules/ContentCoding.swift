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
            var start = 0
            while start < value.count {
                let end = Weights.index(of: UInt8(ascii: ","), in: value, from: start, to: value.count)
                read(value, start, end)
                start = end + 1
            }
        }

        /// One element: `coding`, perhaps followed by `;q=…`.
        private mutating func read(_ value: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) {
            var parameter = Weights.index(of: UInt8(ascii: ";"), in: value, from: start, to: end)
            let coding = Weights.trimmed(value, start, parameter)
            guard !coding.isEmpty else { return }
            var weight = 1000
            while parameter < end {
                let next = Weights.index(of: UInt8(ascii: ";"), in: value, from: parameter + 1, to: end)
                if let given = Weights.weight(Weights.trimmed(value, parameter + 1, next)) {
                    weight = given
                    break
                }
                parameter = next
            }
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

        private typealias Bytes = UnsafeBufferPointer<UInt8>

        /// Where `byte` next stands, or `end`.
        @inline(__always)
        private static func index(of byte: UInt8, in value: Bytes, from start: Int, to end: Int) -> Int {
            var index = start
            while index < end, value[index] != byte { index += 1 }
            return index
        }

        /// The part without white space at its ends.
        private static func trimmed(_ value: Bytes, _ start: Int, _ end: Int) -> Bytes {
            var (start, end) = (start, end)
            while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
            while end > start, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
            return Bytes(rebasing: value[start..<end])
        }

        private static func equals(_ bytes: Bytes, _ text: StaticString) -> Bool {
            guard bytes.count == text.utf8CodeUnitCount else { return false }
            return text.withUTF8Buffer { text in
                for index in 0..<bytes.count where bytes[index] | 0x20 != text[index] | 0x20 { return false }
                return true
            }
        }

        /// `q=0.5` in thousandths (RFC 9110, 12.4.2); `nil` for another parameter. What is malformed counts as 0: a
        /// client that says something unclear gets the plain form.
        private static func weight(_ bytes: Bytes) -> Int? {
            guard bytes.count >= 2, bytes[0] | 0x20 == UInt8(ascii: "q"), bytes[1] == UInt8(ascii: "=") else {
                return nil
            }
            // At most `1.000`.
            guard (3...7).contains(bytes.count), bytes[2] == 0x30 || bytes[2] == 0x31 else { return 0 }
            var weight = Int(bytes[2] - 0x30) * 1000
            guard bytes.count > 3 else { return weight }
            guard bytes[3] == UInt8(ascii: ".") else { return 0 }
            var unit = 100
            for index in 4..<bytes.count {
                guard (0x30...0x39).contains(bytes[index]) else { return 0 }
                weight += Int(bytes[index] - 0x30) * unit
                unit /= 10
            }
            return min(weight, 1000)
        }
    }
}
