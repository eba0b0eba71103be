import Shared

extension App {
    /// Below this, nothing sensible fits.
    static let smallest = Size(columns: 40, rows: 12)

    func draw(size: Size, glyphs: GlyphSet) -> Canvas {
        var canvas = Canvas(size: size, glyphs: glyphs)
        guard canvas.size.columns >= Self.smallest.columns, canvas.size.rows >= Self.smallest.rows else {
            drawTooSmall(&canvas)
            return canvas
        }
        var body = canvas.bounds
        drawHeader(&canvas, body.takeTop(1))
        drawTabs(&canvas, body.takeTop(1))
        drawFooter(&canvas, body.takeBottom(1))
        let rule = body.takeBottom(1)
        let screen = self.screen
        let crumb = screen.crumb(model)
        if !crumb.isEmpty {
            let line = body.takeTop(1)
            canvas.put(" \(crumb)", row: line.row, column: line.column, width: line.columns, role: .accent)
        }
        screen.draw(&canvas, body, model)
        drawNotice(&canvas, rule)
        for overlay in overlays { overlay.draw(&canvas, model) }
        if let filterField {
            canvas.clear(rule)
            let at = canvas.put(" filter: ", row: rule.row, column: rule.column, role: .key)
            filterField.draw(&canvas, row: rule.row, column: at, width: rule.endColumn - at, focused: true)
        }
        return canvas
    }

    private func drawTooSmall(_ canvas: inout Canvas) {
        let text = "selvage needs \(Self.smallest.columns)x\(Self.smallest.rows)"
        let size = "this is \(canvas.size.columns)x\(canvas.size.rows)"
        canvas.put(text, row: 0, column: 0, role: .warn)
        canvas.put(size, row: 1, column: 0, role: .dim)
        canvas.put("q leaves", row: 2, column: 0, role: .dim)
    }

    // MARK: Header

    private func drawHeader(_ canvas: inout Canvas, _ rect: Rect) {
        canvas.clear(rect, role: .header)
        var parts: [(text: String, role: ColorRole)] = [(" SELVAGE ", .accent)]
        parts.append((model.hello?.node ?? model.address, .header))
        parts.append(("  ", .header))
        parts.append(linkState(canvas.glyphs))
        if let refusal = badge() { parts.append(("  \(refusal)", .warn)) }
        if model.stagedCount > 0 { parts.append(("  staged \(model.stagedCount)", .staged)) }
        let guards = model.runningGuards
        if let first = guards.first {
            let name = first.objects.first.map(model.inventory.name) ?? first.id
            let more = guards.count > 1 ? " +\(guards.count - 1)" : ""
            parts.append(("  guard \(name)\(more) \(model.remaining(first))s", .guarded))
        }
        var right: [String] = []
        if let delay = model.terminalDelay { right.append("tty \(Int((delay * 1000).rounded()))ms") }
        if let hello = model.hello {
            let others = Set(model.tick?.operators ?? []).subtracting([hello.principal]).count
            right.append(hello.principal + (others > 0 ? " +\(others)" : ""))
        }
        if let tick = model.tick { right.append(String(Journal.clock(tick.at).prefix(5)) + "Z") }
        // What matters comes first: the right side gives way.
        let used = parts.reduce(0) { $0 + Sanitiser.width($1.text) }
        while !right.isEmpty, used + Sanitiser.width(right.joined(separator: "  ")) + 2 > rect.columns {
            right.removeFirst()
        }
        var column = rect.column
        for (text, role) in parts {
            column = canvas.put(text, row: rect.row, column: column, width: max(0, rect.columns - column), role: role)
        }
        let text = right.joined(separator: "  ")
        canvas.putRight(
            text, row: rect.row, end: rect.endColumn - 1, width: max(0, rect.columns - column - 1), role: .header)
    }

    private func badge() -> String? {
        model.hello == nil && !model.readOnlyOption ? nil : model.role < .operator ? "READ-ONLY" : nil
    }

    private func linkState(_ glyphs: GlyphSet) -> (text: String, role: ColorRole) {
        switch model.link {
        case .connecting: return ("\(glyphs.halfOpen) connecting", .warn)
        case .live:
            guard model.tick != nil else { return ("\(glyphs.halfOpen) waiting for figures", .warn) }
            return model.isStale
                ? ("\(glyphs.halfOpen) \(model.ageText)", .warn) : ("\(glyphs.closed) live", .ok)
        case .lost(let since, let reason):
            let age = model.tick == nil ? "" : ", figures \(model.ageText)"
            return ("\(glyphs.open) no link for \(Int(model.now - since)) s\(age) (\(reason))", .crit)
        }
    }

    // MARK: Tabs, notice, footer

    private func drawTabs(_ canvas: inout Canvas, _ rect: Rect) {
        var column = rect.column
        let others = ScreenID.allCases.filter { $0 != current }
        // No number may fall off the end: rather the names of the others shrink, and go.
        let letters = [12, 3].first { count in
            current.title.count + 4 + others.reduce(0) { $0 + min(count, $1.title.count) + 4 } <= rect.columns
        }
        for id in ScreenID.allCases {
            let isCurrent = id == current
            let name = letters.map { " " + id.title.prefix($0) } ?? ""
            let text = isCurrent ? "[\(id.rawValue) \(id.title)]" : " \(id.rawValue)\(name) "
            column = canvas.put(
                text, row: rect.row, column: column, width: max(0, rect.columns - column),
                role: isCurrent ? .accent : .tab, bold: isCurrent)
        }
    }

    private func drawNotice(_ canvas: inout Canvas, _ rect: Rect) {
        canvas.rule(row: rect.row)
        guard let notice = model.notice else { return }
        canvas.put(" \(notice.text) ", row: rect.row, column: 2, width: rect.columns - 4, role: notice.role)
    }

    private func drawFooter(_ canvas: inout Canvas, _ rect: Rect) {
        if filterField != nil {
            canvas.put(" Enter keep  Esc clear", row: rect.row, column: rect.column, width: rect.columns, role: .dim)
            return
        }
        if let overlay = overlays.last {
            canvas.put(" \(overlay.hint)", row: rect.row, column: rect.column, width: rect.columns, role: .dim)
            return
        }
        let scopes = screen.scopes(model)
        let shown = VerbTable.footer(scopes)
        // The way to all the others always has its place.
        let always = VerbTable.footer([.everywhere])
        func width(_ verb: Verb) -> Int {
            Sanitiser.width(verb.keys.first?.label(canvas.glyphs) ?? "") + Sanitiser.width(verb.short) + 3
        }
        let reserved = min(always.reduce(0) { $0 + width($1) }, rect.columns / 2)
        var column = rect.column + 1
        for (verbs, end) in [(shown, rect.endColumn - reserved), (always, rect.endColumn)] {
            for verb in verbs where column + width(verb) <= end + 1 {
                let isAllowed = verb.role <= model.role
                let key = verb.keys.first?.label(canvas.glyphs) ?? ""
                let at = canvas.put(key, row: rect.row, column: column, role: isAllowed ? .key : .dim, bold: isAllowed)
                canvas.put(" \(verb.short)", row: rect.row, column: at, role: isAllowed ? .text : .dim)
                column += width(verb)
            }
        }
    }
}
