/// The form of a JSON value: what a request may hold and an answer does, said once for the reader of requests and for
/// the API's description.
public indirect enum Schema: Sendable, Hashable {
    /// A string; `maximum` in bytes.
    case text(maximum: Int? = nil)
    /// One of these strings.
    case choice([String])
    /// A time as RFC 3339, UTC.
    case time
    case integer(ClosedRange<Int64>? = nil)
    case number(ClosedRange<Double>? = nil)
    case flag
    case list(Schema, maximum: Int? = nil)
    /// Names that the client chooses, with values of one form.
    case map(Schema)
    case object(Shape)
    /// The form, or `null`. In requests every field that is not required may be `null`, which counts as absent.
    case nullable(Schema)
    case anything

    public static let text = Schema.text()
    public static let integer = Schema.integer()
    public static let number = Schema.number()
    public static let texts = Schema.list(.text)

    /// What `value` should be, when it is something else; the inside of objects is not looked at.
    public func mismatch(_ value: JSON) -> String? {
        switch self {
        case .text, .choice, .time: value.stringValue == nil ? "a string" : nil
        case .integer: value.intValue == nil ? "a whole number" : nil
        case .number: value.doubleValue == nil ? "a number" : nil
        case .flag: value.boolValue == nil ? "true or false" : nil
        case .list(let element, _):
            switch value.arrayValue.map({ $0.compactMap(element.mismatch).first }) {
            case nil: "a list"
            case .some(.some(let inner)): "a list in which each is \(inner)"
            default: nil
            }
        case .map(let element):
            switch value.objectValue.map({ $0.values.compactMap(element.mismatch).first }) {
            case nil: "an object"
            case .some(.some(let inner)): "an object in which each value is \(inner)"
            default: nil
            }
        case .object: value.objectValue == nil ? "an object" : nil
        case .nullable(let form): value.isNull ? nil : form.mismatch(value)
        case .anything: nil
        }
    }
}

/// The fields of an object.
public struct Shape: Sendable, Hashable {
    public struct Field: Sendable, Hashable {
        public let name: String
        public let schema: Schema
        /// In a request: whether it must be there. In an answer every field is.
        public let isRequired: Bool
        /// For the reader of the API's description.
        public let note: String

        public init(_ name: String, _ schema: Schema, required: Bool = false, _ note: String = "") {
            self.name = name
            self.schema = schema
            self.isRequired = required
            self.note = note
        }
    }

    /// The name that the public API's description gives it, e.g. `IPPolicyRule`.
    public let name: String
    public let fields: [Field]

    public init(_ name: String, _ fields: [Field]) {
        self.name = name
        self.fields = fields
    }

    public var names: [String] { fields.map(\.name) }

    public subscript(name: String) -> Field? { fields.first { $0.name == name } }

    /// Another name, and further fields.
    public func with(_ more: [Field], name: String? = nil) -> Shape { Shape(name ?? self.name, fields + more) }

    /// `{"id", "uri"}`: how answers mention another object.
    public static let reference = Shape("Ref", [Field("id", .text), Field("uri", .text)])
}
