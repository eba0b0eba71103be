import Shared

/// One part of a filter, and where it was written.
struct FilterNode: Hashable, Sendable {
    indirect enum Form: Hashable, Sendable {
        case literal(FilterValue)
        /// Below `obj`. Which type it has is known when it was checked.
        case field([String], FilterType)
        case list([FilterValue])
        case not(FilterNode)
        case all([FilterNode])
        case any([FilterNode])
        case compare(Comparison, FilterNode, FilterNode)
        case member(FilterNode, of: FilterNode)
        case size(FilterNode)
        case test(TextTest, FilterNode, FilterNode)
    }

    enum Comparison: String, Hashable, Sendable, CaseIterable {
        case equal = "=="
        case unequal = "!="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="

        var isOrdering: Bool { self != .equal && self != .unequal }
    }

    enum TextTest: String, Hashable, Sendable, CaseIterable {
        case startsWith, contains, endsWith
    }

    let form: Form
    let position: Int
}

/// What a part of a filter stands for.
enum FilterType: Hashable, Sendable {
    case null, flag, number, text, time
    case list(of: Schema)
    case map(of: Schema)
    case object(Shape)
    case anything

    init(_ schema: Schema) {
        self =
            switch schema {
            case .text, .choice: .text
            case .time: .time
            case .integer, .number: .number
            case .flag: .flag
            case .list(let element, _): .list(of: element)
            case .map(let element): .map(of: element)
            case .object(let shape): .object(shape)
            case .nullable(let inner): FilterType(inner)
            case .anything: .anything
            }
    }

    /// As a message calls it.
    var name: String {
        switch self {
        case .null: "null"
        case .flag: "true or false"
        case .number: "a number"
        case .text: "a text"
        case .time: "a time"
        case .list: "a list"
        case .map, .object: "an object"
        case .anything: "a value of any type"
        }
    }
}

/// What a part of a filter comes to, for one object.
enum FilterValue: Hashable, Sendable {
    case null
    case flag(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    /// Microseconds since 1970.
    case time(Int64)
    /// Anything that is only asked for its size, or what is in it.
    case document(JSON)

    var type: FilterType {
        switch self {
        case .null: .null
        case .flag: .flag
        case .integer, .number: .number
        case .text: .text
        case .time: .time
        case .document: .anything
        }
    }
}
