import Shared

/// A form made out of a JSON document: an example tells which fields there are and of what kind, the document what they
/// say now. Nested objects become dotted names; lists and maps of text become one line each.
struct DocumentForm: Sendable {
    enum Kind: Sendable, Hashable {
        case text, whole, number, toggle
        /// `a, b`
        case list
        /// `name=value, name=value`
        case map
        /// Anything else, as JSON.
        case document
    }

    struct Field: Sendable {
        var path: [String]
        var kind: Kind
        var field: TextField
        var original: JSON
        /// What the example says, for the line of help: a new document must not begin with somebody's example.
        var example = ""

        var label: String { path.joined(separator: ".") }
        var isOn: Bool { field.text == "yes" }
    }

    private(set) var fields: [Field] = []
    private var rest: JSON

    init(example: JSON, document: JSON?) {
        let settled = document.map { DocumentForm.writable($0, like: example) }
        rest = settled ?? [:]
        var example = example
        // Every module can be switched off without losing its settings.
        if example["enabled"] == nil, case .object = example { example["enabled"] = true }
        add(example, settled, path: [])
        fields.sort { one, other in
            (one.label == "enabled" ? 0 : 1, one.label) < (other.label == "enabled" ? 0 : 1, other.label)
        }
    }

    /// The API answers references as objects but takes identifiers: `ip_policies: [{id}]` is written as
    /// `ip_policy_ids: [id]`, and `backend: {id}` as `backend_id: id`.
    private static func writable(_ document: JSON, like example: JSON) -> JSON {
        guard let wanted = example.objectValue, var members = document.objectValue else { return document }
        for key in wanted.keys where members[key] == nil && (key.hasSuffix("_ids") || key.hasSuffix("_id")) {
            let stem = key.prefix { $0 != "_" }
            let answered = members.first { name, value in
                guard wanted[name] == nil, name.hasPrefix(stem) else { return false }
                return value["id"] != nil || value.arrayValue.map { $0.allSatisfy { $0["id"] != nil } } == true
            }
            guard let answered else { continue }
            members[answered.key] = nil
            members[key] = answered.value.arrayValue.map { .array($0.compactMap { $0["id"] }) } ?? answered.value["id"]
        }
        return .object(members)
    }

    private mutating func add(_ example: JSON, _ document: JSON?, path: [String]) {
        let members = (example.objectValue ?? [:]).merging(document?.objectValue ?? [:]) { first, _ in first }
        for (key, shape) in members {
            let present: JSON? = document?[key]
            // An object that a document says is null is not filled in from the example: sent back, it would be set.
            let isLeftOut = present?.isNull == true && document?.objectValue != nil && shape.objectValue != nil
            let kind = isLeftOut ? .document : DocumentForm.kind(of: shape.isNull ? present ?? shape : shape)
            guard let kind else {
                add(shape, present, path: path + [key])
                continue
            }
            let value = present ?? DocumentForm.initial(shape, kind)
            let isFree = [.list, .map, .document].contains(kind)
            fields.append(
                Field(
                    path: path + [key], kind: kind, field: TextField(DocumentForm.text(value, kind)), original: value,
                    example: isFree ? DocumentForm.text(shape, kind) : ""))
        }
    }

    /// Numbers and switches begin as in the example, which says the server's own defaults. Names and values are the
    /// operator's: sent by an early Enter, an example of a header would go live.
    private static func initial(_ shape: JSON, _ kind: Kind) -> JSON {
        switch kind {
        case .list, .document: [] as JSON
        case .map: [:] as JSON
        default: shape
        }
    }

    /// `nil` for an object whose members are fields of their own.
    private static func kind(of value: JSON) -> Kind? {
        switch value {
        case .bool: return .toggle
        case .int: return .whole
        case .double: return .number
        case .string, .null: return .text
        case .array(let items): return items.allSatisfy { $0.stringValue != nil } ? .list : .document
        case .object(let members):
            return members.values.allSatisfy { $0.stringValue != nil } ? .map : nil
        }
    }

    private static func text(_ value: JSON, _ kind: Kind) -> String {
        switch kind {
        case .toggle: value.boolValue == true ? "yes" : "no"
        case .text: value.stringValue ?? ""
        case .whole, .number: value.isNull ? "" : value.text
        case .list:
            (value.arrayValue ?? []).compactMap(\.stringValue).map(quoted).joined(separator: ", ")
        case .map:
            (value.objectValue ?? [:]).sorted { $0.key < $1.key }
                .map { "\($0.key)=\(quoted($0.value.stringValue ?? ""))" }.joined(separator: ", ")
        case .document: value.text
        }
    }

    /// - Returns: `false` when there is no such field.
    mutating func set(_ label: String, to text: String) -> Bool {
        guard let index = fields.firstIndex(where: { $0.label == label }) else { return false }
        let isYes = ["yes", "true", "on", "1"].contains(text.lowercased())
        fields[index].field.replace(fields[index].kind == .toggle ? (isYes ? "yes" : "no") : text)
        return true
    }

    mutating func edit(_ index: Int, _ key: Key) -> Bool {
        guard fields.indices.contains(index) else { return false }
        if fields[index].kind == .toggle {
            guard [.character(" "), .left, .right].contains(key) else { return false }
            fields[index].field.replace(fields[index].isOn ? "no" : "yes")
            return true
        }
        return fields[index].field.handle(key)
    }

    /// The document as it is now, or which field cannot be read.
    func result() -> Result<JSON, CommandFault> {
        var document = rest
        if case .object = document {} else { document = .object([:]) }
        for field in fields {
            guard let value = DocumentForm.value(field) else {
                return .failure(
                    CommandFault(.invalid, "\(field.label): \(field.field.text) is no \(DocumentForm.word(field.kind))")
                )
            }
            document = DocumentForm.setting(document, field.path[...], to: value)
        }
        return .success(document)
    }

    private static func setting(_ document: JSON, _ path: ArraySlice<String>, to value: JSON) -> JSON {
        guard let key = path.first else { return value }
        var members = document.objectValue ?? [:]
        members[key] = setting(members[key] ?? .object([:]), path.dropFirst(), to: value)
        return .object(members)
    }

    private static func value(_ field: Field) -> JSON? {
        let text = field.field.text
        switch field.kind {
        case .toggle: return .bool(field.isOn)
        case .text: return field.original.isNull && text.isEmpty ? .null : .string(text)
        case .whole: return Int64(text.trimmed).map(JSON.int)
        case .number:
            guard let number = Double(text.trimmed), number.isFinite else { return nil }
            return .double(number)
        case .list:
            guard let parts = DocumentForm.parts(text) else { return nil }
            return .array(parts.map { .string(DocumentForm.unquoted($0)) })
        case .map:
            var members: [String: JSON] = [:]
            guard let parts = DocumentForm.parts(text) else { return nil }
            for part in parts {
                guard let equals = part.firstIndex(where: { $0 == "=" || $0 == ":" }) else { return nil }
                let name = String(part[..<equals]).trimmed
                guard !name.isEmpty else { return nil }
                members[name] = .string(DocumentForm.unquoted(String(part[part.index(after: equals)...])))
            }
            return .object(members)
        case .document: return try? JSON(parsing: Array(text.utf8))
        }
    }

    // MARK: Lists in one line

    /// Cuts at commas, but not inside `"…"`; `nil` when a quote is left open.
    static func parts(_ text: String) -> [String]? {
        var parts: [String] = []
        var part = ""
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if character == "," && !isQuoted {
                parts.append(part)
                part = ""
                continue
            }
            if character == "\"" && !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && character == "\\" && !isEscaped
            part.append(character)
        }
        guard !isQuoted else { return nil }
        return (parts + [part]).map(\.trimmed).filter { !$0.isEmpty }
    }

    /// As it stands in a line: in quotes when a comma or an outer space would get lost otherwise.
    static func quoted(_ text: String) -> String {
        guard text.contains(",") || text.contains("\"") || text.trimmed != text else { return text }
        return "\"" + text.map { "\"\\".contains($0) ? "\\\($0)" : String($0) }.joined() + "\""
    }

    /// A value without the quotes around it. Quotes further in belong to the value, as in `max-age=1; a="b"`.
    static func unquoted(_ text: String) -> String {
        let text = text.trimmed
        guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
        var result = ""
        var isEscaped = false
        for character in text.dropFirst().dropLast() {
            if character == "\\" && !isEscaped {
                isEscaped = true
            } else {
                result.append(character)
                isEscaped = false
            }
        }
        return result
    }

    private static func word(_ kind: Kind) -> String {
        switch kind {
        case .whole: "whole number"
        case .number: "number"
        case .map: "list of name=value (values with commas in \"quotes\")"
        case .list: "list (a \" is left open)"
        case .document: "JSON"
        default: "text"
        }
    }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
