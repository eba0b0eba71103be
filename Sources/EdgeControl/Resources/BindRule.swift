import EdgeCore

/// One rule of a credential's access list: what an agent may bind.
public enum BindRule: Sendable, Hashable {
    /// `*`
    case anything
    /// `bind:app.example.com`, or `bind:*.example.com` for all names below it.
    case domain(String)
    /// `bind:1.tcp.example.com:20000`
    case address(host: String, port: UInt16)
    /// `bind:app=web`; either side may be `*`.
    case label(name: String, value: String)
    /// A stored rule that cannot be read: it permits nothing.
    case nothing

    static let maximumRules = 100

    /// `nil` for what is no rule.
    public init?(_ text: String) {
        guard text != "*" else {
            self = .anything
            return
        }
        guard text.hasPrefix("bind:"), text.utf8.count <= 1024 else { return nil }
        let what = text.dropFirst("bind:".count)
        guard !what.isEmpty, what.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else { return nil }
        let label = what.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if label.count == 2 {
            guard !label[0].isEmpty, !label[1].isEmpty, !label[1].contains("=") else { return nil }
            self = .label(name: String(label[0]), value: String(label[1]))
        } else if let colon = what.lastIndex(of: ":") {
            let port = what[what.index(after: colon)...]
            guard BindRule.isHost(what[..<colon]), let port = UInt16(port), port > 0 else { return nil }
            self = .address(host: what[..<colon].lowercased(), port: port)
        } else {
            guard BindRule.isHost(what), what.contains(".") else { return nil }
            self = .domain(what.lowercased())
        }
    }

    /// A host name, of which the first label may be `*`, or an address.
    private static func isHost(_ text: Substring) -> Bool {
        if text.hasPrefix("["), text.hasSuffix("]") { return IPAddress(text.dropFirst().dropLast()) != nil }
        let name = text.hasPrefix("*.") ? text.dropFirst(2) : text
        guard (1...253).contains(name.utf8.count) else { return false }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2D
                }
        }
    }

    // MARK: Asking

    /// Whether an agent may bind this domain, which itself may begin with `*.`.
    public func permits(domain: String) -> Bool {
        switch self {
        case .anything: return true
        case .domain(let name):
            let domain = domain.lowercased()
            guard name.hasPrefix("*.") else { return domain == name }
            return domain == name || domain.hasSuffix(name.dropFirst())
        default: return false
        }
    }

    public func permits(host: String, port: UInt16) -> Bool {
        switch self {
        case .anything: true
        case .address(let own, let ownPort): own == host.lowercased() && ownPort == port
        default: false
        }
    }

    /// Whether it permits one label of a labelled tunnel; all of them have to be permitted.
    public func permits(label name: String, value: String) -> Bool {
        switch self {
        case .anything: true
        case .label(let ownName, let ownValue):
            (ownName == "*" || ownName == name) && (ownValue == "*" || ownValue == value)
        default: false
        }
    }
}
