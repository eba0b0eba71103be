import Shared

/// Which objects of a list a client wants: a condition on one object, in the public API's subset of CEL.
///
///     obj.type == "cloud" && obj.created_at > timestamp(time.now).subtract("7d")
///
/// There are `! && ||`, comparisons, parentheses, `in`, `size()`, `startsWith`, `contains`, `endsWith` and
/// `timestamp()`; there is no indexing, arithmetic, ternary, type test or regular expression. Names and types are
/// checked against the form of the list's elements before the first one is looked at, so that a filter either is
/// refused or has an answer for every object:
///
/// - A field that is `null`, or below one, equals `null` and nothing else; every other test of it is false, its size
///   is 0, and as a condition it is false.
/// - Texts are compared by their code points, and their size is counted in them.
/// - An object with an `id` that is compared with a text is compared by that `id`.
/// - A list that is compared with `""` is compared with the empty list, as the public API's examples do it.
///
/// A pure value: the time of `time.now` is passed in, and evaluating neither fails nor waits.
struct Filter: Sendable {
    /// Bytes of an expression.
    static let maximumLength = 4096
    /// Levels of parentheses, negations and lists.
    static let maximumDepth = 32
    /// Operators, fields and literals together: the cost of looking at one object goes by it.
    static let maximumNodes = 256

    /// What is wrong with an expression, and where: `position` counts bytes from 0.
    struct Mistake: Error, Hashable, Sendable {
        let position: Int
        let reason: String
    }

    private let condition: FilterNode

    /// - Parameters:
    ///   - text: as the client wrote it.
    ///   - shape: the form of the objects.
    ///   - now: what `time.now` means.
    init(_ text: String, on shape: Shape, now: WallTime) throws(Mistake) {
        guard text.utf8.count <= Filter.maximumLength else {
            throw Mistake(
                position: Filter.maximumLength, reason: "the expression is longer than \(Filter.maximumLength) bytes")
        }
        var parser = FilterParser(tokens: try FilterLexer.tokens(of: text), now: now)
        condition = try FilterChecker(shape: shape).condition(try parser.whole())
    }

    /// Whether an object, as the API answers it, is wanted.
    func matches(_ document: JSON) -> Bool { condition.holds(for: document) }
}
