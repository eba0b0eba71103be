import EdgeCore
import Shared

/// Secrets in the settings of modules: out of sight on screens, for viewers and in records, and left as they are when
/// what was read comes back changed elsewhere.
enum HiddenSecrets {
    /// Stands in a secret's place.
    static let mark: JSON = "(hidden)"

    /// The document with the values of these members out of sight, at any depth. Empty ones stay: that there is no
    /// secret is none.
    static func hide(_ names: Set<String>, in document: JSON) -> JSON {
        guard !names.isEmpty else { return document }
        switch document {
        case .object(let members):
            var shown: [String: JSON] = [:]
            for (name, value) in members {
                let isHidden = names.contains(name) && !value.isNull && value != ""
                shown[name] = isHidden ? mark : hide(names, in: value)
            }
            return .object(shown)
        case .array(let elements): return .array(elements.map { hide(names, in: $0) })
        default: return document
        }
    }

    /// The document with the mark replaced by what `old` has in that place.
    /// - Throws: 400 when it has nothing there.
    static func restore(_ names: Set<String>, in document: JSON, from old: JSON?) throws(Fault) -> JSON {
        guard !names.isEmpty, case .object(let members) = document else { return document }
        var restored: [String: JSON] = [:]
        for (name, value) in members {
            guard names.contains(name), value == mark else {
                restored[name] = try restore(names, in: value, from: old?[name])
                continue
            }
            guard let secret = old?[name], !secret.isNull else {
                throw Fault(nil, "There is no \(name) to keep: send its value in place of '(hidden)'.")
            }
            restored[name] = secret
        }
        return .object(restored)
    }
}
