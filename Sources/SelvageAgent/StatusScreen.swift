import Shared

/// The agent's one screen, as lines for a terminal.
public struct StatusScreen: Hashable, Sendable {
    public var columns: Int
    public var rows: Int
    /// Whether anything but ASCII may be drawn.
    public var unicode: Bool
    public var color: Bool

    /// - Parameters:
    ///   - columns: at least 20 are drawn as if, whatever is given; `rows`: at least 4.
    public init(columns: Int, rows: Int, unicode: Bool, color: Bool) {
        self.columns = max(20, min(columns, 500))
        self.rows = max(4, min(rows, 200))
        self.unicode = unicode
        self.color = color
    }

    /// At most `rows` lines of at most `columns` columns, without line ends. Whatever came from outside is drawn without
    /// control characters; the only escape sequences are those of colour, each line ends with colour switched off.
    /// - Parameter now: on the clock of the model's events.
    public func lines(_ model: AgentModel, now: Double) -> [String] {
        var rows: [StyledLine] = header(model, now)
        // Where there is no room for both, tunnels say more than figures.
        if self.rows >= 10 { rows += traffic(model, now) }
        let left = max(0, self.rows - rows.count)
        let tunnels = tunnelLines(model)
        let errors = errorLines(model, now)
        // Errors have what tunnels leave over, and three lines in any case: a screen without its reason is no use.
        let kept = min(errors.count, max(left - tunnels.count, min(3, left / 3)))
        rows += fitted(tunnels, left - kept)
        rows += errors.prefix(kept)
        return rows.prefix(self.rows).map { $0.text(columns: columns, sanitiser: sanitiser, color: color) }
    }

    private var sanitiser: Sanitiser { Sanitiser(asciiOnly: !unicode) }
    private var arrow: String { unicode ? "→" : "->" }
    private var dot: String { unicode ? "●" : "*" }
    private var ring: String { unicode ? "○" : "o" }
    private var cross: String { unicode ? "✗" : "x" }

    // MARK: Parts

    private func header(_ model: AgentModel, _ now: Double) -> [StyledLine] {
        let (mark, word, role) = status(model, now)
        var first = StyledLine()
        first.add("\(mark) \(word)", role)
        first.add("  \(model.server)", .strong)
        let hint = "ctrl-c stops"
        let room = columns - first.width(sanitiser) - hint.count
        if room >= 2 { first.add(String(repeating: " ", count: room) + hint, .faint) }
        var second = StyledLine()
        var facts: [(String, String)] = []
        if !model.region.isEmpty { facts.append(("region", model.region)) }
        facts.append(("latency", Figures.time(model.latency)))
        if model.sessions.count > 1 {
            facts.append(("sessions", "\(model.sessions.count(where: \.isConnected))/\(model.sessions.count)"))
        }
        if let since = model.onlineSince { facts.append(("up", Figures.time(now - since))) }
        if model.reconnects > 0 { facts.append(("reconnects", "\(model.reconnects)")) }
        second.add(facts: facts)
        return [first, second, StyledLine()]
    }

    private func status(_ model: AgentModel, _ now: Double) -> (String, String, StyledLine.Role) {
        switch model.state {
        case .connecting: (ring, "connecting", .warning)
        case .online: (dot, "online", .good)
        case .degraded: (dot, "partly online", .warning)
        case .offline(let until):
            (
                cross,
                "offline" + (until.map { ", next try in \(Figures.time(max(0, ($0 - now).rounded(.up))))" } ?? ""), .bad
            )
        case .draining: (ring, "draining", .warning)
        case .stopped: (ring, "stopped", .faint)
        }
    }

    private func traffic(_ model: AgentModel, _ now: Double) -> [StyledLine] {
        let rates = model.rates(now: now)
        var connections = StyledLine()
        connections.add(facts: [
            ("connections", "\(model.open) open"), ("total", "\(model.total)"),
            ("new", "\(Figures.short(rates.connections))/s"),
        ])
        var bytes = StyledLine()
        bytes.add(facts: [
            ("in", "\(Figures.bytes(rates.bytesIn))/s"), ("out", "\(Figures.bytes(rates.bytesOut))/s"),
            ("total", "\(Figures.bytes(Double(model.bytesIn))) / \(Figures.bytes(Double(model.bytesOut)))"),
        ])
        var times = StyledLine()
        times.add(facts: [
            ("first byte p50", Figures.time(model.firstByte(0.5))), ("p90", Figures.time(model.firstByte(0.9))),
            ("duration p50", Figures.time(model.duration(0.5))), ("p90", Figures.time(model.duration(0.9))),
        ])
        return [connections, bytes, times, StyledLine()]
    }

    private func tunnelLines(_ model: AgentModel) -> [StyledLine] {
        let widest = model.tunnels.map { sanitiser.width($0.name) }.max() ?? 0
        let name = min(max(widest, 4), columns / 4)
        return model.tunnels.map { tunnel in
            var line = StyledLine()
            let isFailed = tunnel.failure != nil && !tunnel.isOnline
            line.add(
                tunnel.isOnline ? "\(dot) " : isFailed ? "\(cross) " : "\(ring) ",
                tunnel.isOnline ? .good : isFailed ? .bad : .warning)
            line.add(padded(tunnel.name, name) + " ", .plain)
            if isFailed, let failure = tunnel.failure {
                line.add(failure, .bad)
            } else {
                line.add(tunnel.place?.description ?? "waiting", tunnel.isOnline ? .strong : .faint)
                line.add(" \(arrow) \(tunnel.forwardsTo)", .plain)
                line.add("  \(tunnel.open) open", .faint)
            }
            return line
        }
    }

    private func errorLines(_ model: AgentModel, _ now: Double) -> [StyledLine] {
        guard !model.mishaps.isEmpty else { return [] }
        var title = StyledLine()
        title.add("Last errors", .strong)
        let lines = model.mishaps.reversed().map { mishap in
            var line = StyledLine()
            line.add(padded("\(Figures.time(max(0, (now - mishap.time).rounded(.down)))) ago", 11), .faint)
            line.add(mishap.text + (mishap.count > 1 ? " (\(mishap.count) times)" : ""), .bad)
            return line
        }
        return [StyledLine(), title] + lines
    }

    /// The first of them, and how many are not shown.
    private func fitted(_ lines: [StyledLine], _ room: Int) -> [StyledLine] {
        guard lines.count > room, room > 0 else { return Array(lines.prefix(max(0, room))) }
        var more = StyledLine()
        more.add("  and \(lines.count - room + 1) more", .faint)
        return lines.prefix(room - 1) + [more]
    }

    private func padded(_ text: String, _ width: Int) -> String {
        let clipped = StyledLine.clipped(text, to: width, sanitiser: sanitiser)
        return clipped + String(repeating: " ", count: max(0, width - sanitiser.width(clipped)))
    }
}

/// A line of pieces, each with the meaning of its colour.
struct StyledLine: Hashable, Sendable {
    enum Role: Hashable, Sendable {
        case plain, strong, faint, good, warning, bad

        /// Select Graphic Rendition (ECMA-48, 8.3.117), with the 8 colours that every terminal has.
        var code: String {
            switch self {
            case .plain: ""
            case .strong: "1"
            case .faint: "2"
            case .good: "32"
            case .warning: "33"
            case .bad: "31"
            }
        }
    }

    private var pieces: [(text: String, role: Role)] {
        zip(texts, roles).map { ($0, $1) }
    }
    private var texts: [String] = []
    private var roles: [Role] = []

    mutating func add(_ text: String, _ role: Role) {
        texts.append(text)
        roles.append(role)
    }

    mutating func add(facts: [(String, String)]) {
        for (index, (name, value)) in facts.enumerated() {
            add((index == 0 ? "" : "  ") + name + " ", .faint)
            add(value, .plain)
        }
    }

    func width(_ sanitiser: Sanitiser) -> Int { texts.reduce(0) { $0 + sanitiser.width($1) } }

    func text(columns: Int, sanitiser: Sanitiser, color: Bool) -> String {
        var result = ""
        var left = columns
        for (text, role) in pieces where left > 0 {
            let drawn = StyledLine.clipped(text, to: left, sanitiser: sanitiser)
            left -= sanitiser.width(drawn)
            guard color, !role.code.isEmpty, !drawn.isEmpty else {
                result += drawn
                continue
            }
            result += "\u{1B}[\(role.code)m\(drawn)\u{1B}[0m"
        }
        return result
    }

    /// What may be drawn of a text, within so many columns.
    static func clipped(_ text: String, to columns: Int, sanitiser: Sanitiser) -> String {
        var scalars = String.UnicodeScalarView()
        var left = columns
        for glyph in sanitiser.glyphs(text) {
            guard glyph.width <= left else { break }
            left -= glyph.width
            scalars.append(glyph.base)
            scalars.append(contentsOf: glyph.marks)
        }
        return String(scalars)
    }
}

extension Sanitiser {
    func width(_ text: String) -> Int { glyphs(text).reduce(0) { $0 + $1.width } }
}
