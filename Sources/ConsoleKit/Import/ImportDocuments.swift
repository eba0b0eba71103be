import Shared

/// The objects in what ngrok's API returned: lists, single objects, or several of either in one file.
struct ImportDocuments {
    /// By identifier, in the order of the files; of an object that is there twice the first counts.
    private(set) var objects: [JSON] = []
    /// What is missing or was not understood.
    private(set) var remarks: [String] = []
    private var known: Set<String> = []
    /// By list key: whether a page without a next one is there.
    private var isComplete: [String: Bool] = [:]

    /// - Throws: what is wrong with the first file that is not JSON.
    init(_ files: [(name: String, bytes: [UInt8])]) throws(CommandFault) {
        for (name, bytes) in files {
            let values = ImportDocuments.split(bytes)
            guard !values.isEmpty else { throw CommandFault(.invalid, "\(name) holds no JSON") }
            for value in values {
                guard let document = try? JSON(parsing: value) else {
                    throw CommandFault(.invalid, "\(name) is not JSON")
                }
                take(document, from: name)
            }
        }
        for (key, isComplete) in isComplete.sorted(by: { $0.key < $1.key }) where !isComplete {
            remarks.append("the list \(key) has a next page that is not there: what is on it is not taken over")
        }
    }

    private mutating func take(_ document: JSON, from file: String) {
        if let elements = document.arrayValue {
            for element in elements { take(element, from: file) }
        } else if document["id"]?.stringValue != nil {
            add(document)
        } else if let lists = document.objectValue?.filter({ $0.value.arrayValue != nil }), !lists.isEmpty {
            for (key, list) in lists.sorted(by: { $0.key < $1.key }) {
                let isLast = document["next_page_uri"].map(\.isNull) ?? true
                isComplete[key] = (isComplete[key] ?? false) || isLast
                for element in list.arrayValue ?? [] { add(element) }
            }
        } else {
            remarks.append("\(file): an object without an identifier is left out")
        }
    }

    private mutating func add(_ object: JSON) {
        guard let id = object["id"]?.stringValue else {
            remarks.append("an object without an identifier is left out")
            return
        }
        guard known.insert(id).inserted else { return }
        objects.append(object)
        // Routes have no list of their own: their edge holds them.
        for route in object["routes"]?.arrayValue ?? [] {
            var route = route
            if route["edge_id"]?.stringValue == nil { route["edge_id"] = .string(id) }
            add(route)
        }
    }

    /// The JSON values of a text, one after the other.
    static func split(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var values: [ArraySlice<UInt8>] = []
        var start: Int?
        var depth = 0
        var isText = false
        var isEscaped = false
        for (index, byte) in bytes.enumerated() {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: break
            }
            if start == nil { start = index }
            if depth <= 0, let first = start, !isText, byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                values.append(bytes[first...index])
                start = nil
                depth = 0
            }
        }
        // What is left over is no value: the reader says so.
        if let start { values.append(bytes[start...]) }
        return values
    }
}
