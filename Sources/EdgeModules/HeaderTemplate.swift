import EdgeCore

/// A header value with variables, e.g. `client ${conn.client_ip} on ${.tls.version}`.
///
/// Both spellings of a name are understood, `${.conn.client_ip}` and `${conn.client_ip}`. What is not known, or not
/// known yet, is an empty text; what no `}` ends is plain text.
struct HeaderTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        case variable(HeaderVariable)
    }

    private let parts: [Part]
    /// The whole value when it has no variables; that was checked when it was configured.
    let constant: String?

    init(_ source: String) {
        var parts: [Part] = []
        var rest = source[...]
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            if start.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<start.lowerBound]))) }
            let name = rest[start.upperBound..<end]
            parts.append(.variable(HeaderVariable(name.hasPrefix(".") ? name.dropFirst() : name)))
            rest = rest[rest.index(after: end)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
        switch parts.first {
        case nil: constant = ""
        case .text(let text) where parts.count == 1: constant = text
        default: constant = nil
        }
    }

    func text(for exchange: ExchangeView) -> String {
        if let constant { return constant }
        var result = ""
        for part in parts {
            switch part {
            case .text(let text): result += text
            case .variable(let variable): result += variable.value(exchange)
            }
        }
        return HeaderTemplate.sanitised(result)
    }

    /// Variables carry what strangers wrote: nothing of it may end the field.
    static func sanitised(_ text: String) -> String {
        guard !FieldSyntax.isValue(text) else { return text }
        var bytes = text.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }[...]
        while bytes.first == 0x20 { bytes.removeFirst() }
        while bytes.last == 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
