import Shared

/// An event as one line of a log, for people or for programs. Never with a secret: events carry none.
public enum LogLine {
    /// Whether it comes once for each connection or second: shown when asked for only.
    public static func isDetail(_ event: AgentEvent) -> Bool {
        switch event {
        case .connectionOpened, .connectionClosed, .traffic, .latency: true
        default: false
        }
    }

    /// `2026-11-21T01:15:00.250Z connected session=0 region=eu …`, without a line end or any control character.
    /// - Parameter time: RFC 3339.
    public static func plain(_ event: AgentEvent, time: String) -> String {
        let (name, members) = parts(event)
        let fields = members.map { key, value in
            switch value {
            case .string(let text): "\(key)=\(quoted(text))"
            case .object(let labels):
                "\(key)=" + quoted(TunnelLabels.text(labels.mapValues { $0.stringValue ?? "" }))
            default: "\(key)=\(value.text)"
            }
        }
        return clean(([time, name] + fields).joined(separator: " "))
    }

    /// One JSON object with `time`, `event` and the event's own members. Seconds are numbers.
    /// - Parameter time: RFC 3339.
    public static func json(_ event: AgentEvent, time: String) -> String {
        let (name, members) = parts(event)
        var object: [String: JSON] = ["time": .string(time), "event": .string(name)]
        for (key, value) in members { object[key] = cleaned(value) }
        return JSON.object(object).text
    }

    /// The event's name and its members, the most telling first.
    private static func parts(_ event: AgentEvent) -> (String, [(String, JSON)]) {
        switch event {
        case .connecting(let session, let server):
            ("connecting", [("session", number(session)), ("server", .string(server))])
        case .connected(let session, let id, let region, let rtt):
            (
                "connected",
                [("session", number(session)), ("region", .string(region)), ("id", .string(id))]
                    + (rtt.map { [("rtt", seconds($0))] } ?? [])
            )
        case .refused(let session, let code, let text):
            ("refused", [("session", number(session)), ("code", .string(code)), ("error", .string(text))])
        case .disconnected(let session, let reason):
            ("disconnected", [("session", number(session)), ("reason", .string(reason))])
        case .retrying(let session, let wait):
            ("retrying", [("session", number(session)), ("seconds", seconds(wait))])
        case .latency(let session, let value):
            ("latency", [("session", number(session)), ("seconds", seconds(value))])
        case .draining(let open): ("draining", [("open", number(open))])
        case .stopped: ("stopped", [])
        default: tunnelParts(event)
        }
    }

    private static func tunnelParts(_ event: AgentEvent) -> (String, [(String, JSON)]) {
        switch event {
        case .tunnelOnline(let session, let name, let place, let id):
            (
                "tunnel_online",
                [("tunnel", .string(name)), self.place(place), ("id", .string(id)), ("session", number(session))]
            )
        case .tunnelFailed(let session, let name, let code, let text):
            (
                "tunnel_failed",
                [
                    ("tunnel", .string(name)), ("code", .string(code)), ("error", .string(text)),
                    ("session", number(session)),
                ]
            )
        case .connectionOpened(let tunnel, let client):
            ("connection_opened", [("tunnel", .string(tunnel)), ("client", .string(client))])
        case .connectionClosed(let tunnel, let summary):
            (
                "connection_closed",
                [
                    ("tunnel", .string(tunnel)), ("bytes_in", number(summary.bytesIn)),
                    ("bytes_out", number(summary.bytesOut)), ("duration", seconds(summary.duration)),
                ] + (summary.firstByte.map { [("first_byte", seconds($0))] } ?? [])
            )
        case .traffic(let tunnel, let bytesIn, let bytesOut):
            (
                "traffic",
                [("tunnel", .string(tunnel)), ("bytes_in", number(bytesIn)), ("bytes_out", number(bytesOut))]
            )
        case .upstreamFailed(let tunnel, let text):
            ("upstream_failed", [("tunnel", .string(tunnel)), ("error", .string(text))])
        default: ("unknown", [])
        }
    }

    private static func place(_ place: TunnelPlace) -> (String, JSON) {
        switch place {
        case .url(let url): ("url", .string(url))
        case .labels(let labels): ("labels", .object(labels.mapValues { .string($0) }))
        }
    }

    private static func number(_ value: some BinaryInteger) -> JSON { .int(Int64(clamping: value)) }

    /// To the microsecond: more digits are noise.
    private static func seconds(_ value: Double) -> JSON { .double((value * 1e6).rounded() / 1e6) }

    /// As it is where it is one word, in quotes otherwise.
    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "\\" }
        return isPlain ? text : JSON.string(clean(text)).text
    }

    private static func cleaned(_ value: JSON) -> JSON {
        switch value {
        case .string(let text): .string(clean(text))
        case .object(let members):
            .object(Dictionary(members.map { (clean($0.key), cleaned($0.value)) }, uniquingKeysWith: { $1 }))
        default: value
        }
    }

    /// Logs are read in terminals: no character of a stranger may move the cursor or turn the direction.
    private static func clean(_ text: String) -> String {
        StyledLine.clipped(text, to: maximumColumns, sanitiser: Sanitiser())
    }

    /// A line is cut here.
    static let maximumColumns = 4000
}
