/// Collects every mistake of a settings file, so that they are all reported at once.
public final class SettingsFaults {
    public private(set) var list: [TOML.Fault]

    public init(_ list: [TOML.Fault]) { self.list = list }

    public func add(_ line: Int, _ message: String) { list.append(TOML.Fault(line: line, message: message)) }
}

/// One table of the settings file while it is read: takes values by key, and knows which keys nobody took.
///
/// A value of the wrong type or out of range is a fault and reads as the default, so that reading goes on.
public struct SettingsTable {
    public let table: TOML.Table
    /// As in a header, e.g. `limits`; empty for the top of the file.
    private let name: String
    private let faults: SettingsFaults
    private var known: [String] = []

    public init(_ table: TOML.Table, name: String, faults: SettingsFaults) {
        self.table = table
        self.name = name
        self.faults = faults
    }

    public var line: Int { table.line }

    private func path(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }

    public func fault(_ line: Int, _ message: String) { faults.add(line, message) }

    /// Takes the value of a key and converts it.
    ///
    /// Not inlined: Swift 6.3.1 ends with "Found ownership error" when it optimises the inlined copies.
    @inline(never)
    private mutating func take<Result>(
        _ key: String, expecting what: String, _ convert: (TOML.Value) -> Result?
    ) -> Result? {
        known.append(key)
        guard let value = table[key] else { return nil }
        if let result = convert(value) { return result }
        fault(value.line, "\(path(key)) must be \(what), not \(SettingsTable.shown(value))")
        return nil
    }

    /// A value as a message shows it.
    private static func shown(_ value: TOML.Value) -> String {
        switch value.kind {
        case .string(let text): text.utf8.count <= 64 ? "\"\(text)\"" : "a long string"
        case .integer(let number): "\(number)"
        case .float(let number): "\(number)"
        case .boolean(let flag): "\(flag)"
        case .array, .table: value.typeName
        }
    }

    /// The same for a key that has to be there.
    private mutating func require(_ key: String, _ what: String) {
        guard table[key] == nil else { return }
        fault(line, "\(path(key)) is missing: it must be \(what)")
    }

    // MARK: Values

    public mutating func string(_ key: String) -> String? {
        take(key, expecting: "a non-empty string") { value in value.string.flatMap { $0.isEmpty ? nil : $0 } }
    }

    public mutating func requiredString(_ key: String, _ what: String) -> String? {
        require(key, what)
        return string(key)
    }

    public mutating func boolean(_ key: String, _ fallback: Bool) -> Bool {
        take(key, expecting: "true or false", \.boolean) ?? fallback
    }

    public mutating func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        take(key, expecting: "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
            guard let number = value.integer, let whole = Int(exactly: number), range.contains(whole) else {
                return nil
            }
            return whole
        }
    }

    public mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type = Choice.self
    ) -> Choice? where Choice.RawValue == String {
        let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        return take(key, expecting: names) { value in value.string.flatMap(Choice.init(rawValue:)) }
    }

    public mutating func requiredChoice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type = Choice.self
    ) -> Choice? where Choice.RawValue == String {
        require(key, Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
        return choice(key, type)
    }

    /// Seconds as a number, or a number with a unit: `"250ms"`, `"10s"`, `"5m"`, `"1h"`.
    public mutating func duration(_ key: String, _ fallback: Duration) -> Duration {
        let most = 86_400.0
        let seconds = take(key, expecting: "a time like \"10s\" or \"250ms\", from 1 ms to 24 hours") { value in
            let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
            let seconds = value.number ?? value.string.flatMap { SettingsTable.scaled($0, units) }
            return seconds.flatMap { (0.001...most).contains($0) ? $0 : nil }
        }
        return seconds.map { .seconds($0) } ?? fallback
    }

    /// Bytes as a whole number, or a number with a unit: `"64KiB"`, `"1MiB"`.
    public mutating func size(_ key: String, _ fallback: Int, _ range: ClosedRange<Int>) -> Int {
        let what = "a size from \(range.lowerBound) to \(range.upperBound) bytes, like 65536 or \"64KiB\""
        let bytes = take(key, expecting: what) { value -> Int? in
            let units: [(String, Double)] = [("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("B", 1)]
            let text = value.string.flatMap { SettingsTable.scaled($0, units) }
            let bytes = value.integer.flatMap(Int.init(exactly:)) ?? text.flatMap(Int.init(exactly:))
            return bytes.flatMap { range.contains($0) ? $0 : nil }
        }
        return bytes ?? fallback
    }

    private static func scaled(_ text: String, _ units: [(String, Double)]) -> Double? {
        for (unit, factor) in units where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count)
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else { return nil }
            return Double(digits).map { $0 * factor }
        }
        return nil
    }

    /// One value, or an array of values, that `convert` each takes. An empty array is for `isEmptyAllowed` only.
    public mutating func list<Result>(
        _ key: String, of what: String, isEmptyAllowed: Bool = false, _ convert: (TOML.Value) -> Result?
    ) -> [Result]? {
        let values = take(key, expecting: "\(what), or an array of such") { value -> [TOML.Value]? in
            guard let values = value.array else { return convert(value) == nil ? nil : [value] }
            return values.isEmpty && !isEmptyAllowed ? nil : values
        }
        guard let values else { return nil }
        for value in values where convert(value) == nil {
            fault(value.line, "\(path(key)) holds \(SettingsTable.shown(value)), which is not \(what)")
        }
        return values.compactMap(convert)
    }

    /// User ids, as numbers or as names.
    public mutating func users(_ key: String, resolve: (String) -> UInt32?) -> [UInt32] {
        list(key, of: "the id or name of a user of this machine", isEmptyAllowed: true) { value in
            value.integer.flatMap(UInt32.init(exactly:)) ?? value.string.flatMap(resolve)
        } ?? []
    }

    /// Whatever else: `convert` gives `nil` for what is not `what`.
    public mutating func value<Result>(
        _ key: String, expecting what: String, _ convert: (TOML.Value) -> Result?
    ) -> Result? {
        take(key, expecting: what, convert)
    }

    // MARK: Tables

    /// The table of that name; `nil` when it is absent.
    public mutating func section(_ key: String) -> SettingsTable? {
        take(key, expecting: "a table: [\(path(key))]", \.table).map {
            SettingsTable($0, name: path(key), faults: faults)
        }
    }

    public mutating func sections(_ key: String) -> [SettingsTable] {
        let tables = take(key, expecting: "an array of tables: [[\(path(key))]]") { value -> [TOML.Table]? in
            guard let values = value.array else { return nil }
            let tables = values.compactMap(\.table)
            return tables.count == values.count ? tables : nil
        }
        return (tables ?? []).map { SettingsTable($0, name: path(key), faults: faults) }
    }

    /// Reports the keys that nobody took. Called when everything has been taken.
    public func finish() {
        for member in table.members where !known.contains(member.key) {
            let nearest = SettingsTable.nearest(to: member.key, among: known)
            let hint = nearest.map { "did you mean '\($0)'?" } ?? "known here: \(known.joined(separator: ", "))"
            fault(member.value.line, "unknown key '\(path(member.key))': \(hint)")
        }
    }

    /// The known key that a slip of the finger is likely to have meant: at most a third of it differs.
    public static func nearest(to key: String, among known: [String]) -> String? {
        guard key.utf8.count <= 64 else { return nil }
        let ranked = known.map { ($0, editDistance(Array(key.utf8), Array($0.utf8))) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(2, best.0.utf8.count / 3) else { return nil }
        return best.0
    }

    /// Levenshtein's distance, one row at a time.
    private static func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (i, a) in one.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in other.enumerated() {
                let substituted = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[other.count]
    }
}
