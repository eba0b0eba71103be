import Shared

extension WeightsScreen {
    /// Where each column of a row begins; a column that is not shown has no width.
    struct Columns {
        var name: Int
        var slider: Int
        var showsRates: Bool
        var showsBreakdown: Bool

        init(_ width: Int) {
            showsBreakdown = width >= 70
            showsRates = width >= 50
            let figures = (showsRates ? 8 : 0) + (showsBreakdown ? 15 : 0)
            let spare = max(8, width - 2 - 2 * 8 - figures - 2)
            name = min(max(8, spare * 2 / 5), 28)
            slider = max(4, min(50, spare - name - 2))
        }
    }

    func drawHead(_ canvas: inout Canvas, _ rect: Rect) {
        guard rect.rows > 0 else { return }
        let columns = Columns(rect.columns)
        var at = rect.column + 2
        canvas.put("BACKEND", row: rect.row, column: at, width: columns.name, role: .heading)
        at += columns.name + 1
        canvas.putRight("NOW", row: rect.row, end: at + 6, width: 6, role: .heading)
        at += 8
        canvas.put("WEIGHT", row: rect.row, column: at, width: columns.slider, role: .heading)
        at += columns.slider + 1
        canvas.putRight("NEW", row: rect.row, end: at + 6, width: 6, role: .heading)
        at += 8
        if columns.showsRates {
            canvas.putRight("REQ/S", row: rect.row, end: at + 7, width: 7, role: .heading)
            at += 8
        }
        if columns.showsBreakdown {
            canvas.putRight("P95", row: rect.row, end: at + 7, width: 7, role: .heading)
            canvas.putRight("ERR", row: rect.row, end: at + 15, width: 7, role: .heading)
        }
    }

    func drawChild(
        _ canvas: inout Canvas, _ rect: Rect, _ index: Int, _ isSelected: Bool, _ edit: WeightEdit,
        _ forecast: WeightForecast, _ model: ConsoleModel
    ) {
        let columns = Columns(rect.columns)
        let glyphs = canvas.glyphs
        let row = rect.row
        var at = rect.column + 2
        if isSelected {
            canvas.put(glyphs.marker, row: row, column: rect.column, role: .focus)
            canvas.cursor = Position(row: row, column: rect.column)
        }
        let id = edit.children[index]
        let base = edit.baseShares[index]
        let share = edit.shares[index]
        let traffic = model.traffic(backend: id)
        canvas.put(
            model.inventory.name(id), row: row, column: at, width: columns.name, role: .identifier, bold: isSelected)
        at += columns.name + 1
        canvas.putRight(Percent.text(base), row: row, end: at + 6, width: 6)
        at += 8
        drawSlider(&canvas, row, at, columns.slider, base, share)
        at += columns.slider + 1
        let change = share == base ? " " : share > base ? glyphs.up : glyphs.down
        canvas.putRight(Percent.text(share), row: row, end: at + 6, width: 6, role: share == base ? .text : .staged)
        canvas.put(edit.locked.contains(index) ? glyphs.lock : change, row: row, column: at + 6, role: .staged)
        at += 8
        let figure: ColorRole = model.isStale ? .stale : .text
        if columns.showsRates {
            let rate = traffic.map { Figure.rate($0.requestsPerSecond) } ?? "-"
            canvas.putRight(rate, row: row, end: at + 7, width: 7, role: figure)
            at += 8
        }
        if columns.showsBreakdown {
            let errors = traffic.map(OverviewScreen.errors)
            canvas.putRight(Figure.milliseconds(traffic?.p95), row: row, end: at + 7, width: 7, role: figure)
            canvas.putRight(
                errors?.text ?? "-", row: row, end: at + 15, width: 7,
                role: model.isStale ? .stale : errors?.role ?? .text)
            at += 16
        }
        let note = forecast.notes[index]
        let then = edit.isChanged ? "\(glyphs.arrow) \(Figure.rate(forecast.rates[index].then)) req/s  \(note)" : note
        if rect.endColumn - at > 12 {
            canvas.put(then, row: row, column: at, width: rect.endColumn - at, role: note.hasPrefix("!") ? .warn : .dim)
        }
        if isSelected { canvas.select(Rect(row: row, column: rect.column + 2, rows: 1, columns: columns.name)) }
    }

    /// What runs is `█`, what is being added `▒`, what is going away `░`.
    private func drawSlider(_ canvas: inout Canvas, _ row: Int, _ column: Int, _ width: Int, _ base: Int, _ share: Int)
    {
        let glyphs = canvas.glyphs
        for cell in 0..<width {
            let middle = (2 * cell + 1) * Percent.whole / (2 * width)
            let (text, role): (String, ColorRole)
            switch (middle < base, middle < share) {
            case (true, true): (text, role) = (glyphs.full, .bar)
            case (false, true): (text, role) = (glyphs.adding, .staged)
            case (true, false): (text, role) = (glyphs.removing, .chartSecond)
            case (false, false): (text, role) = (glyphs.track, .track)
            }
            canvas.put(text, row: row, column: column + cell, role: role)
        }
    }

    /// What is watched since the change, against its limits.
    static func drawGuard(_ canvas: inout Canvas, _ body: inout Rect, _ status: GuardStatus, _ model: ConsoleModel) {
        let lines = body.takeTop(min(6, body.rows))
        guard lines.rows > 0 else { return }
        let left = model.remaining(status)
        let warning =
            "Rolls back by itself in \(left) s, at once past a limit, or if \(status.principal)'s session drops."
        canvas.put("  " + warning, row: lines.row, column: lines.column, width: lines.columns, role: .guarded)
        guard lines.rows >= 4 else { return }
        canvas.put("  since apply", row: lines.row + 1, column: lines.column, role: .heading)
        for (offset, title) in ["baseline", "now", "limit"].enumerated() {
            canvas.putRight(title, row: lines.row + 1, end: lines.column + 27 + offset * 10, width: 10, role: .heading)
        }
        let enough = status.samples >= status.minSamples
        func line(_ row: Int, _ name: String, _ cells: [String], _ bad: Bool) {
            canvas.put("  \(name)", row: row, column: lines.column)
            for (offset, text) in cells.enumerated() {
                canvas.putRight(
                    text, row: row, end: lines.column + 27 + offset * 10, width: 10,
                    role: model.isStale ? .stale : offset == 1 && bad ? .crit : .text)
            }
            let verdict = !enough ? "too few to judge" : bad ? "past the limit" : "ok"
            canvas.put(
                verdict, row: row, column: lines.column + 50, width: max(0, lines.columns - 50),
                role: !enough ? .dim : bad ? .crit : .ok)
        }
        line(
            lines.row + 2, "err",
            [
                status.baselineErrorRate.map(Figure.percent) ?? "-", Figure.percent(status.errorRate),
                status.maxErrorRate.map(Figure.percent) ?? "none",
            ], status.maxErrorRate.map { status.errorRate > $0 } ?? false)
        line(
            lines.row + 3, "p95",
            [
                Figure.milliseconds(status.baselineP95), Figure.milliseconds(status.p95),
                status.maxP95.map { Figure.milliseconds($0) } ?? "none",
            ], status.maxP95.map { (status.p95 ?? 0) > $0 } ?? false)
        if lines.rows >= 5 {
            canvas.put(
                "  \(Figure.grouped(Int(clamping: status.samples))) exchanges seen, judged from \(status.minSamples)  by "
                    + "\(status.principal): \(status.command)", row: lines.row + 4, column: lines.column,
                width: lines.columns, role: .dim)
        }
    }
}
