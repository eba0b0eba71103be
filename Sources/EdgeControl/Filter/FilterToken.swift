/// One word of a filter.
struct FilterToken: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case name(String)
        case text(String)
        case integer(Int64)
        case number(Double)
        /// An operator or a bracket.
        case symbol(String)
        case end
    }

    let kind: Kind
    /// In bytes from 0.
    let position: Int

    /// As a message shows it.
    var shown: String {
        switch kind {
        case .name(let name): "'\(name.prefix(64))'"
        case .text: "a text"
        case .integer, .number: "a number"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end"
        }
    }
}

/// Cuts a filter into words.
struct FilterLexer {
    private let bytes: [UInt8]
    private var position = 0

    static func tokens(of text: String) throws(Filter.Mistake) -> [FilterToken] {
        var lexer = FilterLexer(bytes: Array(text.utf8))
        var tokens: [FilterToken] = []
        while let token = try lexer.next() { tokens.append(token) }
        return tokens + [FilterToken(kind: .end, position: lexer.bytes.count)]
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    private static func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }

    private static func isLetter(_ byte: UInt8?) -> Bool {
        byte.map { (0x61...0x7A).contains($0 | 0x20) || $0 == UInt8(ascii: "_") } ?? false
    }

    private mutating func next() throws(Filter.Mistake) -> FilterToken? {
        while let space = byte(), [0x20, 0x09, 0x0A, 0x0D].contains(space) { position += 1 }
        let start = position
        guard let first = byte() else { return nil }
        if FilterLexer.isLetter(first) {
            while FilterLexer.isLetter(byte()) || FilterLexer.isDigit(byte()) { position += 1 }
            return FilterToken(kind: .name(written(from: start)), position: start)
        }
        if FilterLexer.isDigit(first) { return FilterToken(kind: try number(), position: start) }
        if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
            return FilterToken(kind: .text(try text()), position: start)
        }
        return FilterToken(kind: .symbol(try symbol(first)), position: start)
    }

    private func written(from start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }

    private static let pairs: Set<String> = ["&&", "||", "==", "!=", "<=", ">="]
    private static let singles: Set<String> = ["!", "<", ">", "(", ")", "[", "]", ",", ".", "-"]
    /// What CEL has and filters do not.
    private static let foreign: [String: String] = [
        "+": "arithmetic is not supported", "*": "arithmetic is not supported", "/": "arithmetic is not supported",
        "%": "arithmetic is not supported", "?": "the ternary operator is not supported",
        ":": "the ternary operator is not supported", "{": "objects and maps are not supported",
        "=": "'=' is no operator: equality is '=='", "&": "'&' is no operator: and is '&&'",
        "|": "'|' is no operator: or is '||'",
    ]

    private mutating func symbol(_ first: UInt8) throws(Filter.Mistake) -> String {
        let single = String(decoding: [first], as: UTF8.self)
        if let second = byte(1), case let pair = single + String(decoding: [second], as: UTF8.self),
            FilterLexer.pairs.contains(pair)
        {
            position += 2
            return pair
        }
        guard first < 0x80, FilterLexer.singles.contains(single) else {
            throw mistake(FilterLexer.foreign[single] ?? "a character that has no meaning here", at: position)
        }
        position += 1
        return single
    }

    private mutating func number() throws(Filter.Mistake) -> FilterToken.Kind {
        let start = position
        while FilterLexer.isDigit(byte()) { position += 1 }
        var isWhole = true
        if byte() == UInt8(ascii: "."), FilterLexer.isDigit(byte(1)) {
            isWhole = false
            position += 1
            while FilterLexer.isDigit(byte()) { position += 1 }
        }
        if byte() == UInt8(ascii: "e") || byte() == UInt8(ascii: "E") {
            let sign = byte(1) == UInt8(ascii: "-") || byte(1) == UInt8(ascii: "+") ? 1 : 0
            if FilterLexer.isDigit(byte(1 + sign)) {
                isWhole = false
                position += 1 + sign
                while FilterLexer.isDigit(byte()) { position += 1 }
            }
        }
        guard !FilterLexer.isLetter(byte()) else { throw mistake("a number with a letter behind it", at: start) }
        let digits = written(from: start)
        if isWhole {
            guard let value = Int64(digits) else { throw mistake("a number that is too large", at: start) }
            return .integer(value)
        }
        guard let value = Double(digits), value.isFinite else { throw mistake("a number that is too large", at: start) }
        return .number(value)
    }

    private mutating func text() throws(Filter.Mistake) -> String {
        let start = position
        let quote = bytes[position]
        position += 1
        var content: [UInt8] = []
        while let next = byte(), next != quote {
            position += 1
            guard next != 0x0A, next != 0x0D else { throw mistake("a text that goes over a line's end", at: start) }
            guard next == UInt8(ascii: "\\") else {
                content.append(next)
                continue
            }
            content += try escape()
        }
        guard byte() == quote else { throw mistake("a text without its closing quote", at: start) }
        position += 1
        // The bytes came out of a String, and escapes add whole scalars.
        return String(decoding: content, as: UTF8.self)
    }

    private mutating func escape() throws(Filter.Mistake) -> [UInt8] {
        let start = position - 1
        let letter = byte()
        position += 1
        switch letter {
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): return letter.map { [$0] } ?? []
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            let digits = bytes[min(position, bytes.count)..<min(position + 4, bytes.count)]
            let isHexadecimal = digits.allSatisfy { FilterLexer.isDigit($0) || (0x61...0x66).contains($0 | 0x20) }
            guard digits.count == 4, isHexadecimal,
                let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(value)
            else { throw mistake("\\u needs four hexadecimal digits of a character", at: start) }
            position += 4
            return Array(String(Character(scalar)).utf8)
        default: throw mistake("an escape other than \\\\ \\\" \\' \\n \\r \\t and \\u", at: start)
        }
    }

    private func mistake(_ reason: String, at position: Int) -> Filter.Mistake {
        Filter.Mistake(position: position, reason: reason)
    }
}
