import CYaml
import Shared

/// Reads one YAML document as the JSON that it stands for.
///
/// Strict and bounded, because it comes from outside: no anchors and aliases (a few lines of which can stand for
/// gigabytes), no tags, no key twice, one document. Plain scalars are read by the core schema of YAML 1.2: `yes` and
/// `on` are text.
struct YAMLReader {
    /// Deeper documents than this have no meaning here.
    static let maximumDepth = 32
    /// Scalars, lists and maps in all.
    static let maximumNodes = 20_000

    struct Mistake: Error, Equatable {
        /// Counted from 1.
        let line: Int
        let reason: String
    }

    /// Of its own place in memory: libyaml keeps its address.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var nodes = 0

    /// - Throws: `Mistake`.
    static func read(_ bytes: [UInt8]) throws(Mistake) -> JSON {
        // A typed error does not pass `withUnsafeBufferPointer`, so the outcome does.
        let outcome = bytes.withUnsafeBufferPointer { buffer -> Result<JSON, Mistake> in
            let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
            parser.initialize(to: yaml_parser_t())
            defer { parser.deallocate() }
            guard yaml_parser_initialize(parser) == 1 else {
                return .failure(Mistake(line: 1, reason: "there is no memory for it"))
            }
            defer { yaml_parser_delete(parser) }
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            var reader = YAMLReader(parser: parser)
            do throws(Mistake) { return .success(try reader.stream()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    private init(parser: UnsafeMutablePointer<yaml_parser_t>) { self.parser = parser }

    private enum Event {
        case scalar(String, isPlain: Bool)
        case list, listEnd, map, mapEnd
        case document, end
        case other
    }

    private mutating func stream() throws(Mistake) -> JSON {
        while true {
            switch try next() {
            case .document:
                let document = try value(try next(), depth: 0)
                while true {
                    switch try next() {
                    case .end: return document
                    case .document: throw mistake("there is more than one document")
                    default: continue
                    }
                }
            case .end: return .null
            default: continue
            }
        }
    }

    private mutating func value(_ event: Event, depth: Int) throws(Mistake) -> JSON {
        nodes += 1
        guard depth <= YAMLReader.maximumDepth else { throw mistake("it nests too deep") }
        guard nodes <= YAMLReader.maximumNodes else { throw mistake("it has too many values") }
        switch event {
        case .scalar(let text, let isPlain): return isPlain ? YAMLReader.plain(text) : .string(text)
        case .list:
            var elements: [JSON] = []
            while true {
                let event = try next()
                if case .listEnd = event { return .array(elements) }
                elements.append(try value(event, depth: depth + 1))
            }
        case .map:
            var members: [String: JSON] = [:]
            while true {
                let event = try next()
                if case .mapEnd = event { return .object(members) }
                guard case .scalar(let key, _) = event else { throw mistake("a key is no text") }
                guard members[key] == nil else { throw mistake("the key \"\(key.prefix(64))\" is there twice") }
                members[key] = try value(try next(), depth: depth + 1)
            }
        default: throw mistake("there is no value")
        }
    }

    private mutating func next() throws(Mistake) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            throw Mistake(
                line: Int(parser.pointee.problem_mark.line) + 1,
                reason: parser.pointee.problem.map { String(cString: $0) } ?? "it is not YAML")
        }
        defer { yaml_event_delete(&event) }
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse(scalar.anchor, scalar.tag)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_SEQUENCE_START_EVENT:
            try refuse(event.data.sequence_start.anchor, event.data.sequence_start.tag)
            return .list
        case YAML_MAPPING_START_EVENT:
            try refuse(event.data.mapping_start.anchor, event.data.mapping_start.tag)
            return .map
        case YAML_ALIAS_EVENT: throw mistake("aliases are not allowed")
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_END_EVENT: return .mapEnd
        case YAML_DOCUMENT_START_EVENT: return .document
        case YAML_STREAM_END_EVENT: return .end
        default: return .other
        }
    }

    private func refuse(
        _ anchor: UnsafeMutablePointer<UInt8>?, _ tag: UnsafeMutablePointer<UInt8>?
    ) throws(Mistake) {
        guard anchor == nil else { throw mistake("anchors are not allowed") }
        guard tag == nil else { throw mistake("tags are not allowed") }
    }

    private func mistake(_ reason: String) -> Mistake {
        Mistake(line: Int(parser.pointee.mark.line) + 1, reason: reason)
    }

    /// The core schema of YAML 1.2, without its names for infinite numbers.
    private static func plain(_ text: String) -> JSON {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        let isNumeric = text.utf8.contains { (0x30...0x39).contains($0) }
        guard isNumeric, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }) else {
            return .string(text)
        }
        if let whole = Int64(text) { return .int(whole) }
        if let number = Double(text), number.isFinite { return .double(number) }
        return .string(text)
    }
}
