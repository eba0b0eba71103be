import Foundation
import Testing

@testable import ConsoleKit

struct ThemeTests {
    static let names = ["harbour", "daylight"]

    private func theme(_ name: String) throws -> Theme {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("themes/\(name).toml"), encoding: .utf8)
        return try Theme(name: name, toml: text)
    }

    /// Relative luminance and contrast as WCAG 2.1 defines them.
    private func linear(_ color: Color) -> [Double] {
        guard case .rgb(let red, let green, let blue) = color else { return [0, 0, 0] }
        return [red, green, blue].map { value in
            let share = Double(value) / 255
            return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
        }
    }

    private func contrast(_ one: Color, _ other: Color) -> Double {
        let levels = [one, other].map { color in
            zip(linear(color), [0.2126, 0.7152, 0.0722]).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return ((levels.max() ?? 0) + 0.05) / ((levels.min() ?? 0) + 0.05)
    }

    @Test(arguments: names)
    func `every role can be read on its background`(name: String) throws {
        let theme = try theme(name)
        for role in ColorRole.allCases {
            let style = theme.style(role, depth: .direct)
            let ratio = contrast(style.foreground, style.background)
            #expect(ratio >= (role.isDecoration ? 3 : 4.5), "\(name) \(role.name): \(ratio)")
        }
    }

    /// Deuteranopia after Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB; then CIE L*a*b*.
    private func seen(_ color: Color) -> [Double] {
        let rgb = linear(color)
        let matrix = [
            [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
        ]
        let shifted = matrix.map { row in max(0, zip(row, rgb).reduce(0) { $0 + $1.0 * $1.1 }) }
        let xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
            .map { row in zip(row, shifted).reduce(0) { $0 + $1.0 * $1.1 } }
        let f = zip(xyz, [0.9505, 1, 1.089]).map { value, white in
            let share = value / white
            return share > 0.008856 ? cbrt(share) : 7.787 * share + 16.0 / 116
        }
        return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]
    }

    @Test(arguments: names)
    func `good, doubtful and bad stay apart without the sense of green`(name: String) throws {
        let theme = try theme(name)
        let roles: [ColorRole] = [.ok, .warn, .crit]
        for (index, one) in roles.enumerated() {
            for other in roles[(index + 1)...] {
                let pair = [one, other].map { seen(theme.style($0, depth: .direct).foreground) }
                let distance = sqrt(zip(pair[0], pair[1]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) })
                #expect(distance >= 15, "\(name): \(one.name) and \(other.name) are \(distance) apart")
            }
        }
    }

    @Test func `every mistake of a theme is told with its line, and an unknown role with the known ones`() throws {
        let text = "[palette]\nbackground = \"#000000\"\nfog = \"grey\"\n[roles]\nsparkle = \"fog\"\ntext = 3\n"
        let faults = #expect(throws: ThemeFaults.self) { try Theme(name: "x", toml: text) }
        let found = try #require(faults).faults
        #expect(found.contains { $0.line == 3 && $0.message.contains("#rrggbb") })
        #expect(found.contains { $0.line == 5 && $0.message.contains("chart-second") })
        #expect(found.contains { $0.line == 6 })
        #expect(found.contains { $0.message.contains("leaves out") })
    }

    @Test func `colours are brought to the depth that the terminal has`() throws {
        let theme = try theme("harbour")
        #expect(theme.style(.crit, depth: .ansi).foreground == .index(1))
        #expect(theme.style(.crit, depth: .mono) == Style(bold: true, underline: true))
        guard case .index(let index) = theme.style(.crit, depth: .indexed).foreground else {
            return #expect(Bool(false), "an index was expected")
        }
        #expect(index >= 16)
        #expect(Color.rgb(255, 255, 255).indexed == .index(231))
        #expect(Color.rgb(8, 8, 8).indexed == .index(232))
    }

    @Test func `selected cells are reversed`() {
        var canvas = Canvas(size: Size(columns: 2, rows: 1))
        canvas.put("ab", row: 0, column: 0, role: .crit)
        canvas.select(Rect(row: 0, column: 0, rows: 1, columns: 1))
        #expect(Theme.plain.style(canvas[0, 0], depth: .mono).reverse)
        #expect(!Theme.plain.style(canvas[0, 1], depth: .mono).reverse)
    }

    @Test func `every role has its own letter and name`() {
        #expect(Set(ColorRole.allCases.map(\.letter)).count == ColorRole.allCases.count)
        #expect(Set(ColorRole.allCases.map(\.name)).count == ColorRole.allCases.count)
    }
}
