import Shared

/// The named forms of the API's description: one namespace for what requests hold, one for what answers do.
///
/// They differ: in a request a field that is not required may be left out or `null`, and no other field may be there;
/// in an answer every field is there.
struct SchemaComponents {
    enum Direction { case request, answer }

    /// Two forms have one name and differ in these fields.
    struct Conflict: Error, CustomStringConvertible {
        let name: String
        let fields: [String]

        var description: String { "two forms are named \(name) and differ in \(fields.joined(separator: ", "))" }
    }

    private let direction: Direction
    private var shapes: [String: Shape] = [:]
    private var taken: Set<String> = []

    init(_ direction: Direction) { self.direction = direction }

    var names: Set<String> { Set(shapes.keys) }

    /// By name, as the document lists them.
    var schemas: [String: JSON] {
        Dictionary(uniqueKeysWithValues: shapes.values.map { (shown($0.name), object($0)) })
    }

    /// Names of the other direction: forms that share one get a longer name here.
    mutating func avoid(_ names: Set<String>) { taken = names }

    /// Takes in the forms that a form is made of.
    mutating func add(_ schema: Schema) throws(Conflict) {
        switch schema {
        case .object(let shape): try add(shape)
        case .list(let inner, _), .map(let inner), .nullable(let inner): try add(inner)
        case .text, .choice, .time, .integer, .number, .flag, .anything: break
        }
    }

    mutating func add(_ shape: Shape) throws(Conflict) {
        if let known = shapes[shape.name] {
            let differing = SchemaComponents.difference(known, shape)
            guard differing.isEmpty else { throw Conflict(name: shape.name, fields: differing) }
            return
        }
        shapes[shape.name] = shape
        for field in shape.fields { try add(field.schema) }
    }

    /// Notes may differ: they say what a field means where it stands.
    private static func difference(_ one: Shape, _ other: Shape) -> [String] {
        let names = Set(one.names + other.names)
        return names.filter { name in
            let (first, second) = (one[name], other[name])
            return first?.schema.withoutNotes != second?.schema.withoutNotes || first?.isRequired != second?.isRequired
        }.sorted()
    }

    private func shown(_ name: String) -> String { taken.contains(name) ? name + "Request" : name }

    func reference(_ shape: Shape) -> JSON { ["$ref": .string("#/components/schemas/" + shown(shape.name))] }

    private func object(_ shape: Shape) -> JSON {
        var properties: [String: JSON] = [:]
        for field in shape.fields {
            var schema = schema(isOptional(field) ? .nullable(field.schema) : field.schema)
            if !field.note.isEmpty {
                // Members beside a reference do not count.
                if schema["$ref"] != nil { schema = ["allOf": [schema]] }
                schema["description"] = .string(field.note)
            }
            properties[field.name] = schema
        }
        var object: JSON = ["type": "object", "properties": .object(properties)]
        let required = shape.fields.filter { direction == .answer || $0.isRequired }.map(\.name)
        if !required.isEmpty { object["required"] = .array(required.map { .string($0) }) }
        if direction == .request { object["additionalProperties"] = false }
        return object
    }

    private func isOptional(_ field: Shape.Field) -> Bool { direction == .request && !field.isRequired }

    func schema(_ schema: Schema) -> JSON {
        switch schema {
        case .text(let maximum):
            return SchemaComponents.join(["type": "string"], ["maxLength": maximum.map { .int(Int64($0)) }])
        case .choice(let choices): return ["type": "string", "enum": .array(choices.map { .string($0) })]
        case .time: return ["type": "string", "format": "date-time"]
        case .integer(let range):
            return SchemaComponents.join(
                ["type": "integer", "format": "int64"],
                ["minimum": range.map { .int($0.lowerBound) }, "maximum": range.map { .int($0.upperBound) }])
        case .number(let range):
            return SchemaComponents.join(
                ["type": "number"],
                ["minimum": range.map { .double($0.lowerBound) }, "maximum": range.map { .double($0.upperBound) }])
        case .flag: return ["type": "boolean"]
        case .list(let element, let maximum):
            return SchemaComponents.join(
                ["type": "array", "items": self.schema(element)], ["maxItems": maximum.map { .int(Int64($0)) }])
        case .map(let element): return ["type": "object", "additionalProperties": self.schema(element)]
        case .object(let shape): return reference(shape)
        case .nullable(.nullable(let form)): return self.schema(.nullable(form))
        case .nullable(.anything), .anything: return [:]
        case .nullable(let form):
            var inner = self.schema(form)
            if inner["$ref"] != nil { inner = ["allOf": [inner]] }
            if let choices = inner["enum"]?.arrayValue { inner["enum"] = .array(choices + [.null]) }
            inner["nullable"] = true
            return inner
        }
    }

    private static func join(_ schema: JSON, _ limits: [String: JSON?]) -> JSON {
        var schema = schema
        for (name, limit) in limits { if let limit { schema[name] = limit } }
        return schema
    }
}

extension Schema {
    fileprivate var withoutNotes: Schema {
        switch self {
        case .object(let shape):
            let fields = shape.fields.map { field in
                Shape.Field(field.name, field.schema.withoutNotes, required: field.isRequired)
            }
            return .object(Shape(shape.name, fields.sorted { $0.name < $1.name }))
        case .list(let inner, let maximum): return .list(inner.withoutNotes, maximum: maximum)
        case .map(let inner): return .map(inner.withoutNotes)
        case .nullable(let inner): return .nullable(inner.withoutNotes)
        case .text, .choice, .time, .integer, .number, .flag, .anything: return self
        }
    }
}
