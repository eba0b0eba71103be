import Shared

/// One line that is being typed.
struct TextField: Sendable, Hashable {
    static let maximumLength = 4_096

    private(set) var text: String
    /// In characters from the start.
    private(set) var caret: Int

    init(_ text: String = "") {
        self.text = text
        caret = text.count
    }

    /// - Returns: `false` when the key is not one that edits text.
    mutating func handle(_ key: Key) -> Bool {
        switch key {
        case .character(let character): insert(String(character))
        case .paste(let pasted): insert(pasted)
        case .backspace:
            guard caret > 0 else { return true }
            text.remove(at: text.index(text.startIndex, offsetBy: caret - 1))
            caret -= 1
        case .delete:
            guard caret < text.count else { return true }
            text.remove(at: text.index(text.startIndex, offsetBy: caret))
        case .left: caret = max(0, caret - 1)
        case .right: caret = min(text.count, caret + 1)
        case .home, .ctrl("a"): caret = 0
        case .end, .ctrl("e"): caret = text.count
        case .ctrl("u"):
            text = ""
            caret = 0
        case .ctrl("w"):
            let kept = text.prefix(caret)
            let trimmed = kept.drop(while: { _ in false })
            var start = trimmed.count
            let letters = Array(trimmed)
            while start > 0 && letters[start - 1] == " " { start -= 1 }
            while start > 0 && letters[start - 1] != " " { start -= 1 }
            text = String(letters[..<start]) + text.dropFirst(caret)
            caret = start
        default: return false
        }
        return true
    }

    mutating func replace(_ new: String) {
        text = String(new.prefix(TextField.maximumLength))
        caret = text.count
    }

    private mutating func insert(_ new: String) {
        // What is typed goes into commands and documents: one line, and nothing that a terminal would obey.
        let clean = String(
            String.UnicodeScalarView(
                new.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F && !(0x80...0x9F).contains($0.value) })
        )
        guard !clean.isEmpty, text.count + clean.count <= TextField.maximumLength else { return }
        let before = text.count
        text.insert(contentsOf: clean, at: text.index(text.startIndex, offsetBy: caret))
        // Characters may merge with their neighbours.
        caret = min(text.count, max(0, caret + text.count - before))
    }

    /// Draws the part around the caret, and puts the cursor there.
    func draw(
        _ canvas: inout Canvas, row: Int, column: Int, width: Int, role: ColorRole = .text, focused: Bool
    ) {
        guard width > 1 else { return }
        let hidden = max(0, caret - width + 1)
        let shown = String(text.dropFirst(hidden))
        canvas.put(shown, row: row, column: column, width: width, role: role)
        if focused {
            let before = Sanitiser.width(String(shown.prefix(caret - hidden)))
            let at = min(column + before, column + width - 1)
            if caret == text.count { canvas.put("_", row: row, column: at, width: 1, role: .focus) }
            canvas.cursor = Position(row: row, column: at)
        }
    }
}
