import EdgeCore
import Shared

/// Names for objects that do not exist yet: `${new:web}` stands for the identifier of the object that an earlier
/// operation of the same request made under the name `web`, and `${new:web.addr}` for that object's field `addr`.
///
/// A placeholder is a whole string: a value or a member's name of a body, or a segment of a path. Every string that
/// begins with `${new:` is one, so a misspelt one is an error and never a value; a value that has to begin like that
/// is written with one more `$` before it. `new:` followed by a name is no expression of the traffic policy language,
/// whose `${…}` stays as it is.
enum Placeholders {
    struct Reference: Sendable, Hashable {
        let name: String
        /// `nil` for the identifier.
        let field: String?
    }

    /// What a placeholder stands for.
    typealias Resolve = (Reference) throws -> JSON

    private static let mark = "${new:"

    /// A name begins with a letter and has letters, digits, `_` and `-`, 64 at most.
    static func isName(_ text: some StringProtocol) -> Bool {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2D }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    /// - Returns: `nil` for a string that stands for itself.
    /// - Throws: 400 for one that begins like a placeholder and is none.
    static func reference(_ text: String) throws(Fault) -> Reference? {
        guard text.hasPrefix(mark) else { return nil }
        let inside = text.dropFirst(mark.count).dropLast()
        let parts = inside.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.hasSuffix("}"), let name = parts.first, isName(name), parts.count == 1 || isName(parts[1]) else {
            throw Fault(
                nil,
                "'\(text.prefix(100))' has not the form ${new:name} or ${new:name.field}; "
                    + "a text that begins like that is written with one more $.")
        }
        return Reference(name: String(name), field: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// The placeholders of a body, member names first.
    static func references(in value: JSON) throws(Fault) -> [Reference] {
        switch value {
        case .string(let text): return try reference(text).map { [$0] } ?? []
        case .array(let elements):
            var found: [Reference] = []
            for element in elements { found += try references(in: element) }
            return found
        case .object(let members):
            var found: [Reference] = []
            for (name, member) in members {
                if let reference = try reference(name) { found.append(reference) }
                found += try references(in: member)
            }
            return found
        case .null, .bool, .int, .double: return []
        }
    }

    /// A body with what its placeholders stand for.
    static func substitute(_ value: JSON, _ resolve: Resolve) throws -> JSON {
        switch value {
        case .string(let text): return try reference(text).map(resolve) ?? .string(literal(text))
        case .array(let elements): return .array(try elements.map { try substitute($0, resolve) })
        case .object(let members):
            var result: [String: JSON] = [:]
            for (name, member) in members {
                let name = try substitute(text: name, resolve)
                guard result.updateValue(try substitute(member, resolve), forKey: name) == nil else {
                    throw Fault(213, "The member '\(name.prefix(64))' is there twice once placeholders are filled in.")
                }
            }
            return .object(result)
        case .null, .bool, .int, .double: return value
        }
    }

    /// A member's name or a segment of a path, which can only be a string.
    static func substitute(text: String, _ resolve: Resolve) throws -> String {
        guard let reference = try reference(text) else { return literal(text) }
        guard let result = try resolve(reference).stringValue else {
            throw Fault(nil, "'\(text.prefix(100))' is no string, as a name or a path needs.")
        }
        return result
    }

    /// Without the `$` that keeps a text from being a placeholder.
    private static func literal(_ text: String) -> String {
        guard text.hasPrefix("$$") else { return text }
        return text.drop { $0 == "$" }.hasPrefix("{new:") ? String(text.dropFirst()) : text
    }
}
