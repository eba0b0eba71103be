import Glibc
import Shared

extension FilterNode {
    /// Whether a condition holds for an object.
    func holds(for object: JSON) -> Bool {
        switch form {
        case .not(let operand): return !operand.holds(for: object)
        case .all(let parts): return parts.allSatisfy { $0.holds(for: object) }
        case .any(let parts): return parts.contains { $0.holds(for: object) }
        case .compare(let comparison, let left, let right):
            return comparison.holds(left.value(in: object), right.value(in: object))
        case .member(let element, let list): return FilterNode.isMember(element.value(in: object), of: list, in: object)
        case .test(let test, let text, let part):
            guard case .text(let text) = text.value(in: object), case .text(let part) = part.value(in: object) else {
                return false
            }
            return test.holds(text, part)
        case .literal, .field, .list, .size: return value(in: object) == .flag(true)
        }
    }

    private func value(in object: JSON) -> FilterValue {
        switch form {
        case .literal(let value): return value
        case .field(let path, let type): return FilterNode.field(path, type, in: object)
        case .size(let operand): return .integer(Int64(operand.value(in: object).size))
        case .list: return .null
        case .not, .all, .any, .compare, .member, .test: return .flag(holds(for: object))
        }
    }

    private static func field(_ path: [String], _ type: FilterType, in object: JSON) -> FilterValue {
        var document = object
        for name in path {
            guard let member = document[name] else { return .null }
            document = member
        }
        if type == .time { return document.stringValue.flatMap(FilterTime.microseconds).map { .time($0) } ?? .null }
        return FilterValue(document)
    }

    private static func isMember(_ element: FilterValue, of list: FilterNode, in object: JSON) -> Bool {
        if case .list(let values) = list.form { return values.contains { Comparison.equal.holds(element, $0) } }
        guard case .document(let document) = list.value(in: object) else { return false }
        if let values = document.arrayValue {
            return values.contains { Comparison.equal.holds(element, FilterValue($0)) }
        }
        guard case .text(let name) = element else { return false }
        return document[name] != nil
    }
}

extension FilterValue {
    init(_ document: JSON) {
        self =
            switch document {
            case .null: .null
            case .bool(let flag): .flag(flag)
            case .int(let number): .integer(number)
            case .double(let number): .number(number)
            case .string(let text): .text(text)
            case .array, .object: .document(document)
            }
    }

    fileprivate var size: Int {
        switch self {
        case .text(let text): text.unicodeScalars.count
        case .document(let document): document.arrayValue?.count ?? document.objectValue?.count ?? 0
        default: 0
        }
    }
}

extension FilterNode.Comparison {
    func holds(_ left: FilterValue, _ right: FilterValue) -> Bool {
        switch (left, right) {
        case (.null, .null): return isOrdering ? false : self == .equal
        case (.flag(let one), .flag(let other)): return isOrdering ? false : (one == other) == (self == .equal)
        case (.integer(let one), .integer(let other)), (.time(let one), .time(let other)): return holds(one, other)
        case (.integer(let one), .number(let other)): return holds(Double(one), other)
        case (.number(let one), .integer(let other)): return holds(one, Double(other))
        case (.number(let one), .number(let other)): return holds(one, other)
        case (.text(let one), .text(let other)): return holds(TextOrder(text: one), TextOrder(text: other))
        default: return self == .unequal
        }
    }

    private func holds<Value: Comparable>(_ one: Value, _ other: Value) -> Bool {
        switch self {
        case .equal: one == other
        case .unequal: one != other
        case .less: one < other
        case .atMost: one <= other
        case .greater: one > other
        case .atLeast: one >= other
        }
    }
}

/// Texts by their code points: Swift's own comparison takes canonically equivalent ones for the same.
private struct TextOrder: Comparable {
    let text: String

    static func == (one: Self, other: Self) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }
    static func < (one: Self, other: Self) -> Bool { one.text.utf8.lexicographicallyPrecedes(other.text.utf8) }
}

extension FilterNode.TextTest {
    func holds(_ text: String, _ part: String) -> Bool {
        switch self {
        case .startsWith: text.utf8.starts(with: part.utf8)
        case .endsWith: text.utf8.reversed().starts(with: part.utf8.reversed())
        case .contains: FilterNode.TextTest.isPart(part, of: text)
        }
    }

    private static func isPart(_ part: String, of text: String) -> Bool {
        var text = text
        var part = part
        return text.withUTF8 { text in part.withUTF8 { isPart($0, of: text) } }
    }

    /// Goes from one appearance of the first byte to the next.
    private static func isPart(_ part: UnsafeBufferPointer<UInt8>, of text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let searched = part.baseAddress, let first = part.first else { return true }
        guard let start = text.baseAddress else { return false }
        var offset = 0
        while text.count - offset >= part.count {
            let rest = text.count - offset - part.count + 1
            guard let found = memchr(start + offset, Int32(first), rest) else { return false }
            if memcmp(found, searched, part.count) == 0 { return true }
            offset = UnsafeRawPointer(found) - UnsafeRawPointer(start) + 1
        }
        return false
    }
}
