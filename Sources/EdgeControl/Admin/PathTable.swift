/// Finds a value by method and path; patterns have `{names}` for single segments, and literal segments win over them.
struct PathTable<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let segments: [Substring]
        let value: Value
    }

    /// By method and number of segments, most literal first.
    private var entries: [String: [Entry]] = [:]

    init(_ values: [(method: String, pattern: String, value: Value)]) {
        for (method, pattern, value) in values {
            let segments = PathTable.segments(pattern)
            entries["\(method) \(segments.count)", default: []].append(Entry(segments: segments, value: value))
        }
        let placeholders = { (entry: Entry) in entry.segments.count { $0.first == "{" } }
        for key in entries.keys { entries[key]?.sort { placeholders($0) < placeholders($1) } }
    }

    /// The methods that a path has, sorted.
    func methods(path: String) -> [String] {
        let methods = Set(entries.keys.compactMap { $0.split(separator: " ").first.map(String.init) })
        return methods.sorted().filter { find(method: $0, path: path) != nil }
    }

    private static func segments(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }

    /// The names that a pattern has in braces, in order.
    static func names(in pattern: String) -> [String] {
        segments(pattern).filter { $0.first == "{" }.map { String($0.dropFirst().dropLast()) }
    }

    /// The value and the values of the pattern's names, percent-decoded.
    func find(method: String, path: String) -> (value: Value, parameters: [String: String])? {
        let segments = PathTable.segments(path)
        guard let candidates = entries["\(method) \(segments.count)"] else { return nil }
        for entry in candidates {
            var parameters: [String: String] = [:]
            var matches = true
            for (pattern, segment) in zip(entry.segments, segments) {
                if pattern.first == "{" {
                    guard let value = PercentEncoding.decode(segment), !value.isEmpty else { matches = false; break }
                    parameters[String(pattern.dropFirst().dropLast())] = value
                } else if pattern != segment {
                    matches = false
                    break
                }
            }
            if matches { return (entry.value, parameters) }
        }
        return nil
    }
}

/// Percent-encoding of paths and queries (RFC 3986, 2.1).
enum PercentEncoding {
    /// `nil` when the text is no valid encoding of UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var source = text.utf8.makeIterator()
        while let byte = source.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = source.next(), let low = source.next(),
                    let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16),
                    high != UInt8(ascii: "+"), high != UInt8(ascii: "-")
                else { return nil }
                bytes.append(value)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Every parameter of a query with its values in order; `nil` when it is not valid.
    static func parameters(of query: String) -> [String: [String]]? {
        var parameters: [String: [String]] = [:]
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(pair[0], plusIsSpace: true),
                let value = decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
            else { return nil }
            parameters[name, default: []].append(value)
        }
        return parameters
    }

    /// Encodes all but unreserved characters.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if byte < 0x80,
                scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || "-._~".unicodeScalars.contains(scalar)
            {
                result.unicodeScalars.append(scalar)
            } else {
                result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
