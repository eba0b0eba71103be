import EdgeCore
import Shared

/// A list, newest first.
struct ListOperation: Sendable {
    let path: String
    /// The key of the array in the answer.
    let key: String
    /// The form of an element; a filter may mention its fields.
    let item: Shape
    /// Whether the documented operation has a `filter` parameter.
    let takesFilter: Bool
    /// Query parameters that may be given several times and choose elements, such as `id` and `url`.
    let choices: [Shape.Field]
    /// What the list has, lazily: a page takes only so many as it needs.
    let elements: @Sendable (ConfigurationView, ListScope) -> AnySequence<ListElement>

    /// A list of what has to be worked out first.
    init(
        _ path: String, key: String, of item: Shape, takesFilter: Bool = false, choices: [Shape.Field] = [],
        elements: @escaping @Sendable (ConfigurationView, ListScope) -> AnySequence<ListElement>
    ) {
        self.path = path
        self.key = key
        self.item = item
        self.takesFilter = takesFilter
        self.choices = choices
        self.elements = elements
    }

    /// A list of objects of one kind.
    /// - Parameter includes: whether an object belongs in the list.
    init(
        _ path: String, key: String, of item: Shape, takesFilter: Bool = false, kind: ObjectKind,
        includes: @escaping @Sendable (ConfigurationObject) -> Bool = { _ in true }
    ) {
        self.init(path, key: key, of: item, takesFilter: takesFilter) { view, scope in
            let position = scope.before.flatMap { view.state.position(of: $0) }
            // An object that is long gone: its identifier still tells the second in which it was made.
            let bound = position == nil ? scope.before : nil
            let objects = view.state.newest(kind, below: position).lazy
                .filter { object in (bound.map { object.id < $0 } ?? true) && includes(object) }
            return AnySequence(objects.map { object in ListElement(id: object.id) { view.document(object) } })
        }
    }

    /// What the API's description says of it.
    var about: OperationDescription {
        var query = [
            Shape.Field("before_id", .text, "what is older than this object"),
            Shape.Field("limit", .integer(1...Int64(ListPage.maximum)), "objects in a page"),
        ]
        if takesFilter { query.append(Shape.Field("filter", .text, "a CEL expression on `obj`")) }
        let page = Shape(
            item.name + "List",
            [
                Shape.Field(key, .list(.object(item))), Shape.Field("uri", .text),
                Shape.Field("next_page_uri", .nullable(.text)),
            ])
        return OperationDescription("Lists objects, newest first.", query: query + choices, gives: .object(page))
    }
}

/// Which part of a list is asked for.
struct ListScope: Sendable {
    /// Only what is older than this object, which may be gone.
    var before: String?
    /// Values of the list's `choices` that were given.
    var choices: [String: [String]] = [:]
}

/// One element of a list, not yet rendered.
struct ListElement {
    let id: String
    /// As the API answers it.
    let document: () -> JSON
}
