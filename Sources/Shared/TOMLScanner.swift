/// Reads keys and values from the bytes of a TOML text, and knows on which line it stands.
struct TOMLScanner {
    private let bytes: [UInt8]
    private var position = 0
    private(set) var line = 1
    /// Brackets and braces open here: a fault inside them breaks more than its own line.
    private var openBrackets = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func advance() {
        if peek == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    func fault(_ message: String) -> TOML.Fault { TOML.Fault(line: line, message: message) }

    mutating func skipByteOrderMark() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// Spaces and tabs.
    mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x09 { position += 1 }
    }

    /// A comment if there is one, and the end of the line.
    /// - Returns: whether the line does end here; otherwise nothing but a comment was skipped.
    mutating func skipLineEnd() -> Bool {
        if peek == UInt8(ascii: "#") {
            while let byte = peek, byte != UInt8(ascii: "\n") { position += 1 }
        }
        if peek == UInt8(ascii: "\r"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "\n") {
            position += 1
        }
        guard isAtEnd || peek == UInt8(ascii: "\n") else { return false }
        if !isAtEnd { advance() }
        return true
    }

    mutating func expectLineEnd() throws(TOML.Fault) {
        skipBlanks()
        guard skipLineEnd() else { throw fault("unexpected \(found) after the value: the line must end here") }
    }

    mutating func expect(_ byte: UInt8, _ message: String) throws(TOML.Fault) {
        skipBlanks()
        guard peek == byte else { throw fault("\(message), found \(found)") }
        advance()
    }

    /// What stands at the position, for a message.
    private var found: String {
        guard let byte = peek else { return "the end of the file" }
        if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { return "the end of the line" }
        guard byte > 0x20, byte < 0x7F else { return "byte 0x" + String(byte, radix: 16) }
        return "'\(Character(Unicode.Scalar(byte)))'"
    }

    /// Goes on behind a fault: on the next line, or, when an array or inline table was open, behind its end as far as
    /// that can be told: a line that closes it, or one that begins a key or a header.
    mutating func skipBrokenLine() {
        var wasOpen = openBrackets > 0
        openBrackets = 0
        repeat {
            while let byte = peek, byte != UInt8(ascii: "\n") { position += 1 }
            if !isAtEnd { advance() }
            guard wasOpen, !isAtEnd else { return }
            skipBlanks()
            switch peek {
            case UInt8(ascii: "]"), UInt8(ascii: "}"): wasOpen = false
            default: if beginsStatement { return }
            }
        } while true
    }

    private var beginsStatement: Bool {
        if peek == UInt8(ascii: "[") { return true }
        var ahead = self
        guard (try? ahead.readKey()) != nil else { return false }
        ahead.skipBlanks()
        return ahead.peek == UInt8(ascii: "=")
    }

    // MARK: Keys

    /// A key with its dotted parts, at least one.
    mutating func readKey() throws(TOML.Fault) -> [String] {
        var parts: [String] = []
        while true {
            skipBlanks()
            switch peek {
            case UInt8(ascii: "\""): parts.append(try readBasicString())
            case UInt8(ascii: "'"): parts.append(try readLiteralString())
            default: parts.append(try readBareKey())
            }
            guard parts.count <= TOML.maximumDepth else { throw fault("the key has too many parts") }
            skipBlanks()
            guard peek == UInt8(ascii: ".") else { return parts }
            position += 1
        }
    }

    private mutating func readBareKey() throws(TOML.Fault) -> String {
        let start = position
        while let byte = peek, TOMLScanner.isBareKey(byte) { position += 1 }
        guard position > start else { throw fault("expected a key, found \(found)") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    // MARK: Values

    mutating func readValue(depth: Int) throws(TOML.Fault) -> TOML.Value {
        guard depth <= TOML.maximumDepth else { throw fault("values nest deeper than \(TOML.maximumDepth)") }
        let start = line
        switch peek {
        case UInt8(ascii: "\""): return TOML.Value(.string(try readBasicString()), line: start)
        case UInt8(ascii: "'"): return TOML.Value(.string(try readLiteralString()), line: start)
        case UInt8(ascii: "["): return TOML.Value(.array(try readArray(depth: depth)), line: start)
        case UInt8(ascii: "{"): return TOML.Value(.table(try readInlineTable(depth: depth)), line: start)
        default: return TOML.Value(try readBareValue(), line: start)
        }
    }

    private mutating func readArray(depth: Int) throws(TOML.Fault) -> [TOML.Value] {
        advance()
        openBrackets += 1
        var values: [TOML.Value] = []
        while true {
            skipBlanksAndLines()
            if peek == UInt8(ascii: "]") { break }
            values.append(try readValue(depth: depth + 1))
            skipBlanksAndLines()
            if peek == UInt8(ascii: ",") {
                advance()
            } else if peek != UInt8(ascii: "]") {
                throw fault("expected ',' or ']' in the array, found \(found)")
            }
        }
        advance()
        openBrackets -= 1
        return values
    }

    private mutating func skipBlanksAndLines() {
        repeat { skipBlanks() } while !isAtEnd && skipLineEnd()
    }

    private mutating func readInlineTable(depth: Int) throws(TOML.Fault) -> TOML.Table {
        var table = TOML.Table(line: line)
        advance()
        skipBlanks()
        if peek == UInt8(ascii: "}") {
            advance()
            return table
        }
        while true {
            let keys = try readKey()
            guard keys.count == 1, let key = keys.first else {
                throw fault("dotted keys are not read inside an inline table")
            }
            try expect(UInt8(ascii: "="), "a key is followed by '='")
            skipBlanks()
            guard table.add(key, try readValue(depth: depth + 1)) else { throw fault("key '\(key)' is given twice") }
            skipBlanks()
            switch peek {
            case UInt8(ascii: ","): advance()
            case UInt8(ascii: "}"):
                advance()
                return table
            default: throw fault("expected ',' or '}' in the inline table, found \(found)")
            }
        }
    }

    // MARK: Strings

    private mutating func readLiteralString() throws(TOML.Fault) -> String {
        try refuseMultiLine(UInt8(ascii: "'"))
        position += 1
        let start = position
        while let byte = peek, byte != UInt8(ascii: "'") {
            try refuseControl(byte)
            position += 1
        }
        guard !isAtEnd else { throw fault("the string is not closed") }
        defer { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func readBasicString() throws(TOML.Fault) -> String {
        try refuseMultiLine(UInt8(ascii: "\""))
        position += 1
        var text: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            try refuseControl(byte)
            position += 1
            if byte == UInt8(ascii: "\\") {
                text.append(contentsOf: String(Character(try readEscape())).utf8)
            } else {
                text.append(byte)
            }
        }
        guard !isAtEnd else { throw fault("the string is not closed") }
        position += 1
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func readEscape() throws(TOML.Fault) -> Unicode.Scalar {
        guard let byte = peek else { throw fault("the string is not closed") }
        position += 1
        switch byte {
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "u"): return try readHexScalar(digits: 4)
        case UInt8(ascii: "U"): return try readHexScalar(digits: 8)
        default:
            position -= 1
            throw fault("unknown escape after '\\': \(found)")
        }
    }

    private mutating func readHexScalar(digits: Int) throws(TOML.Fault) -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fault("the escape needs \(digits) hexadecimal digits, found \(found)")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("the escape names no Unicode character") }
        return scalar
    }

    private func refuseMultiLine(_ quote: UInt8) throws(TOML.Fault) {
        guard bytes[position...].starts(with: [quote, quote, quote]) else { return }
        throw fault("strings over several lines are not read")
    }

    private func refuseControl(_ byte: UInt8) throws(TOML.Fault) {
        if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { throw fault("the string is not closed") }
        guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else {
            throw fault("a control character must be written as an escape")
        }
    }

    // MARK: Numbers and booleans

    private mutating func readBareValue() throws(TOML.Fault) -> TOML.Value.Kind {
        let start = position
        while let byte = peek,
            TOMLScanner.isBareKey(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: ":")
        {
            position += 1
        }
        guard position > start else { throw fault("expected a value, found \(found)") }
        let token = String(decoding: bytes[start..<position], as: UTF8.self)
        if token == "true" { return .boolean(true) }
        if token == "false" { return .boolean(false) }
        if let integer = TOMLScanner.integer(token) { return .integer(integer) }
        if let float = TOMLScanner.float(token) { return .float(float) }
        if token.first?.isLetter == true { throw fault("'\(token)' is not a value: a string needs quotes") }
        throw fault("'\(token)' is not a number that can be read")
    }

    /// Takes underscores out where TOML allows them: between two digits.
    private static func digits(_ text: Substring, radix: Int = 10) -> String? {
        let isDigit = { (c: Character) in c.isASCII && c.hexDigitValue.map { $0 < radix } == true }
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }) else { return nil }
        return parts.joined()
    }

    private static func integer(_ token: String) -> Int64? {
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where token.hasPrefix(prefix) {
            return digits(token.dropFirst(2), radix: radix).flatMap { Int64($0, radix: radix) }
        }
        let isNegative = token.hasPrefix("-")
        let body = isNegative || token.hasPrefix("+") ? token.dropFirst() : token[...]
        guard let digits = digits(body), digits == "0" || digits.first != "0" else { return nil }
        return Int64((isNegative ? "-" : "") + digits)
    }

    private static func float(_ token: String) -> Double? {
        let isNegative = token.hasPrefix("-")
        var rest = isNegative || token.hasPrefix("+") ? token.dropFirst() : token[...]
        var text = isNegative ? "-" : ""
        var exponent = ""
        if let mark = rest.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            var power = rest[rest.index(after: mark)...]
            let sign = power.first == "-" ? "-" : ""
            if power.first == "-" || power.first == "+" { power = power.dropFirst() }
            guard let digits = digits(power) else { return nil }
            exponent = "e" + sign + digits
            rest = rest[..<mark]
        }
        let parts = rest.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first.flatMap({ digits($0) }), whole == "0" || whole.first != "0" else { return nil }
        text += whole
        if parts.count == 2 {
            guard let fraction = digits(parts[1]) else { return nil }
            text += "." + fraction
        } else if exponent.isEmpty {
            return nil
        }
        guard let value = Double(text + exponent), value.isFinite else { return nil }
        return value
    }
}
