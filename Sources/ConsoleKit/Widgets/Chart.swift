/// How charts are drawn: braille is hollow or missing in many fonts, so the others are one key away.
enum ChartStyle: String, CaseIterable, Sendable { case braille, block, ascii }

/// A filled chart of values, newest at the right.
struct Chart {
    var values: [Double]
    var style: ChartStyle

    /// The next of 1, 2, 5, 10, … that is not below the largest value. Steps keep the picture still: a moving maximum
    /// would redraw everything.
    static func scale(_ largest: Double) -> Double {
        guard largest.isFinite, largest > 0 else { return 1 }
        var step = 1.0
        while step < largest * 10 {
            for factor in [1.0, 2, 5] where step * factor >= largest { return step * factor }
            step *= 10
        }
        return step
    }

    /// Values that fit into so many columns.
    static func capacity(_ columns: Int, _ style: ChartStyle) -> Int { style == .braille ? columns * 2 : columns }

    /// Lines of exactly `columns` characters, top first.
    func lines(columns: Int, rows: Int, scale: Double, glyphs: GlyphSet) -> [String] {
        guard columns > 0, rows > 0 else { return [] }
        let style = glyphs == .ascii ? .ascii : style
        let capacity = Chart.capacity(columns, style)
        let recent = values.suffix(capacity)
        let padded = Array(repeating: 0.0, count: capacity - recent.count) + recent
        let perRow = style == .braille ? 4 : style == .block ? 8 : 1
        let heights = padded.map { value -> Int in
            guard value > 0, value.isFinite, scale > 0 else { return 0 }
            let height = Int((value / scale * Double(rows * perRow)).rounded())
            return min(max(1, height), rows * perRow)
        }
        return (0..<rows).map { row in
            let floor = (rows - 1 - row) * perRow
            return style == .braille
                ? braille(heights, floor: floor, columns: columns)
                : blocks(heights, floor: floor, perRow: perRow, style: style)
        }
    }

    /// Dots of a braille cell, bottom up, left and right column.
    private func braille(_ heights: [Int], floor: Int, columns: Int) -> String {
        let left: [UInt32] = [0x40, 0x04, 0x02, 0x01]
        let right: [UInt32] = [0x80, 0x20, 0x10, 0x08]
        var line = String.UnicodeScalarView()
        for column in 0..<columns {
            var dots: UInt32 = 0
            for level in 0..<4 {
                if heights[column * 2] > floor + level { dots |= left[level] }
                if heights[column * 2 + 1] > floor + level { dots |= right[level] }
            }
            line.append(dots == 0 ? " " : Unicode.Scalar(0x2800 + dots) ?? " ")
        }
        return String(line)
    }

    private func blocks(_ heights: [Int], floor: Int, perRow: Int, style: ChartStyle) -> String {
        let levels = Array(" ▁▂▃▄▅▆▇█")
        return String(
            heights.map { height in
                let level = min(max(0, height - floor), perRow)
                return style == .ascii ? (level > 0 ? "#" : " ") : levels[level]
            })
    }

    /// One line of block characters; never full, because full blocks fuse with the row above.
    static func spark(_ values: [Double], columns: Int, scale: Double, glyphs: GlyphSet) -> String {
        let levels = glyphs.levels
        let recent = values.suffix(columns)
        return String(repeating: " ", count: max(0, columns - recent.count))
            + recent.map { value -> String in
                guard value > 0, value.isFinite, scale > 0 else { return levels[value.isNaN ? 0 : 1] }
                return levels[min(7, max(1, Int((value / scale * 7).rounded())))]
            }
            .joined()
    }
}
