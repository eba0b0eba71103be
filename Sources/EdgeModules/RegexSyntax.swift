/// The syntax of RE2's regular expressions, which can always be matched in time that grows with the text alone: what it
/// has no words for is refused, such as looking around (`(?=x)`) and referring back (`\1`).
///
/// The reader follows the syntax as RE2 documents it, with RE2's bounds on repetition. Names of Unicode scripts are
/// taken by their form alone (`\p{Greek}`), whether or not there is such a script.
struct RegexSyntax {
    /// Bytes of one expression.
    static let maximumLength = 1024
    /// Groups within groups.
    static let maximumDepth = 100
    /// What a counted repetition may say, also multiplied with those around it.
    static let maximumRepetition = 1000

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var names: Set<String> = []

    private struct Mistake: Error { let text: String }

    /// What is wrong with an expression, or `nil`.
    static func mistake(in pattern: String) -> String? {
        guard pattern.utf8.count <= maximumLength else { return "it has more than \(maximumLength) bytes" }
        var syntax = RegexSyntax(scalars: Array(pattern.unicodeScalars))
        do throws(Mistake) {
            _ = try syntax.alternatives(depth: 0)
            guard syntax.isAtEnd else { throw Mistake(text: "unexpected )") }
            return nil
        } catch {
            return error.text
        }
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var isAtEnd: Bool { position == scalars.count }
    private var current: Unicode.Scalar? { isAtEnd ? nil : scalars[position] }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    // MARK: Expressions

    /// Gives how often its most repeated part is repeated at most by counts.
    private mutating func alternatives(depth: Int) throws(Mistake) -> Int {
        guard depth <= RegexSyntax.maximumDepth else { throw Mistake(text: "expression nests too deeply") }
        var most = 1
        repeat {
            while let scalar = current, scalar != "|", scalar != ")" {
                most = max(most, try repeated(try piece(depth: depth)))
            }
        } while take("|")
        return most
    }

    /// The repetitions after a piece. `nil` for a piece that cannot be repeated, such as a change of flags.
    private mutating func repeated(_ count: Int?) throws(Mistake) -> Int {
        var isRepeated = false
        var total = count ?? 1
        while let times = try repetition() {
            guard count != nil else { throw Mistake(text: "missing argument to repetition operator") }
            guard !isRepeated else { throw Mistake(text: "invalid nested repetition operator") }
            isRepeated = true
            total *= times
            guard total <= RegexSyntax.maximumRepetition else { throw Mistake(text: "invalid repeat count") }
            _ = take("?")
        }
        return total
    }

    /// A repetition operator, if one follows: the number of its count, or 1. A brace that is no count is itself.
    private mutating func repetition() throws(Mistake) -> Int? {
        if take("*") || take("+") || take("?") { return 1 }
        let start = position
        guard take("{"), let least = number() else {
            position = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}") else {
            position = start
            return nil
        }
        guard least <= RegexSyntax.maximumRepetition, most ?? least <= RegexSyntax.maximumRepetition,
            least <= most ?? least
        else { throw Mistake(text: "invalid repeat count") }
        return max(1, most ?? least)
    }

    private mutating func number() -> Int? {
        let start = position
        var value = 0
        while let scalar = current, ("0"..."9").contains(scalar) {
            value = min(value * 10 + Int(scalar.value - 0x30), 1_000_000)
            position += 1
        }
        return position > start ? value : nil
    }

    private mutating func piece(depth: Int) throws(Mistake) -> Int? {
        let scalar = scalars[position]
        switch scalar {
        case "(": return try group(depth: depth)
        case "[": try characterClass()
        case "\\": try escape(inClass: false)
        case "*", "+", "?": throw Mistake(text: "missing argument to repetition operator: \(scalar)")
        case "{":
            if try repetition() != nil { throw Mistake(text: "missing argument to repetition operator") }
            position += 1
        default: position += 1
        }
        return 1
    }

    private mutating func group(depth: Int) throws(Mistake) -> Int? {
        position += 1
        if take("?") {
            if take("P<") || (!isLookBehind && take("<")) {
                try groupName()
            } else {
                guard try flags() else { return nil }
            }
        }
        let most = try alternatives(depth: depth + 1)
        guard take(")") else { throw Mistake(text: "missing closing )") }
        return most
    }

    private var isLookBehind: Bool {
        let rest = scalars[position...]
        return rest.starts(with: ["<", "="]) || rest.starts(with: ["<", "!"])
    }

    private mutating func groupName() throws(Mistake) {
        var name = ""
        while let scalar = current, scalar != ">" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        let isWord = name.utf8.allSatisfy { RegexSyntax.isWord($0) }
        guard take(">"), !name.isEmpty, isWord else { throw Mistake(text: "invalid named capture") }
        guard names.insert(name).inserted else { throw Mistake(text: "duplicate capture group name \(name)") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
    }

    /// `(?i)`, which ends here, or `(?i:`, after which an expression follows.
    private mutating func flags() throws(Mistake) -> Bool {
        var isNegated = false
        var flagged = false
        while let scalar = current {
            position += 1
            switch scalar {
            case "i", "m", "s", "U": flagged = true
            case "-":
                guard !isNegated else { throw Mistake(text: "invalid or unsupported Perl syntax") }
                isNegated = true
                flagged = false
            case ":", ")":
                guard !isNegated || flagged else { throw Mistake(text: "invalid or unsupported Perl syntax") }
                return scalar == ":"
            default: throw Mistake(text: "invalid or unsupported Perl syntax")
            }
        }
        throw Mistake(text: "missing closing )")
    }

    // MARK: Characters

    private mutating func escape(inClass: Bool) throws(Mistake) {
        position += 1
        guard let scalar = current else { throw Mistake(text: "trailing backslash at end of expression") }
        position += 1
        switch scalar {
        case "1"..."7":
            // Two octal digits or more are a character; one alone would refer back.
            guard let next = current, ("0"..."7").contains(next) else { throw invalidEscape(scalar) }
            takeOctal()
        case "0": takeOctal()
        case "x": try hexadecimal()
        case "a", "f", "n", "r", "t", "v", "d", "D", "s", "S", "w", "W": break
        case "p", "P": try property()
        case "A", "b", "B", "z", "Q", "E", "C":
            guard !inClass, scalar != "C" else { throw invalidEscape(scalar) }
            if scalar == "Q" { quoted() }
        default:
            let isPunctuation = scalar.value < 0x80 && !RegexSyntax.isWord(UInt8(scalar.value))
            guard isPunctuation || scalar == "_" else { throw invalidEscape(scalar) }
        }
    }

    private func invalidEscape(_ scalar: Unicode.Scalar) -> Mistake {
        Mistake(text: "invalid escape sequence \\\(scalar)")
    }

    private mutating func takeOctal() {
        var digits = 0
        while digits < 2, let scalar = current, ("0"..."7").contains(scalar) {
            position += 1
            digits += 1
        }
    }

    private mutating func hexadecimal() throws(Mistake) {
        let isBraced = take("{")
        var digits = 0
        var value: UInt32 = 0
        while let scalar = current, let digit = Character(scalar).hexDigitValue, isBraced || digits < 2 {
            value = min(value, 0x0FFF_FFFF) * 16 + UInt32(digit)
            digits += 1
            position += 1
        }
        let isWhole = isBraced ? digits > 0 && take("}") : digits == 2
        guard isWhole, value <= 0x10FFFF else { throw invalidEscape("x") }
    }

    /// Everything up to `\E`, or to the end, stands for itself.
    private mutating func quoted() {
        while !isAtEnd {
            if take("\\E") { return }
            position += 1
        }
    }

    /// `\pN` or `\p{Greek}`.
    private mutating func property() throws(Mistake) {
        guard take("{") else {
            guard let scalar = current, scalar.value < 0x80, Character(scalar).isLetter else {
                throw Mistake(text: "invalid character class range")
            }
            position += 1
            return
        }
        _ = take("^")
        let start = position
        while let scalar = current, scalar != "}" {
            guard scalar.value < 0x80, RegexSyntax.isWord(UInt8(scalar.value)) else {
                throw Mistake(text: "invalid character class range")
            }
            position += 1
        }
        guard position > start, take("}") else { throw Mistake(text: "invalid character class range") }
    }

    private mutating func characterClass() throws(Mistake) {
        position += 1
        _ = take("^")
        var isFirst = true
        while true {
            guard let scalar = current else { throw Mistake(text: "missing closing ]") }
            if scalar == "]", !isFirst {
                position += 1
                return
            }
            isFirst = false
            if try namedClass() { continue }
            let low = try member()
            let rest = scalars[position...]
            guard rest.first == "-", let end = rest.dropFirst().first, end != "]" else { continue }
            position += 1
            let high = try member()
            guard let low, let high, low <= high else { throw Mistake(text: "invalid character class range") }
        }
    }

    private static let classNames: Set<String> = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ]

    /// `[:alpha:]`, if one follows.
    private mutating func namedClass() throws(Mistake) -> Bool {
        guard scalars[position...].starts(with: ["[", ":"]) else { return false }
        let rest = scalars[(position + 2)...]
        guard let colon = rest.firstIndex(of: ":"), colon + 1 < scalars.count, scalars[colon + 1] == "]" else {
            return false
        }
        var name = String(String.UnicodeScalarView(rest[..<colon]))
        if name.hasPrefix("^") { name.removeFirst() }
        guard RegexSyntax.classNames.contains(name) else { throw Mistake(text: "invalid character class range") }
        position = colon + 2
        return true
    }

    /// One member of a class: its value, or `nil` when it is a class of its own and cannot bound a range.
    private mutating func member() throws(Mistake) -> UInt32? {
        guard let scalar = current else { throw Mistake(text: "missing closing ]") }
        guard scalar == "\\" else {
            position += 1
            return scalar.value
        }
        let start = position
        try escape(inClass: true)
        return RegexSyntax.value(scalars[(start + 1)..<position])
    }

    /// What an escape inside a class stands for; checked before.
    private static func value(_ escape: ArraySlice<Unicode.Scalar>) -> UInt32? {
        guard let first = escape.first else { return nil }
        let digits = String(String.UnicodeScalarView(escape.dropFirst().filter { $0 != "{" && $0 != "}" }))
        switch first {
        case "x": return UInt32(digits, radix: 16)
        case "0"..."7": return UInt32(String(first) + digits, radix: 8)
        case "d", "D", "s", "S", "w", "W", "p", "P": return nil
        case "a": return 7
        case "f": return 12
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "v": return 11
        default: return first.value
        }
    }
}
