/// The labels by which tunnel groups find a tunnel.
public enum TunnelLabels {
    public static let maximumCount = 32
    /// Of a key and of a value, in bytes.
    public static let maximumLength = 255

    /// Reads `--label` arguments: each holds one label, or several with commas between, `app=dashboard,version=1`.
    ///
    /// The same label may come twice; with two values it is refused, because one of them would be lost.
    /// - Throws: `AgentFault` about the first label that cannot be.
    public static func parse(_ arguments: [String]) throws(AgentFault) -> [String: String] {
        var labels: [String: String] = [:]
        for argument in arguments {
            for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
                let text = trimmed(part)
                guard let mark = text.firstIndex(of: "=") else {
                    throw AgentFault("label \(shown(text)) has no '=': labels are written key=value", key: "labels")
                }
                let value = text[text.index(after: mark)...]
                try add(trimmed(text[..<mark]), trimmed(value), to: &labels)
            }
        }
        try check(labels)
        return labels
    }

    private static func add(
        _ key: String, _ value: String, to labels: inout [String: String]
    ) throws(AgentFault) {
        if let first = labels[key], first != value {
            throw AgentFault(
                "label \(shown(key)) is given twice, as \(shown(first)) and as \(shown(value))", key: "labels")
        }
        labels[key] = value
    }

    /// The rules for a set of labels, however it was written.
    public static func check(_ labels: [String: String]) throws(AgentFault) {
        guard !labels.isEmpty else { throw AgentFault("a labelled tunnel needs at least one label", key: "labels") }
        guard labels.count <= maximumCount else {
            throw AgentFault("there are \(labels.count) labels, at most \(maximumCount) are allowed", key: "labels")
        }
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            guard !key.isEmpty else { throw AgentFault("a label has no key in front of its '='", key: "labels") }
            guard !key.contains("="), !value.contains("=") else {
                throw AgentFault("label \(shown(key)) has more than one '='", key: "labels")
            }
            guard key.utf8.count <= maximumLength, value.utf8.count <= maximumLength else {
                throw AgentFault("label \(shown(key)) is longer than \(maximumLength) bytes", key: "labels")
            }
        }
    }

    /// In the comma form, keys sorted.
    public static func text(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}
