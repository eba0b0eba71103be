/// Reads the words of a filter into an expression, by descent with a bounded depth.
struct FilterParser {
    private let tokens: [FilterToken]
    private let now: WallTime
    private var index = 0
    private var depth = 0
    private var nodes = 0

    /// - Parameter tokens: the last one is `.end`.
    init(tokens: [FilterToken], now: WallTime) {
        self.tokens = tokens
        self.now = now
    }

    mutating func whole() throws(Filter.Mistake) -> FilterNode {
        if case .end = current.kind { throw mistake("the expression is empty") }
        let node = try any()
        guard case .end = current.kind else { throw mistake("\(current.shown) was not expected here") }
        return node
    }

    private var current: FilterToken { tokens[index] }

    private mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    private mutating func take(_ symbol: String) -> Bool {
        guard case .symbol(symbol) = current.kind else { return false }
        advance()
        return true
    }

    private mutating func expect(_ symbol: String) throws(Filter.Mistake) {
        guard take(symbol) else { throw mistake("'\(symbol)' was expected instead of \(current.shown)") }
    }

    private func mistake(_ reason: String, at position: Int? = nil) -> Filter.Mistake {
        Filter.Mistake(position: position ?? current.position, reason: reason)
    }

    private mutating func node(_ form: FilterNode.Form, at position: Int) throws(Filter.Mistake) -> FilterNode {
        nodes += 1
        guard nodes <= Filter.maximumNodes else {
            throw mistake("the expression has more than \(Filter.maximumNodes) parts", at: position)
        }
        return FilterNode(form: form, position: position)
    }

    // MARK: Operators

    private mutating func any() throws(Filter.Mistake) -> FilterNode {
        let position = current.position
        depth += 1
        defer { depth -= 1 }
        guard depth <= Filter.maximumDepth else {
            throw mistake("the expression nests more than \(Filter.maximumDepth) levels")
        }
        var parts = [try all()]
        while take("||") { parts.append(try all()) }
        return parts.count == 1 ? parts[0] : try node(.any(parts), at: position)
    }

    private mutating func all() throws(Filter.Mistake) -> FilterNode {
        let position = current.position
        var parts = [try relation()]
        while take("&&") { parts.append(try relation()) }
        return parts.count == 1 ? parts[0] : try node(.all(parts), at: position)
    }

    private mutating func relation() throws(Filter.Mistake) -> FilterNode {
        let left = try unary()
        let position = current.position
        var result = left
        if case .name("in") = current.kind {
            advance()
            result = try node(.member(left, of: try unary()), at: position)
        } else if let comparison {
            advance()
            result = try node(.compare(comparison, left, try unary()), at: position)
        } else {
            return left
        }
        if comparison != nil || current.kind == .name("in") {
            throw mistake("comparisons cannot follow each other: use parentheses")
        }
        return result
    }

    private var comparison: FilterNode.Comparison? {
        guard case .symbol(let symbol) = current.kind else { return nil }
        return FilterNode.Comparison(rawValue: symbol)
    }

    private mutating func unary() throws(Filter.Mistake) -> FilterNode {
        let position = current.position
        var isNegated = false
        var negations = 0
        while take("!") {
            isNegated.toggle()
            negations += 1
            guard depth + negations <= Filter.maximumDepth else {
                throw mistake("the expression nests more than \(Filter.maximumDepth) levels", at: position)
            }
        }
        let operand = try postfix()
        // `!!x` is `x` for every condition, but it has to be one.
        if negations == 0 { return operand }
        let once = try node(.not(operand), at: position)
        return isNegated ? once : try node(.not(once), at: position)
    }

    // MARK: Operands

    private mutating func postfix() throws(Filter.Mistake) -> FilterNode {
        var operand = try primary()
        while true {
            let position = current.position
            if take("[") { throw mistake("access by index is not supported", at: position) }
            guard take(".") else { return operand }
            guard case .name(let name) = current.kind else { throw mistake("a name was expected after '.'") }
            let place = current.position
            advance()
            if take("(") {
                operand = try method(name, of: operand, at: place)
            } else if case .field(let path, let type) = operand.form {
                // The same part, a level further down.
                operand = FilterNode(form: .field(path + [name], type), position: operand.position)
            } else {
                throw mistake("only obj and what is in it have fields", at: place)
            }
        }
    }

    private mutating func method(
        _ name: String, of operand: FilterNode, at position: Int
    ) throws(Filter.Mistake) -> FilterNode {
        switch name {
        case "size":
            try expect(")")
            return try node(.size(operand), at: position)
        case "add", "subtract":
            guard case .literal(.time(let time)) = operand.form else {
                throw mistake("\(name)() needs a timestamp(…) before it", at: position)
            }
            let place = current.position
            guard case .text(let written) = current.kind, let duration = FilterTime.duration(written) else {
                throw mistake("\(name)() needs a duration such as \"7d\" or \"1h30m\"", at: place)
            }
            advance()
            try expect(")")
            let (sum, isOver) = time.addingReportingOverflow(name == "add" ? duration : -duration)
            guard !isOver else { throw mistake("the time is out of range", at: place) }
            return FilterNode(form: .literal(.time(sum)), position: operand.position)
        default:
            guard let test = FilterNode.TextTest(rawValue: name) else {
                throw mistake("there is no function '\(name.prefix(64))'", at: position)
            }
            let argument = try any()
            try expect(")")
            return try node(.test(test, operand, argument), at: position)
        }
    }

    private mutating func primary() throws(Filter.Mistake) -> FilterNode {
        let position = current.position
        switch current.kind {
        case .text, .integer, .number: return try node(.literal(try literal()), at: position)
        case .symbol("-"): return try node(.literal(try literal()), at: position)
        case .symbol("("):
            advance()
            let inner = try any()
            try expect(")")
            return inner
        case .symbol("["):
            advance()
            return try node(.list(try elements()), at: position)
        case .name(let name): return try named(name, at: position)
        case .symbol, .end: throw mistake("a value was expected instead of \(current.shown)")
        }
    }

    private mutating func named(_ name: String, at position: Int) throws(Filter.Mistake) -> FilterNode {
        if let word = FilterParser.words[name] {
            advance()
            return try node(.literal(word), at: position)
        }
        switch name {
        case "obj":
            advance()
            return try node(.field([], .anything), at: position)
        case "size":
            advance()
            try expect("(")
            let operand = try any()
            try expect(")")
            return try node(.size(operand), at: position)
        case "timestamp":
            advance()
            return try timestamp(at: position)
        case "time": throw mistake("time.now has its place in timestamp(time.now)")
        default: throw mistake("the name \(current.shown) is not known: fields are written obj.…")
        }
    }

    private static let words: [String: FilterValue] = ["true": .flag(true), "false": .flag(false), "null": .null]

    /// `timestamp("…")`, `timestamp(time.now)`, or `timestamp(obj.…)`, which is the field itself.
    private mutating func timestamp(at position: Int) throws(Filter.Mistake) -> FilterNode {
        try expect("(")
        let place = current.position
        if case .text(let written) = current.kind {
            guard let time = FilterTime.microseconds(written) else {
                throw mistake("timestamp() needs a time as RFC 3339 writes it, such as \"2026-01-31T09:30:00Z\"")
            }
            advance()
            try expect(")")
            return try node(.literal(.time(time)), at: position)
        }
        if case .name("time") = current.kind {
            advance()
            try expect(".")
            guard case .name("now") = current.kind else { throw mistake("'now' was expected after 'time.'") }
            advance()
            try expect(")")
            return try node(.literal(.time(now.seconds * FilterTime.second)), at: position)
        }
        let operand = try postfix()
        guard case .field(let path, _) = operand.form else {
            throw mistake("timestamp() needs a text, time.now or a field", at: place)
        }
        try expect(")")
        return FilterNode(form: .field(path, .time), position: operand.position)
    }

    /// The rest of a list after its bracket.
    private mutating func elements() throws(Filter.Mistake) -> [FilterValue] {
        var elements: [FilterValue] = []
        guard !take("]") else { return elements }
        repeat {
            nodes += 1
            guard nodes <= Filter.maximumNodes else {
                throw mistake("the expression has more than \(Filter.maximumNodes) parts")
            }
            elements.append(try literal())
        } while take(",")
        try expect("]")
        return elements
    }

    private mutating func literal() throws(Filter.Mistake) -> FilterValue {
        let isNegative = take("-")
        let value: FilterValue
        switch current.kind {
        case .integer(let number): value = .integer(isNegative ? -number : number)
        case .number(let number): value = .number(isNegative ? -number : number)
        case _ where isNegative: throw mistake("arithmetic is not supported: '-' only begins a number")
        case .text(let text): value = .text(text)
        case .name(let name):
            guard let word = FilterParser.words[name] else {
                throw mistake("a list holds texts, numbers, true, false and null, not \(current.shown)")
            }
            value = word
        default: throw mistake("a value was expected instead of \(current.shown)")
        }
        advance()
        return value
    }
}
