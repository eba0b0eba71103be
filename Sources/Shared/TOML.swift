/// TOML 1.0 as far as our own files need it: settings and themes.
///
/// Read are comments, tables, arrays of tables, dotted keys, basic and literal strings, integers, floats, booleans,
/// arrays over several lines and inline tables. Refused with a fault are multi-line strings, dates, `inf` and `nan`.
/// Every value keeps the line it stands on, so that whoever checks the meaning can point at it too.
public enum TOML {
    /// Larger texts are refused unread, in bytes of UTF-8.
    public static let maximumLength = 1 << 20
    /// How deep tables and arrays may nest, and how many parts a dotted key may have.
    public static let maximumDepth = 32
    /// Faults past this many are not reported.
    public static let maximumFaults = 100

    /// Reads a whole text. Every fault is reported, in the order of lines; what could be read is in the table all
    /// the same, so that its meaning can be checked in the same pass.
    public static func parse(_ text: String) -> (root: Table, faults: [Fault]) {
        let bytes = Array(text.utf8)
        guard bytes.count <= maximumLength else {
            return (Table(line: 1), [Fault(line: 1, message: "the file is larger than \(maximumLength) bytes")])
        }
        var document = TOMLDocument()
        var scanner = TOMLScanner(bytes)
        scanner.skipByteOrderMark()
        while !scanner.isAtEnd {
            do throws(Fault) {
                try document.readLine(&scanner)
            } catch {
                document.faults.append(error)
                scanner.skipBrokenLine()
            }
            if document.faults.count >= maximumFaults { break }
        }
        return (document.root.frozen(), document.faults)
    }

    /// What is wrong, and on which line (the first is 1).
    public struct Fault: Error, Hashable, Sendable {
        public var line: Int
        public var message: String

        public init(line: Int, message: String) {
            self.line = line
            self.message = message
        }
    }

    /// Keys and values in the order in which they were written.
    public struct Table: Hashable, Sendable {
        public struct Member: Hashable, Sendable {
            public var key: String
            public var value: Value
        }

        public private(set) var members: [Member] = []
        /// The line of its header, of its opening brace, or of the key that implied it.
        public var line: Int
        private var places: [String: Int] = [:]

        public init(line: Int) { self.line = line }

        public var keys: [String] { members.map(\.key) }

        public subscript(key: String) -> Value? { places[key].map { members[$0].value } }

        /// - Returns: `false`, and nothing is changed, when the key is there already.
        mutating func add(_ key: String, _ value: Value) -> Bool {
            guard places[key] == nil else { return false }
            places[key] = members.count
            members.append(Member(key: key, value: value))
            return true
        }
    }

    public struct Value: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            case string(String)
            case integer(Int64)
            /// Always finite.
            case float(Double)
            case boolean(Bool)
            case array([Value])
            case table(Table)
        }

        public var kind: Kind
        public var line: Int

        public init(_ kind: Kind, line: Int) {
            self.kind = kind
            self.line = line
        }

        /// What it is, in words for a fault's message, e.g. `a string`.
        public var typeName: String {
            switch kind {
            case .string: "a string"
            case .integer: "a whole number"
            case .float: "a number"
            case .boolean: "a boolean"
            case .array: "an array"
            case .table: "a table"
            }
        }

        public var string: String? { if case .string(let value) = kind { value } else { nil } }
        public var integer: Int64? { if case .integer(let value) = kind { value } else { nil } }
        public var boolean: Bool? { if case .boolean(let value) = kind { value } else { nil } }
        public var array: [Value]? { if case .array(let value) = kind { value } else { nil } }
        public var table: Table? { if case .table(let value) = kind { value } else { nil } }
        /// A float, or an integer as one.
        public var number: Double? {
            switch kind {
            case .float(let value): value
            case .integer(let value): Double(value)
            default: nil
            }
        }
    }
}

/// The tree while it grows: headers come back to tables that were begun before, which values cannot do.
private final class TOMLNode {
    enum Child {
        case value(TOML.Value)
        case table(TOMLNode)
        case tables(List)
    }

    /// By reference, so that thousands of `[[…]]` headers are not copied one by one.
    final class List {
        var nodes: [TOMLNode] = []
    }

    /// What made the table decides what may still be said about it (TOML 1.0, "Table" and "Inline Table").
    enum Origin { case implied, header, dotted }

    var line: Int
    var origin: Origin
    private var keys: [String] = []
    private var children: [String: Child] = [:]

    init(line: Int, origin: Origin) {
        self.line = line
        self.origin = origin
    }

    subscript(key: String) -> Child? {
        get { children[key] }
        set {
            if children[key] == nil { keys.append(key) }
            children[key] = newValue
        }
    }

    func frozen() -> TOML.Table {
        var table = TOML.Table(line: line)
        for key in keys {
            switch children[key] {
            case .value(let value): _ = table.add(key, value)
            case .table(let node): _ = table.add(key, TOML.Value(.table(node.frozen()), line: node.line))
            case .tables(let list):
                let values = list.nodes.map { TOML.Value(.table($0.frozen()), line: $0.line) }
                _ = table.add(key, TOML.Value(.array(values), line: values.first?.line ?? line))
            case nil: break
            }
        }
        return table
    }
}

/// Puts what the scanner reads into the tree.
private struct TOMLDocument {
    let root = TOMLNode(line: 1, origin: .header)
    var faults: [TOML.Fault] = []
    /// The table of the last header; `nil` after a broken one, whose members then go nowhere.
    private var current: TOMLNode?

    init() { current = root }

    mutating func readLine(_ scanner: inout TOMLScanner) throws(TOML.Fault) {
        scanner.skipBlanks()
        if scanner.skipLineEnd() { return }
        if scanner.peek == UInt8(ascii: "[") {
            current = nil
            current = try readHeader(&scanner)
        } else {
            let line = scanner.line
            let keys = try scanner.readKey()
            try scanner.expect(UInt8(ascii: "="), "a key is followed by '='")
            scanner.skipBlanks()
            let value = try scanner.readValue(depth: 1)
            if let current { try add(keys, value, to: current, line: line) }
        }
        try scanner.expectLineEnd()
    }

    private func readHeader(_ scanner: inout TOMLScanner) throws(TOML.Fault) -> TOMLNode {
        let line = scanner.line
        scanner.advance()
        let isArray = scanner.peek == UInt8(ascii: "[")
        if isArray { scanner.advance() }
        scanner.skipBlanks()
        let keys = try scanner.readKey()
        for _ in 0..<(isArray ? 2 : 1) { try scanner.expect(UInt8(ascii: "]"), "the header is not closed by ']'") }
        var node = root
        for key in keys.dropLast() { node = try descend(node, key, line: line) }
        guard let last = keys.last else { return node }
        let name = keys.joined(separator: ".")
        return isArray
            ? try appendTable(last, to: node, line: line, name: name)
            : try openTable(last, in: node, line: line, name: name)
    }

    private func descend(_ node: TOMLNode, _ key: String, line: Int) throws(TOML.Fault) -> TOMLNode {
        switch node[key] {
        case nil:
            let child = TOMLNode(line: line, origin: .implied)
            node[key] = .table(child)
            return child
        case .table(let child): return child
        case .tables(let list): if let last = list.nodes.last { return last }
        case .value: break
        }
        throw TOML.Fault(line: line, message: "'\(key)' is a value already, not a table")
    }

    private func appendTable(
        _ key: String, to node: TOMLNode, line: Int, name: String
    ) throws(TOML.Fault) -> TOMLNode {
        let child = TOMLNode(line: line, origin: .header)
        switch node[key] {
        case nil:
            let list = TOMLNode.List()
            list.nodes.append(child)
            node[key] = .tables(list)
        case .tables(let list): list.nodes.append(child)
        case .table, .value: throw TOML.Fault(line: line, message: "'\(name)' is no array of tables")
        }
        return child
    }

    private func openTable(
        _ key: String, in node: TOMLNode, line: Int, name: String
    ) throws(TOML.Fault) -> TOMLNode {
        switch node[key] {
        case nil:
            let child = TOMLNode(line: line, origin: .header)
            node[key] = .table(child)
            return child
        case .table(let child) where child.origin == .implied:
            child.origin = .header
            child.line = line
            return child
        case .table(let child):
            throw TOML.Fault(line: line, message: "table '\(name)' is defined twice, first on line \(child.line)")
        case .tables: throw TOML.Fault(line: line, message: "'\(name)' is an array of tables: write [[\(name)]]")
        case .value(let value):
            throw TOML.Fault(line: line, message: "'\(name)' has a value already, on line \(value.line)")
        }
    }

    private func add(
        _ keys: [String], _ value: TOML.Value, to table: TOMLNode, line: Int
    ) throws(TOML.Fault) {
        var node = table
        for key in keys.dropLast() {
            switch node[key] {
            case nil:
                let child = TOMLNode(line: line, origin: .dotted)
                node[key] = .table(child)
                node = child
            case .table(let child) where child.origin == .dotted: node = child
            default: throw TOML.Fault(line: line, message: "'\(key)' cannot be extended by a dotted key here")
            }
        }
        guard let last = keys.last else { return }
        let name = keys.joined(separator: ".")
        switch node[last] {
        case nil: node[last] = .value(value)
        case .value(let first):
            throw TOML.Fault(line: line, message: "key '\(name)' is given twice, first on line \(first.line)")
        case .table(let first):
            throw TOML.Fault(line: line, message: "'\(name)' is a table already, on line \(first.line)")
        case .tables: throw TOML.Fault(line: line, message: "'\(name)' is an array of tables already")
        }
    }
}
