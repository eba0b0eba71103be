import EdgeCore
import Shared

/// The members of a request's body: known ones only, each read with its type. A member that is `null` counts as absent.
struct Fields {
    private let members: [String: JSON]

    /// - Parameters:
    ///   - body: absent counts as `{}`.
    ///   - shape: the documented fields.
    ///   - legacy: old names that are let through when they are `null` or empty.
    /// - Throws: 213 when the body is no object or a field has another type, 214 for a name that is not known.
    init(_ body: JSON?, _ shape: Shape, legacy: Set<String> = []) throws(Fault) {
        try self.init(body, known: shape.names, legacy: legacy)
        for field in shape.fields {
            guard let value = members[field.name], let expected = field.schema.mismatch(value) else { continue }
            throw Fields.wrongType(field.name, expected)
        }
    }

    /// - Throws: 213 when the body is no object, 214 for a name that is not known.
    init(_ body: JSON?, known: some Sequence<String>, legacy: Set<String> = []) throws(Fault) {
        let body = body ?? .object([:])
        guard let members = body.objectValue ?? (body.isNull ? [:] : nil) else {
            throw Fault(213, "The application/json request body could not be parsed: it is not an object.")
        }
        let known = Set(known)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            if legacy.contains(name), value.isNull || value == "" { continue }
            throw Fault(214, "The request body has the unknown field '\(name.prefix(64))'.")
        }
        self.members = members.filter { !$0.value.isNull }
    }

    subscript(name: String) -> JSON? { members[name] }

    func has(_ name: String) -> Bool { members[name] != nil }

    func string(_ name: String) throws(Fault) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.stringValue else { throw Fields.wrongType(name, "a string") }
        return text
    }

    func bool(_ name: String) throws(Fault) -> Bool? {
        guard let value = members[name] else { return nil }
        guard let flag = value.boolValue else { throw Fields.wrongType(name, "true or false") }
        return flag
    }

    func strings(_ name: String) throws(Fault) -> [String]? {
        guard let value = members[name] else { return nil }
        guard let elements = value.arrayValue else { throw Fields.wrongType(name, "a list of strings") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.stringValue else { throw Fields.wrongType(name, "a list of strings") }
            texts.append(text)
        }
        return texts
    }

    static func wrongType(_ name: String, _ expected: String) -> Fault {
        Fault(213, "The application/json request body could not be parsed: '\(name)' must be \(expected).")
    }
}

/// `description` and `metadata`, which every kind has, with the codes of its own; `nil` where the public API documents
/// none.
struct TextFields: Sendable {
    static let fields = [
        Shape.Field("description", .text(maximum: 255)), Shape.Field("metadata", .text(maximum: 4096)),
    ]
    let descriptionCode: Int?
    let metadataCode: Int?

    /// The texts of a new object.
    func create(_ fields: Fields) throws(Fault) -> [String: JSON] {
        try read(fields, into: ["description": "", "metadata": ""])
    }

    /// Takes over the texts that an update has.
    /// - Parameter emptyKeeps: whether `""` means unchanged. The official Python client sends it for routes unasked.
    func update(_ document: inout JSON, _ fields: Fields, emptyKeeps: Bool = false) throws(Fault) {
        for (name, value) in try read(fields, into: [:]) where !(emptyKeeps && value == "") { document[name] = value }
    }

    private func read(_ fields: Fields, into start: [String: JSON]) throws(Fault) -> [String: JSON] {
        var texts = start
        if let text = try fields.string("description") {
            try check("description", text, 255, descriptionCode)
            texts["description"] = .string(text)
        }
        if let text = try fields.string("metadata") {
            try check("metadata", text, 4096, metadataCode)
            texts["metadata"] = .string(text)
        }
        return texts
    }

    private func check(_ name: String, _ text: String, _ limit: Int, _ code: Int?) throws(Fault) {
        guard text.utf8.count <= limit else {
            throw Fault(
                code, "The \(name) is limited to \(limit) characters, but the provided value had \(text.utf8.count).")
        }
    }
}
