extension Schema {
    /// Where and how an answer differs from this form, or `nil` when it has exactly it: every field of an object is
    /// there, and no other.
    public func fault(in value: JSON, at place: String = "$") -> String? {
        switch self {
        case .nullable(let form): return value.isNull ? nil : form.fault(in: value, at: place)
        case .object(let shape):
            guard let members = value.objectValue else { return "\(place) is not an object" }
            return shape.fault(in: members, at: place)
        case .list(let element, let maximum):
            guard let elements = value.arrayValue else { return "\(place) is not a list" }
            if let maximum, elements.count > maximum { return "\(place) has \(elements.count) elements" }
            for (index, inner) in elements.enumerated() {
                if let fault = element.fault(in: inner, at: "\(place)[\(index)]") { return fault }
            }
            return nil
        case .map(let element):
            guard let members = value.objectValue else { return "\(place) is not an object" }
            for (name, inner) in members {
                if let fault = element.fault(in: inner, at: "\(place).\(name)") { return fault }
            }
            return nil
        case .text(let maximum):
            guard let text = value.stringValue else { return "\(place) is not a string" }
            return maximum.map { text.utf8.count > $0 } == true ? "\(place) is longer than documented" : nil
        case .choice(let choices):
            return value.stringValue.map(choices.contains) == true ? nil : "\(place) is none of the documented choices"
        case .integer(let range):
            guard let number = value.intValue else { return "\(place) is not a whole number" }
            return range?.contains(number) == false ? "\(place) is outside the documented range" : nil
        case .number(let range):
            guard let number = value.doubleValue else { return "\(place) is not a number" }
            return range?.contains(number) == false ? "\(place) is outside the documented range" : nil
        case .time, .flag, .anything: return mismatch(value).map { "\(place) is not \($0)" }
        }
    }

    /// An answer with `null` for every field that may be `null` and is not there: encoders leave those out, and the
    /// API has every documented field in every answer.
    public func completing(_ value: JSON) -> JSON {
        switch self {
        case .nullable(let form): return value.isNull ? value : form.completing(value)
        case .list(let element, _): return value.arrayValue.map { .array($0.map(element.completing)) } ?? value
        case .map(let element): return value.objectValue.map { .object($0.mapValues(element.completing)) } ?? value
        case .object(let shape):
            guard var members = value.objectValue else { return value }
            for field in shape.fields {
                if let member = members[field.name] {
                    members[field.name] = field.schema.completing(member)
                } else if case .nullable = field.schema {
                    members[field.name] = .null
                }
            }
            return .object(members)
        case .text, .choice, .time, .integer, .number, .flag, .anything: return value
        }
    }
}

extension Shape {
    fileprivate func fault(in members: [String: JSON], at place: String) -> String? {
        let known = Set(names)
        if let extra = members.keys.sorted().first(where: { !known.contains($0) }) {
            return "\(place).\(extra) is not documented for \(name)"
        }
        for field in fields {
            guard let value = members[field.name] else { return "\(place).\(field.name) is missing in \(name)" }
            if let fault = field.schema.fault(in: value, at: "\(place).\(field.name)") { return fault }
        }
        return nil
    }
}
