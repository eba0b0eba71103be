public import Shared

/// Reads the members of a settings document and complains about what does not belong there.
///
/// `null` counts as absent, as in the public API.
public struct SettingsReader: Sendable {
    private let members: [String: JSON]

    /// - Parameters:
    ///   - fields: the only names allowed; another one is refused with 214.
    ///   - subject: what the document is, for the messages.
    public init(_ document: JSON, fields: Set<String>, subject: String) throws(Fault) {
        guard case .object(let members) = document else {
            throw Fault(212, "The \(subject) must be a JSON object.")
        }
        if let unknown = members.keys.filter({ !fields.contains($0) }).min() {
            throw Fault(214, "The \(subject) has no field \"\(unknown.prefix(64))\".")
        }
        self.members = members.filter { !$0.value.isNull }
    }

    public init(_ document: JSON, _ shape: Shape, subject: String) throws(Fault) {
        try self.init(document, fields: Set(shape.names), subject: subject)
    }

    /// The member; `nil` when absent or `null`.
    public subscript(name: String) -> JSON? { members[name] }

    public func string(_ name: String, default absent: String = "") throws(Fault) -> String {
        guard let value = members[name] else { return absent }
        guard let text = value.stringValue else { throw SettingsReader.wrongType(name, "a string") }
        return text
    }

    public func bool(_ name: String, default absent: Bool) throws(Fault) -> Bool {
        guard let value = members[name] else { return absent }
        guard let flag = value.boolValue else { throw SettingsReader.wrongType(name, "true or false") }
        return flag
    }

    public func integer(_ name: String, default absent: Int64 = 0) throws(Fault) -> Int64 {
        guard let value = members[name] else { return absent }
        guard let number = value.intValue else { throw SettingsReader.wrongType(name, "a whole number") }
        return number
    }

    public func number(_ name: String, default absent: Double = 0) throws(Fault) -> Double {
        guard let value = members[name] else { return absent }
        guard let number = value.doubleValue, number.isFinite else {
            throw SettingsReader.wrongType(name, "a number")
        }
        return number
    }

    public func strings(_ name: String) throws(Fault) -> [String] {
        guard let value = members[name] else { return [] }
        guard let items = value.arrayValue else { throw SettingsReader.wrongType(name, "an array of strings") }
        var result: [String] = []
        for item in items {
            guard let text = item.stringValue else { throw SettingsReader.wrongType(name, "an array of strings") }
            result.append(text)
        }
        return result
    }

    /// A map from string to string, ordered by key.
    public func fields(_ name: String) throws(Fault) -> [(name: String, value: String)] {
        guard let value = members[name] else { return [] }
        guard let items = value.objectValue else { throw SettingsReader.wrongType(name, "an object of strings") }
        var result: [(name: String, value: String)] = []
        for (key, item) in items.sorted(by: { $0.key < $1.key }) {
            guard let text = item.stringValue else { throw SettingsReader.wrongType(name, "an object of strings") }
            result.append((key, text))
        }
        return result
    }

    public func object(_ name: String) throws(Fault) -> [String: JSON]? {
        guard let value = members[name] else { return nil }
        guard let items = value.objectValue else { throw SettingsReader.wrongType(name, "an object") }
        return items
    }

    private static func wrongType(_ name: String, _ expected: String) -> Fault {
        Fault(212, "The field \"\(name)\" must be \(expected).")
    }
}
