import CNcurses
import CTerminal
import ConsoleKit
import Glibc

/// Cells out: the one place that calls curses.
///
/// curses writes to a file in memory, because it flushes around every wide character; the whole frame is then taken
/// from there and sent in one piece.
final class Painter {
    private struct Look: Hashable {
        var role: ColorRole
        var isSelected: Bool
        var isBold: Bool
    }
    private struct Attributes {
        var flags: attr_t
        var pair: Int32
    }

    let depth: ColorDepth
    private let screen: OpaquePointer
    private let output: UnsafeMutablePointer<FILE>
    private let memory: Int32
    private let colors: Int32
    private var looks: [Look: Attributes] = [:]
    private var shown: Canvas?
    private var isOnScreen = false
    /// Sent ahead of the next frame, without curses knowing.
    private var prefix: [UInt8] = []
    private var theme: Theme

    /// - Returns: `nil` when this machine has no description of `candidate`'s terminal.
    init?(_ candidate: TerminalProfile.Candidate, theme: Theme, size: Size, input: UnsafeMutablePointer<FILE>) {
        let memory = terminal_memory_file("selvage-frame")
        guard memory >= 0 else { return nil }
        guard let output = fdopen(memory, "w+") else {
            close(memory)
            return nil
        }
        // curses cannot ask a file in memory for its size, and not every description has one.
        setenv("LINES", String(size.rows), 1)
        setenv("COLUMNS", String(size.columns), 1)
        defer {
            unsetenv("LINES")
            unsetenv("COLUMNS")
        }
        guard let screen = newterm(candidate.name, output, input) else {
            fclose(output)
            return nil
        }
        self.screen = screen
        self.output = output
        self.memory = memory
        self.theme = theme
        // Otherwise curses stops drawing in the middle of a frame when a key waits.
        typeahead(-1)
        // Line feeds only go down: the terminal is raw.
        nonl()
        leaveok(cn_standard_screen(), false)
        curs_set(1)
        depth = Painter.startColors(at: candidate.depth)
        colors = depth == .mono ? 0 : cn_colors()
    }

    private static func startColors(at wanted: ColorDepth) -> ColorDepth {
        guard wanted != .mono, has_colors(), start_color() == 0, use_default_colors() == 0 else { return .mono }
        if wanted == .direct, tigetflag("RGB") > 0 { return .direct }
        switch cn_colors() {
        case 256...: return .indexed
        case 8...: return .ansi
        default: return .mono
        }
    }

    /// What this terminal's description says of its keys.
    var keyCapabilities: [[UInt8]: Key] {
        var result: [[UInt8]: Key] = [:]
        for (name, key) in KeyTable.capabilityNames {
            if let text = cn_capability(name) { result[Array(String(cString: text).utf8)] = key }
        }
        return result
    }

    /// Bytes that leave the screen, computed ahead because they are needed inside a signal handler.
    var crashRestore: [UInt8] {
        var bytes: [UInt8] = [0x18]
        bytes += Array("\u{1B}[?2026l\u{1B}[?2004l".utf8)
        for name in ["rmkx", "sgr0", "op", "cnorm", "rmcup"] {
            guard let text = cn_capability(name) else { continue }
            bytes += Painter.withoutPadding(Array(String(cString: text).utf8))
        }
        return bytes + [0x0D]
    }

    func use(_ theme: Theme) {
        self.theme = theme
        looks = [:]
        shown = nil
    }

    /// Draws everything anew with the next frame.
    func invalidate() {
        clearok(cn_current_screen(), true)
        shown = nil
    }

    /// Follows the window. Not `resizeterm`: that one pushes a key for each call, and the answer to the key would
    /// push the next one.
    func resize(to size: Size) {
        resize_term(Int32(size.rows), Int32(size.columns))
        erase()
        invalidate()
        // curses has told the terminal its scrolling margins for the size before, and relative moves stop there.
        // Without a number they are the whole window; the cursor goes home, which the repaint does anyway.
        // Not before the screen is entered, which remembers where the shell's cursor was.
        if isOnScreen, cn_capability("csr") != nil { prefix = Array("\u{1B}[r".utf8) }
    }

    /// - Returns: the bytes that bring the terminal from the last frame to this one; empty when they are equal.
    func paint(_ canvas: Canvas) -> [UInt8] {
        for row in 0..<canvas.size.rows {
            if let shown, shown.size == canvas.size, shown.row(row) == canvas.row(row) { continue }
            paint(row: row, of: canvas)
        }
        shown = canvas
        isOnScreen = true
        move(Int32(canvas.cursor.row), Int32(canvas.cursor.column))
        wnoutrefresh(cn_standard_screen())
        doupdate()
        let bytes = taken()
        guard !bytes.isEmpty else { return [] }
        defer { prefix = [] }
        return prefix + bytes
    }

    /// - Returns: the bytes that leave the screen.
    func leave() -> [UInt8] {
        endwin()
        shown = nil
        isOnScreen = false
        prefix = []
        return taken()
    }

    private func paint(row: Int, of canvas: Canvas) {
        var column = 0
        for cell in canvas.row(row) {
            defer { column += 1 }
            guard cell.width > 0 else { continue }
            let look = attributes(cell)
            // curses counts columns with the C library; where that disagrees, a row would shift.
            guard cn_width(cell.base.value) == Int32(cell.width) else {
                for offset in 0..<Int(cell.width) {
                    cn_put(Int32(row), Int32(column + offset), 0x3F, 0, 0, look.flags, look.pair)
                }
                continue
            }
            cn_put(
                Int32(row), Int32(column), cell.base.value, mark(cell.firstMark), mark(cell.secondMark), look.flags,
                look.pair)
        }
    }

    private func mark(_ scalar: Unicode.Scalar?) -> UInt32 {
        guard let value = scalar?.value, cn_width(value) == 0 else { return 0 }
        return value
    }

    private func attributes(_ cell: Cell) -> Attributes {
        let look = Look(role: cell.role, isSelected: cell.isSelected, isBold: cell.isBold)
        if let known = looks[look] { return known }
        let style = theme.style(cell, depth: depth)
        var result = Attributes(flags: 0, pair: 0)
        if style.bold { result.flags |= cn_bold() }
        if style.dim { result.flags |= cn_dim() }
        if style.underline { result.flags |= cn_underline() }
        if style.reverse { result.flags |= cn_reverse() }
        if depth != .mono {
            let foreground = number(style.foreground)
            let background = number(style.background)
            if case .index(8...15) = style.foreground, depth == .direct || colors < 16 {
                result.flags |= cn_bold()
            }
            if foreground >= 0 || background >= 0 { result.pair = max(0, alloc_pair(foreground, background)) }
        }
        looks[look] = result
        return result
    }

    private func number(_ color: Color) -> Int32 {
        switch color {
        case .standard: -1
        // Where colours are direct, only the first eight numbers are the palette's.
        case .index(let index): Int32(index) < (depth == .direct ? 8 : colors) ? Int32(index) : Int32(index % 8)
        // Colour numbers below 8 mean the terminal's palette also where colours are direct.
        case .rgb(let red, let green, let blue):
            max(8, Int32(red) << 16 | Int32(green) << 8 | Int32(blue))
        }
    }

    /// Everything that curses has written since the last time.
    private func taken() -> [UInt8] {
        fflush(output)
        let length = Int(lseek(memory, 0, SEEK_CUR))
        guard length > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: length)
        let count = pread(memory, &bytes, length, 0)
        lseek(memory, 0, SEEK_SET)
        ftruncate(memory, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Capabilities carry waiting times, `$<5/>`, that curses would act on.
    static func withoutPadding(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            if rest.starts(with: "$<".utf8), let end = rest.firstIndex(of: UInt8(ascii: ">")) {
                rest = rest[(end + 1)...]
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
