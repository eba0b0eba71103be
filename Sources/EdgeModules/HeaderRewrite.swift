import EdgeCore
import Shared

/// What the two header modules do: remove fields, then add some.
///
/// Removing takes every field of the name in any letter case; adding puts one more beside those that exist, so that
/// removing and adding the same name replaces it. `host` can exist only once: adding it replaces it. Fields that frame
/// the message, and `user-agent`, are out of reach.
struct HeaderRewrite: Sendable {
    static let maximumAdded = 5
    static let maximumRemoved = 5
    /// Bytes.
    static let maximumName = 256
    static let maximumValue = 4096

    private let removed: [String]
    private let added: [(name: String, value: HeaderTemplate)]
    /// Whether a value depends on the exchange.
    private let isVariable: Bool

    /// - Parameter settings: what `normalise` gave.
    init(_ settings: JSON) {
        removed = (settings["remove"]?.arrayValue ?? []).compactMap(\.stringValue)
        added = (settings["add"]?.objectValue ?? [:]).sorted { $0.key < $1.key }
            .map { (name: $0.key, value: HeaderTemplate($0.value.stringValue ?? "")) }
        isVariable = added.contains { $0.value.constant == nil }
    }

    func apply(to head: MessageHead, _ exchange: ExchangeView) {
        // Before anything is removed: a value may be made of a field that is.
        let values = isVariable ? added.map { $0.value.text(for: exchange) } : []
        for name in removed { head.remove(name) }
        for index in added.indices {
            let field = added[index]
            if field.name == "host" { head.remove(.host) }
            head.append(field.name, isVariable ? values[index] : field.value.constant ?? "")
        }
    }

    // MARK: Settings

    static func shape(_ name: String) -> Shape {
        Shape(
            name,
            [
                Shape.Field("add", .map(.text), "at most \(maximumAdded); names are kept in lower case"),
                Shape.Field("remove", .list(.text, maximum: maximumRemoved), "names, kept in lower case"),
            ])
    }

    static func normalise(_ settings: JSON, _ shape: Shape, subject: String) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, shape, subject: subject)
        let add = try reader.fields("add")
        let remove = try reader.strings("remove")
        guard add.count <= maximumAdded, remove.count <= maximumRemoved else {
            throw Fault(7015, "At most \(maximumAdded) headers can be added and \(maximumRemoved) removed.")
        }
        var added: [String: JSON] = [:]
        for (name, value) in add {
            let lowered = try check(name)
            guard added[lowered] == nil else { throw twice(lowered) }
            try check(value: value, of: lowered)
            added[lowered] = .string(value)
        }
        var removed: [String] = []
        for name in remove {
            let lowered = try check(name)
            guard !removed.contains(lowered) else { throw twice(lowered) }
            guard lowered != "host" || added["host"] != nil else {
                throw Fault(7164, "host cannot be removed without one being added.")
            }
            removed.append(lowered)
        }
        return ["add": .object(added), "remove": .array(removed.map { .string($0) })]
    }

    /// Gives the name in lower case.
    private static func check(_ name: String) throws(Fault) -> String {
        guard name.utf8.count <= maximumName else {
            throw Fault(7105, "A header name may have at most \(maximumName) bytes.")
        }
        guard FieldSyntax.isName(name) else { throw Fault(7023, "\"\(name)\" is not a header name.") }
        let lowered = name.lowercased()
        guard lowered != "user-agent", !FieldSyntax.reserved.contains(lowered) else {
            throw Fault(7164, "The header \(lowered) cannot be added or removed.")
        }
        return lowered
    }

    private static func check(value: String, of name: String) throws(Fault) {
        guard value.utf8.count <= maximumValue else {
            throw Fault(7106, "The value of \(name) may have at most \(maximumValue) bytes.")
        }
        guard FieldSyntax.isValue(value) else {
            throw Fault(7024, "The value of \(name) holds characters that a header may not.")
        }
    }

    private static func twice(_ name: String) -> Fault { Fault(7069, "The header \(name) is given more than once.") }
}
