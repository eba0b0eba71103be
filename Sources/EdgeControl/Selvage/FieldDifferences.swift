import Shared

/// Where two documents differ, place by place.
enum FieldDifferences {
    /// Ordered by path. Members that only repeat where an object is (`uri` beside its `id`) are left out.
    static func between(_ before: JSON, _ after: JSON) -> [ObjectDifference.Field] {
        var fields: [ObjectDifference.Field] = []
        compare(before, after, at: "", &fields)
        return fields
    }

    private static func compare(
        _ before: JSON, _ after: JSON, at path: String, _ fields: inout [ObjectDifference.Field]
    ) {
        guard before != after else { return }
        guard case .object(let old) = before, case .object(let new) = after else {
            return fields.append(.init(path: path, before: before, after: after))
        }
        let repeats = { (name: String) in name == "uri" && old["id"] != nil && new["id"] != nil }
        for name in Set(old.keys).union(new.keys).sorted() where !repeats(name) {
            let place = path + "/" + pointer(name)
            switch (old[name], new[name]) {
            case (let one?, let other?): compare(one, other, at: place, &fields)
            case (let one, let other): fields.append(.init(path: place, before: one, after: other))
            }
        }
    }

    /// A member's name in a JSON pointer (RFC 6901, 3).
    private static func pointer(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
        var escaped = ""
        for character in name {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
