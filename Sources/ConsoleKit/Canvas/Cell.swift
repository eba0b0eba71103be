/// One cell of the grid: a base character, up to two combining marks, and what its colour means.
///
/// Only `Canvas` makes cells, from text that `Sanitiser` has let pass.
public struct Cell: Hashable, Sendable {
    public internal(set) var base: Unicode.Scalar
    public internal(set) var firstMark: Unicode.Scalar?
    public internal(set) var secondMark: Unicode.Scalar?
    /// 1, or 2 for a wide character, or 0 for the cell that a wide character covers on its left.
    public internal(set) var width: UInt8
    public internal(set) var role: ColorRole
    /// Part of the selected row: drawn in reverse.
    public internal(set) var isSelected: Bool
    public internal(set) var isBold: Bool

    static func blank(_ role: ColorRole = .text, selected: Bool = false) -> Cell {
        Cell(
            base: " ", firstMark: nil, secondMark: nil, width: 1, role: role, isSelected: selected, isBold: false)
    }

    /// The cell's text; empty for the covered half of a wide character.
    public var text: String {
        guard width > 0 else { return "" }
        var scalars = String.UnicodeScalarView()
        scalars.append(base)
        if let firstMark { scalars.append(firstMark) }
        if let secondMark { scalars.append(secondMark) }
        return String(scalars)
    }
}
