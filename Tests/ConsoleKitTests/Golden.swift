import Foundation
import Testing

@testable import ConsoleKit

/// Compares a canvas with a file: the text, what each colour means, what is selected, and where the cursor is.
/// `UPDATE_GOLDEN=1` writes the files anew.
enum Golden {
    static func text(_ canvas: Canvas) -> String {
        var lines = [
            "size \(canvas.size.columns)x\(canvas.size.rows)  cursor \(canvas.cursor.row),\(canvas.cursor.column)"
        ]
        for row in 0..<canvas.size.rows { lines.append("|" + canvas.line(row) + "|") }
        lines.append("roles")
        for row in 0..<canvas.size.rows {
            lines.append(
                "|"
                    + String(
                        canvas.row(row).filter { $0.width > 0 }.map {
                            $0.base == " " && $0.role != .header ? " " : $0.role.letter
                        }) + "|")
        }
        lines.append("selected")
        for row in 0..<canvas.size.rows {
            let columns = canvas.row(row).enumerated().filter { $0.element.isSelected }.map(\.offset)
            if let first = columns.first, let last = columns.last { lines.append("row \(row): \(first)...\(last)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func check(
        _ canvas: Canvas, _ name: String, file: String = #filePath, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Goldens/ConsoleKit")
        let url = folder.appendingPathComponent("\(name)-\(canvas.size.columns)x\(canvas.size.rows).txt")
        let now = text(canvas)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(now.utf8).write(to: url)
            return
        }
        let before = try String(contentsOf: url, encoding: .utf8)
        #expect(before == now, "\(url.lastPathComponent) differs", sourceLocation: sourceLocation)
    }
}
