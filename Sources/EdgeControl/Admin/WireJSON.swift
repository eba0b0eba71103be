import Foundation
import Shared

/// Coding of the wire contract's types, the same on every answer.
enum WireJSON {
    /// Keys sorted, so that equal values have equal bytes.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// Reads a contract type out of a parsed document.
    /// - Throws: `DecodingError` when the document has another shape.
    static func decode<Value: Decodable>(_ type: Value.Type, from document: JSON) throws -> Value {
        try JSONDecoder().decode(type, from: Data(document.bytes))
    }

    /// A contract value as a document.
    static func document(of value: some Encodable) throws -> JSON {
        try JSON(parsing: encode(value))
    }
}

extension JSON {
    /// The document as it comes back from the store: a number without a fraction is a whole number, however it was
    /// written.
    var canonical: JSON {
        switch self {
        case .double(let value): Int64(exactly: value).map { .int($0) } ?? self
        case .array(let elements): .array(elements.map(\.canonical))
        case .object(let members): .object(members.mapValues(\.canonical))
        case .null, .bool, .int, .string: self
        }
    }
}
