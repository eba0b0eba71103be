import Shared

/// Compiles a theme file: `[palette]` names colours, `[roles]` gives every role one, `[ansi]` says what to do with 8 or
/// 16 colours, `[mono]` without any. The last two may leave roles out.
struct ThemeReader {
    private let root: TOML.Table
    private var faults: [ThemeFaults.Fault]
    private var palette: [String: Color] = [:]

    private static let sections = ["palette", "roles", "ansi", "mono"]

    init(_ toml: String) {
        let parsed = TOML.parse(toml)
        root = parsed.root
        faults = parsed.faults.map { ThemeFaults.Fault(line: $0.line, message: $0.message) }
    }

    mutating func theme(named name: String) throws(ThemeFaults) -> Theme {
        for member in root.members where !ThemeReader.sections.contains(member.key) {
            fail(
                member.value.line,
                "\(member.key) is no section of a theme: \(ThemeReader.sections.joined(separator: ", "))")
        }
        readPalette()
        let direct = styles("roles", required: true) { Style(background: $0) }
        let ansi = styles("ansi", required: false) { _ in Style() }
        let mono = styles("mono", required: false) { _ in Style() }
        guard faults.isEmpty else { throw ThemeFaults(faults: faults.sorted { $0.line < $1.line }) }
        return Theme(name: name, direct: direct, ansi: ansi, mono: mono)
    }

    private mutating func fail(_ line: Int, _ message: String) {
        faults.append(ThemeFaults.Fault(line: line, message: message))
    }

    private func table(_ key: String) -> TOML.Table? {
        if case .table(let table)? = root[key]?.kind { table } else { nil }
    }

    private mutating func readPalette() {
        for member in table("palette")?.members ?? [] {
            guard case .string(let text) = member.value.kind, let color = ThemeReader.color(text) else {
                fail(member.value.line, "palette \(member.key) must be \"#rrggbb\"")
                continue
            }
            palette[member.key] = color
        }
        if palette["background"] == nil { fail(1, "[palette] must name a background") }
    }

    private mutating func styles(_ section: String, required: Bool, base: (Color) -> Style) -> [Style] {
        var styles = ColorRole.allCases.map { role in
            var style = Theme.fallback(role)
            if section == "mono" { style.foreground = .standard }
            return style
        }
        guard let table = table(section) else {
            if required { fail(1, "[\(section)] is missing") }
            return styles
        }
        var seen: Set<ColorRole> = []
        for member in table.members {
            guard let role = ColorRole.allCases.first(where: { $0.name == member.key }) else {
                let known = ColorRole.allCases.map(\.name).joined(separator: ", ")
                fail(member.value.line, "\(member.key) is no role; the roles are \(known)")
                continue
            }
            seen.insert(role)
            styles[Int(role.rawValue)] = style(
                member.value, section: section, base: base(palette["background"] ?? .standard))
        }
        let missing = ColorRole.allCases.filter { !seen.contains($0) }.map(\.name)
        if required && !missing.isEmpty {
            fail(table.line, "[\(section)] leaves out \(missing.joined(separator: ", "))")
        }
        return styles
    }

    private mutating func style(_ value: TOML.Value, section: String, base: Style) -> Style {
        var style = base
        switch value.kind {
        case .string(let name):
            for word in section == "mono" ? name.split(separator: " ").map(String.init) : [name] {
                if section == "mono" {
                    attribute(word, true, line: value.line, into: &style)
                } else {
                    style.foreground = color(name, section: section, line: value.line)
                }
            }
        case .table(let table):
            for member in table.members {
                switch (member.key, member.value.kind) {
                case ("fg", .string(let name)) where section != "mono":
                    style.foreground = color(name, section: section, line: member.value.line)
                case ("bg", .string(let name)) where section != "mono":
                    style.background = color(name, section: section, line: member.value.line)
                case (_, .boolean(let on)): attribute(member.key, on, line: member.value.line, into: &style)
                default:
                    fail(member.value.line, "\(member.key) does not belong here: fg, bg, bold, underline, dim, reverse")
                }
            }
        default: fail(value.line, "a style is a colour's name or { fg, bg, bold, underline, dim, reverse }")
        }
        return style
    }

    private mutating func attribute(_ name: String, _ on: Bool, line: Int, into style: inout Style) {
        switch name {
        case "bold": style.bold = on
        case "underline": style.underline = on
        case "dim": style.dim = on
        case "reverse": style.reverse = on
        case "normal": break
        default: fail(line, "\(name) is no attribute: bold, underline, dim, reverse, normal")
        }
    }

    private mutating func color(_ name: String, section: String, line: Int) -> Color {
        let known = section == "ansi" ? Color.names : palette
        if let color = known[name] ?? (section == "ansi" ? nil : ThemeReader.color(name)) { return color }
        fail(
            line,
            "\(name) is no colour of \(section == "ansi" ? "the 16" : "[palette]"): "
                + known.keys.sorted().joined(separator: ", "))
        return .standard
    }

    private static func color(_ text: String) -> Color? {
        let digits = text.dropFirst()
        guard text.first == "#", digits.utf8.count == 6, digits.allSatisfy(\.isHexDigit),
            let value = UInt32(digits, radix: 16)
        else { return nil }
        return .rgb(UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255))
    }
}
