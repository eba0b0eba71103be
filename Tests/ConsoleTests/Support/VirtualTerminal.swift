import CVterm
import Foundation

/// A terminal without a window: a pseudo-terminal with libvterm at its end, driven by the test's own thread.
final class VirtualTerminal {
    /// How the far end behaves.
    enum Temper: Equatable {
        case prompt
        /// Shows everything and answers nothing.
        case mute
        /// Takes so many bytes a second, answers among them.
        case slow(bytesPerSecond: Double)
    }

    let temper: Temper
    private(set) var controller: Int32
    /// The program's end, kept open so that its modes can be read after the program has gone.
    let line: Int32
    private(set) var bytesReceived = 0
    private(set) var isOnAlternateScreen = false
    private(set) var isCursorVisible = true
    /// Everything received, for a look at single sequences.
    private(set) var transcript: [UInt8] = []

    private let emulator: OpaquePointer
    private var allowance = 0.0
    private var refilled = VirtualTerminal.now
    private var callbacks = UnsafeMutablePointer<VTermScreenCallbacks>.allocate(capacity: 1)

    static var now: Double { ProcessInfo.processInfo.systemUptime }

    init(columns: Int, rows: Int, temper: Temper = .prompt) throws {
        self.temper = temper
        var controller: Int32 = -1
        var line: Int32 = -1
        guard cv_open(Int32(rows), Int32(columns), &controller, &line) == 0 else { throw Failure("no pseudo-terminal") }
        self.controller = controller
        self.line = line
        _ = fcntl(controller, F_SETFL, O_NONBLOCK)
        emulator = vterm_new(Int32(rows), Int32(columns))
        vterm_set_utf8(emulator, 1)
        let screen = vterm_obtain_screen(emulator)
        callbacks.initialize(to: VTermScreenCallbacks())
        callbacks.pointee.settermprop = { property, value, user in
            guard let user, let value else { return 0 }
            let terminal = Unmanaged<VirtualTerminal>.fromOpaque(user).takeUnretainedValue()
            if property == VTERM_PROP_ALTSCREEN { terminal.isOnAlternateScreen = value.pointee.boolean != 0 }
            if property == VTERM_PROP_CURSORVISIBLE { terminal.isCursorVisible = value.pointee.boolean != 0 }
            return 1
        }
        vterm_screen_set_callbacks(screen, callbacks, Unmanaged.passUnretained(self).toOpaque())
        vterm_screen_enable_altscreen(screen, 1)
        vterm_screen_reset(screen, 1)
        vterm_output_set_callback(
            emulator,
            { bytes, count, user in
                guard let bytes, let user else { return }
                let terminal = Unmanaged<VirtualTerminal>.fromOpaque(user).takeUnretainedValue()
                if terminal.temper != .mute { _ = write(terminal.controller, bytes, count) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        vterm_free(emulator)
        callbacks.deallocate()
        if controller >= 0 { close(controller) }
        close(line)
    }

    /// Reads what the program has sent, as far as the terminal's temper lets it.
    func service() {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let room = min(chunk.count, takeAllowance())
            guard room > 0 else { return }
            let count = read(controller, &chunk, room)
            guard count > 0 else { return }
            if case .slow = temper { allowance -= Double(count) }
            bytesReceived += count
            transcript += chunk[..<count]
            chunk.withUnsafeBytes {
                _ = vterm_input_write(emulator, $0.baseAddress?.assumingMemoryBound(to: CChar.self), count)
            }
        }
    }

    private func takeAllowance() -> Int {
        guard case .slow(let rate) = temper else { return .max }
        let now = Self.now
        allowance = min(allowance + (now - refilled) * rate, rate / 4)
        refilled = now
        return Int(allowance)
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(controller, bytes, bytes.count)
    }

    /// Pulls the plug, as a closed window or a lost connection does.
    func hangUp() {
        close(controller)
        controller = -1
    }

    /// Bytes that were typed, or answered by the terminal, and that nobody has read.
    var unreadInput: Int {
        var modes = termios()
        tcgetattr(line, &modes)
        let before = modes
        // Line mode counts whole lines only.
        cfmakeraw(&modes)
        tcsetattr(line, TCSANOW, &modes)
        var count: Int32 = 0
        _ = ioctl(line, UInt(FIONREAD), &count)
        modes = before
        tcsetattr(line, TCSANOW, &modes)
        return Int(count)
    }

    func resize(columns: Int, rows: Int) {
        vterm_set_size(emulator, Int32(rows), Int32(columns))
        _ = cv_resize(controller, Int32(rows), Int32(columns))
    }

    var size: (columns: Int, rows: Int) {
        var rows: Int32 = 0
        var columns: Int32 = 0
        vterm_get_size(emulator, &rows, &columns)
        return (Int(columns), Int(rows))
    }

    func cell(_ row: Int, _ column: Int) -> cv_cell { cv_cell_at(emulator, Int32(row), Int32(column)) }

    /// The cells of the whole screen, row by row.
    var cells: [cv_cell] {
        (0..<size.rows).flatMap { row in (0..<size.columns).map { cell(row, $0) } }
    }

    /// One row as text, without trailing spaces.
    func line(_ row: Int) -> String {
        var scalars = String.UnicodeScalarView()
        var column = 0
        while column < size.columns {
            let cell = cell(row, column)
            scalars.append(Unicode.Scalar(cell.characters.0).flatMap { $0.value == 0 ? nil : $0 } ?? " ")
            column += max(1, Int(cell.width))
        }
        var text = String(scalars)
        while text.last == " " { text.removeLast() }
        return text
    }

    var lines: [String] { (0..<size.rows).map(line) }
    var text: String { lines.joined(separator: "\n") }

    /// Where the cursor stands.
    var cursor: (row: Int, column: Int) {
        var position = VTermPos()
        vterm_state_get_cursorpos(vterm_obtain_state(emulator), &position)
        return (Int(position.row), Int(position.col))
    }

    /// The line's modes as a comparable value.
    var modes: [UInt32] {
        var modes = termios()
        tcgetattr(line, &modes)
        let characters = withUnsafeBytes(of: &modes.c_cc) { $0.map(UInt32.init) }
        return [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag] + characters
    }
}

/// Why a test could not go on.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
