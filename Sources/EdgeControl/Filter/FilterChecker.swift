import Shared

/// Checks names and types of a filter against the form of the objects that it will see, and writes the types in.
struct FilterChecker {
    let shape: Shape

    /// The whole, which has to be a condition.
    func condition(_ node: FilterNode) throws(Filter.Mistake) -> FilterNode {
        let (checked, type) = try check(node)
        guard type == .flag else {
            throw mistake("a condition was expected here, not \(type.name)", node)
        }
        return checked
    }

    private func mistake(_ reason: String, _ node: FilterNode) -> Filter.Mistake {
        Filter.Mistake(position: node.position, reason: reason)
    }

    private typealias Checked = (node: FilterNode, type: FilterType)

    private func check(_ node: FilterNode) throws(Filter.Mistake) -> Checked {
        let form: FilterNode.Form
        var type = FilterType.flag
        switch node.form {
        case .literal(let value): return (node, value.type)
        case .field(let path, let wanted): return try field(path, wanted, node)
        case .list: throw mistake("a list has its place on the right of 'in'", node)
        case .not(let operand): form = .not(try condition(operand))
        case .all(let parts): form = .all(try conditions(parts))
        case .any(let parts): form = .any(try conditions(parts))
        case .compare(let comparison, let left, let right):
            form = try compare(comparison, try check(left), try check(right), node)
        case .member(let element, let list): form = try member(try check(element), of: list, node)
        case .size(let operand):
            let checked = try check(operand)
            switch checked.type {
            case .text, .list, .map, .anything: break
            default: throw mistake("\(checked.type.name) has no size", operand)
            }
            form = .size(checked.node)
            type = .number
        case .test(let test, let operand, let argument): form = try self.test(test, operand, argument)
        }
        return (FilterNode(form: form, position: node.position), type)
    }

    private func conditions(_ parts: [FilterNode]) throws(Filter.Mistake) -> [FilterNode] {
        var checked: [FilterNode] = []
        for part in parts { checked.append(try condition(part)) }
        return checked
    }

    // MARK: Fields

    private func field(
        _ path: [String], _ wanted: FilterType, _ node: FilterNode
    ) throws(Filter.Mistake) -> Checked {
        guard !path.isEmpty else { throw mistake("obj alone says nothing: name one of its fields", node) }
        var type = FilterType.object(shape)
        for (index, name) in path.enumerated() {
            switch type {
            case .object(let shape):
                guard let field = shape[name] else {
                    let written = (["obj"] + path[...index]).joined(separator: ".")
                    let known = shape.names.joined(separator: ", ")
                    throw mistake("the field '\(written.prefix(128))' is not known: there are \(known)", node)
                }
                type = FilterType(field.schema)
            case .map(let element): type = FilterType(element)
            case .anything: break
            default:
                let written = (["obj"] + path[..<index]).joined(separator: ".")
                throw mistake("'\(written.prefix(128))' is \(type.name) and has no fields", node)
            }
        }
        guard wanted == .anything || wanted == type else {
            throw mistake("\(type.name) stands where \(wanted.name) was expected", node)
        }
        return (FilterNode(form: .field(path, type), position: node.position), type)
    }

    /// An object that is asked for its text is asked for its `id`.
    private func identified(_ operand: Checked) -> Checked {
        guard case .object(let shape) = operand.type, shape["id"] != nil, case .field(let path, _) = operand.node.form
        else { return operand }
        return (FilterNode(form: .field(path + ["id"], .text), position: operand.node.position), .text)
    }

    // MARK: Tests

    private func compare(
        _ comparison: FilterNode.Comparison, _ left: Checked, _ right: Checked, _ node: FilterNode
    ) throws(Filter.Mistake) -> FilterNode.Form {
        var left = left
        var right = right
        if right.type == .text { left = identified(left) }
        if left.type == .text { right = identified(right) }
        if let form = emptiness(comparison, left, right) ?? emptiness(comparison, right, left) { return form }
        switch (left.type, right.type) {
        case (.null, _), (_, .null):
            guard !comparison.isOrdering else { throw mistake("null is neither less nor greater", node) }
        case (.number, .number), (.text, .text), (.time, .time), (.anything, _), (_, .anything): break
        case (.flag, .flag):
            guard !comparison.isOrdering else { throw mistake("true or false is neither less nor greater", node) }
        case (.time, .text), (.text, .time):
            throw mistake("a time is compared with a time: write timestamp(\"…\")", node)
        default:
            throw mistake("\(left.type.name) cannot be compared with \(right.type.name)", node)
        }
        return .compare(comparison, left.node, right.node)
    }

    /// `obj.list == ""`: whether it is empty.
    private func emptiness(
        _ comparison: FilterNode.Comparison, _ list: Checked, _ text: Checked
    ) -> FilterNode.Form? {
        guard case .list = list.type, text.node.form == .literal(.text("")), !comparison.isOrdering else { return nil }
        let size = FilterNode(form: .size(list.node), position: list.node.position)
        return .compare(comparison, size, FilterNode(form: .literal(.integer(0)), position: text.node.position))
    }

    private func member(
        _ element: Checked, of list: FilterNode, _ node: FilterNode
    ) throws(Filter.Mistake) -> FilterNode.Form {
        if case .list(let values) = list.form {
            var element = element
            if values.contains(where: { $0.type == .text }) { element = identified(element) }
            for value in values where value.type != .null && value.type != element.type && element.type != .anything {
                throw mistake("\(element.type.name) is never in a list with \(value.type.name)", node)
            }
            return .member(element.node, of: list)
        }
        let container = try check(list)
        let held: FilterType
        switch container.type {
        case .list(let schema): held = FilterType(schema)
        case .map: held = .text
        case .anything: held = .anything
        default: throw mistake("'in' needs a list on its right, not \(container.type.name)", node)
        }
        let isKnown =
            switch held {
            case .anything: true
            case .text, .number, .flag: element.type == held || element.type == .anything
            default: false
            }
        guard isKnown else { throw mistake("\(element.type.name) is never in a list of this type", node) }
        return .member(element.node, of: container.node)
    }

    private func test(
        _ test: FilterNode.TextTest, _ operand: FilterNode, _ argument: FilterNode
    ) throws(Filter.Mistake) -> FilterNode.Form {
        let text = try check(operand)
        guard text.type == .text else { throw mistake("\(test.rawValue)() needs a text before it", operand) }
        if case .field(let path, _) = text.node.form, FilterChecker.isRandom(path) {
            let name = "obj." + path.joined(separator: ".")
            throw mistake(
                "\(test.rawValue)() does not work on '\(name.prefix(128))', whose values are random: use ==", operand)
        }
        let part = try check(argument)
        guard part.type == .text else { throw mistake("\(test.rawValue)() needs a text in its parentheses", argument) }
        return .test(test, text.node, part.node)
    }

    /// Fields whose values are made up by the server, so that a part of one means nothing.
    private static func isRandom(_ path: [String]) -> Bool {
        guard let name = path.last else { return false }
        return ["id", "uri", "serial_number", "token"].contains(name) || name.hasSuffix("_id")
    }
}
