import Shared

/// The members of a message, by names whose case agents do not agree on (agent-protocol.md 6.2). What is absent, null
/// or of another type reads as empty: agents tell more or less of themselves by their age.
struct Members {
    private let members: [String: JSON]

    init(_ document: JSON?) {
        // In order, so that of two names which differ in their case the same one counts every time.
        members = (document?.objectValue ?? [:]).sorted { $0.key < $1.key }
            .reduce(into: [:]) { $0[$1.key.lowercased()] = $1.value }
    }

    subscript(name: String) -> JSON? { members[name.lowercased()].flatMap { $0.isNull ? nil : $0 } }
    func text(_ name: String) -> String { self[name]?.stringValue ?? "" }
    func flag(_ name: String) -> Bool { self[name]?.boolValue ?? false }
    func number(_ name: String) -> Int64? { self[name]?.intValue }
    func members(_ name: String) -> Members { Members(self[name]) }
    func texts(_ name: String) -> [String] { (self[name]?.arrayValue ?? []).compactMap(\.stringValue) }
}
