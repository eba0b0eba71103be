/// What a cell's colour means. Screens name roles, only themes name colours.
public enum ColorRole: UInt8, CaseIterable, Hashable, Sendable {
    /// Ordinary text.
    case text
    /// Text of less weight: units, hints, second lines.
    case dim
    /// Column heads, captions of panes.
    case heading
    /// Box drawing and rules.
    case border
    /// The program's name, the active tab, key names.
    case accent
    /// The selected row's marker and the field in focus.
    case focus
    /// Identifiers.
    case identifier
    /// The header line.
    case header
    /// A tab that is not active.
    case tab
    /// Key names in the footer.
    case key
    /// Good: closed breakers, live links.
    case ok
    /// Worth a look: half-open, a rising error rate.
    case warn
    /// Wrong: open breakers, refused requests.
    case crit
    /// An edit that is not applied.
    case staged
    /// A change that is held by a guard.
    case guarded
    /// Figures that are out of date.
    case stale
    /// A chart's filled part.
    case chart
    /// A chart's second series, and the part that is going away.
    case chartSecond
    /// A slider's running part, and its empty part.
    case bar
    case track
    /// What was added and removed, in diffs.
    case added
    case removed

    /// The name in theme files.
    public var name: String {
        switch self {
        case .chartSecond: "chart-second"
        default: String(describing: self)
        }
    }

    /// One letter for golden files.
    public var letter: Character {
        let letters: [Character] = Array("tdhbafinTkowcsgxrRBUpm")
        return letters[Int(rawValue)]
    }

    /// Roles that only decorate: 3:1 contrast is enough for them.
    public var isDecoration: Bool {
        switch self {
        case .border, .track: true
        default: false
        }
    }
}
