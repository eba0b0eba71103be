import Shared

extension App {
    mutating func handle(_ key: Key) -> [Effect] {
        switch key {
        case .resize: return [.repaint]
        case .ctrl("l"): return [.repaint]
        case .ctrl("z"): return [.suspend]
        default: break
        }
        if filterField != nil { return editFilter(key) }
        if var overlay = overlays.popLast() {
            if key == .ctrl("c") { return [] }
            let actions = overlay.handle(key, model)
            if !actions.contains(where: \.isDismissal) { overlays.append(overlay) }
            return perform(actions, from: overlay)
        }
        guard let verb = VerbTable.verb(key, in: screen.scopes(model)) else { return unknown(key) }
        return perform(verb)
    }

    /// A key that does nothing here may do something elsewhere: say where, rather than nothing.
    private mutating func unknown(_ key: Key) -> [Effect] {
        if case .paste = key { return [] }
        let label = key.label(.ascii)
        if let elsewhere = VerbTable.verbs.first(where: { $0.keys.contains(key) }) {
            model.say("\(label): \(elsewhere.help.lowercased()) works in \(elsewhere.scope.title)", .dim)
        } else {
            model.say("\(label) does nothing here: ? shows the keys", .dim)
        }
        return []
    }

    mutating func perform(_ verb: Verb) -> [Effect] {
        if verb.role > model.role, let refusal = model.refusal(verb.role) {
            model.say("\(verb.name): \(refusal)", .warn)
            return [.bell]
        }
        if verb.scope == .everywhere || [.filter].contains(verb.id) {
            if let effects = performEverywhere(verb.id) { return effects }
        }
        var screen = self.screen
        let actions = screen.perform(verb.id, &model)
        self.screen = screen
        return perform(actions, from: nil)
    }

    /// - Returns: `nil` when the screen must deal with it.
    private mutating func performEverywhere(_ verb: VerbID) -> [Effect]? {
        switch verb {
        case .goOverview: go(.overview)
        case .goEdges: go(.edges)
        case .goWeights: go(.weights)
        case .goBreakers: go(.breakers)
        case .goTunnels: go(.tunnels)
        case .goEvents: go(.events)
        case .nextScreen: step(1)
        case .previousScreen: step(-1)
        case .palette: overlays.append(Palette(recent: recent))
        case .help: overlays.append(HelpBox(scopes: screen.scopes(model)))
        case .filter: filterField = TextField(screen.filter)
        case .copy: return copy()
        case .theme: return nextTheme()
        case .chartStyle: nextChart()
        case .repaint: return [.repaint]
        case .suspend: return [.suspend]
        case .quit: return leave()
        case .back:
            guard screen.filter.isEmpty else {
                var screen = self.screen
                screen.filter = ""
                self.screen = screen
                return []
            }
            return nil
        default: return nil
        }
        return []
    }

    private mutating func go(_ id: ScreenID) {
        if current == id { detail = nil }
        current = id
    }

    private mutating func step(_ offset: Int) {
        let all = ScreenID.allCases
        let index = all.firstIndex(of: current) ?? 0
        current = all[(index + offset + all.count) % all.count]
    }

    private mutating func copy() -> [Effect] {
        guard let command = screen.command(model) else {
            model.say("nothing is selected", .dim)
            return []
        }
        // It goes through the terminal to a shell: nothing in it may be more than text.
        let clean = command.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        model.say("copied: \(command)", .accent)
        return [.copy(String(String.UnicodeScalarView(clean)))]
    }

    private mutating func nextTheme() -> [Effect] {
        let index = themes.firstIndex(of: theme) ?? -1
        return setTheme(themes[(index + 1) % themes.count])
    }

    mutating func setTheme(_ name: String) -> [Effect] {
        theme = name
        model.say("theme \(name)", .accent)
        return [.setTheme(name)]
    }

    private mutating func nextChart() {
        let all = ChartStyle.allCases
        model.chart = all[((all.firstIndex(of: model.chart) ?? 0) + 1) % all.count]
        model.say("charts: \(model.chart.rawValue)", .accent)
    }

    /// Leaves, unless something would be lost by it: then says what.
    private mutating func leave() -> [Effect] {
        var reasons: [String] = []
        if model.stagedCount > 0 {
            reasons.append(
                "\(model.stagedCount) staged weight edit\(model.stagedCount == 1 ? "" : "s") would be forgotten.")
        }
        for status in model.myGuards {
            reasons.append(
                "Your guard runs for \(model.remaining(status)) s more: leaving rolls back \(status.command)")
        }
        let isWaiting = pending.values.contains { if case .listing = $0 { false } else { true } }
        if isWaiting { reasons.append("A change has not been answered yet.") }
        guard !reasons.isEmpty else { return [.quit] }
        overlays.append(QuitBox(reasons: reasons))
        return [.bell]
    }

    private mutating func editFilter(_ key: Key) -> [Effect] {
        var screen = self.screen
        switch key {
        case .escape:
            screen.filter = ""
            filterField = nil
        case .enter: filterField = nil
        default:
            _ = filterField?.handle(key)
            screen.filter = filterField?.text ?? ""
        }
        self.screen = screen
        return []
    }
}

extension Action {
    /// The box goes away: it says so, or a request is sent from it (and the box comes back when that is refused).
    var isDismissal: Bool {
        switch self {
        case .dismiss, .run, .quit: true
        default: false
        }
    }
}
