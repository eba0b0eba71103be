import EdgeCore
import Shared

/// The `provider` of `oauth`: one identity provider with an application there, and who is let in.
struct OAuthProvider: Sendable {
    let name: String
    /// What the public API's description calls it.
    let title: String
    /// Whether there can be an application that is not the user's own.
    var isManaged = true
    /// Whether there are teams and organizations.
    var hasTeams = false

    static let all = [
        OAuthProvider(name: "github", title: "GitHub", hasTeams: true),
        OAuthProvider(name: "facebook", title: "Facebook", isManaged: false),
        OAuthProvider(name: "microsoft", title: "Microsoft"),
        OAuthProvider(name: "google", title: "Google"),
        OAuthProvider(name: "linkedin", title: "LinkedIn"),
        OAuthProvider(name: "gitlab", title: "GitLab"),
        OAuthProvider(name: "twitch", title: "Twitch"),
        OAuthProvider(name: "amazon", title: "Amazon", isManaged: false),
    ]

    static let shape = Shape(
        "EndpointOAuthProvider", all.map { Shape.Field($0.name, .nullable(.object($0.shape))) })

    private var shape: Shape {
        let list = Schema.list(.text(maximum: LoginSettings.maximumText), maximum: LoginSettings.maximumTexts)
        let teams = [
            Shape.Field("teams", list, "org/team, or a number"), Shape.Field("organizations", list),
        ]
        return Shape(
            "EndpointOAuth\(title)",
            [
                Shape.Field("client_id", .text(maximum: LoginSettings.maximumText)),
                Shape.Field("client_secret", .text(maximum: LoginSettings.maximumText)),
                Shape.Field("scopes", list), Shape.Field("email_addresses", list, "lower case"),
                Shape.Field("email_domains", list, "lower case"),
            ] + (hasTeams ? teams : []))
    }

    /// Every provider's name, the absent ones with `null`.
    static func normalise(_ members: [String: JSON]) throws(Fault) -> JSON {
        if let unknown = members.keys.filter({ name in !all.contains { $0.name == name } }).min() {
            throw Fault(214, "The oauth module's provider has no field \"\(unknown.prefix(64))\".")
        }
        let given = all.filter { members[$0.name].map { !$0.isNull } ?? false }
        guard let provider = given.first else {
            throw Fault(
                7037, "Invalid edge module, OAuth does not define any provider configurations but one is required.")
        }
        guard given.count == 1 else {
            throw Fault(
                7036,
                "Invalid edge module, OAuth may only have one provider configuration but multiple are defined: "
                    + "[\(given.map(\.name).joined(separator: ", "))].")
        }
        var kept = Dictionary(uniqueKeysWithValues: all.map { ($0.name, JSON.null) })
        kept[provider.name] = try provider.normalise(members[provider.name] ?? [:])
        return .object(kept)
    }

    private func normalise(_ settings: JSON) throws(Fault) -> JSON {
        let reader = try SettingsReader(settings, shape, subject: "oauth module's provider \(name)")
        let id = try LoginSettings.text("client_id", reader)
        let secret = try LoginSettings.text("client_secret", reader)
        let scopes = try LoginSettings.texts("scopes", reader)
        try checkClient(hasID: !id.isEmpty, hasSecret: !secret.isEmpty, scopes)
        var kept: [String: JSON] = [
            "client_id": .string(id), "client_secret": .string(secret), "scopes": .texts(scopes),
            "email_addresses": .texts(try addresses(reader)), "email_domains": .texts(try domains(reader)),
        ]
        if hasTeams {
            kept["teams"] = .texts(try teams(reader))
            kept["organizations"] = .texts(
                try distinct(
                    "organizations", try LoginSettings.texts("organizations", reader), empty: 7054, twice: 7049))
            try checkScopes(scopes, kept)
        }
        return .object(kept)
    }

    private func checkClient(hasID: Bool, hasSecret: Bool, _ scopes: [String]) throws(Fault) {
        guard hasID == hasSecret else {
            throw Fault(
                7033,
                "Invalid edge module, unmanaged provider configurations must specify a client ID and a client secret.")
        }
        guard !hasID else { return }
        guard isManaged else {
            throw Fault(
                7166,
                "The \"\(name)\" OAuth Provider does not currently have a managed app available, specify a client id "
                    + "and client secret.")
        }
        guard scopes.isEmpty else {
            throw Fault(
                7034,
                "Invalid edge module, custom OAuth scopes on a managed OAuth application are not allowed. Define a "
                    + "custom OAuth application to use custom scopes.")
        }
    }

    /// Without these scopes GitHub does not tell what the lists are compared with. No scopes at all mean the usual ones.
    private func checkScopes(_ scopes: [String], _ kept: [String: JSON]) throws(Fault) {
        guard !scopes.isEmpty else { return }
        let needs = [
            ("email_addresses", "user:email", ["user:email", "user"]),
            ("email_domains", "user:email", ["user:email", "user"]),
            ("teams", "read:org", ["read:org", "write:org", "admin:org"]),
            ("organizations", "read:org", ["read:org", "write:org", "admin:org"]),
        ]
        for (field, least, enough) in needs where kept[field] != [] && Set(enough).isDisjoint(with: scopes) {
            throw Fault(
                7038,
                "Invalid edge module, OAuth provider \(name) requires at least the \(least) scope to authenticate by "
                    + "\(field).")
        }
    }

    // MARK: Who is let in

    private func addresses(_ reader: SettingsReader) throws(Fault) -> [String] {
        let addresses = try LoginSettings.texts("email_addresses", reader)
        for address in addresses where !address.isEmpty {
            guard address == address.lowercased() else {
                throw Fault(
                    7067, "Invalid edge module, email addresses must be lowercase but \(address.prefix(254)) is not.")
            }
            let invalid = Fault(
                7043,
                "Invalid edge module, OAuth provider \(name) contains an invalid email address, \(address.prefix(254))."
            )
            guard let at = address.lastIndex(of: "@"), at != address.startIndex else { throw invalid }
            let local = address[..<at]
            guard local.utf8.count <= 64, local.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0 != "@" }) else {
                throw invalid
            }
            switch EmailDomain(address[address.index(after: at)...]) {
            case .valid: break
            case .invalid: throw invalid
            case .invalidPunycode:
                throw Fault(
                    7045,
                    "Invalid edge module, OAuth provider \(name) contains an email address with invalid punycode: "
                        + "\(address.prefix(254)).")
            }
        }
        return try distinct("email addresses", addresses, empty: 7051, twice: 7046)
    }

    private func domains(_ reader: SettingsReader) throws(Fault) -> [String] {
        let domains = try LoginSettings.texts("email_domains", reader)
        for domain in domains where !domain.isEmpty {
            guard domain == domain.lowercased() else {
                throw Fault(
                    7068, "Invalid edge module, email domains must be lowercase but \(domain.prefix(254)) is not.")
            }
            switch EmailDomain(domain[...]) {
            case .valid: break
            case .invalid:
                throw Fault(
                    7039,
                    "Invalid edge module, OAuth provider \(name) contains an invalid email domain: "
                        + "\(domain.prefix(254)).")
            case .invalidPunycode:
                throw Fault(
                    7044,
                    "Invalid edge module, OAuth provider \(name) contains an email domain with invalid punycode: "
                        + "\(domain.prefix(254)).")
            }
        }
        return try distinct("email domains", domains, empty: 7052, twice: 7047)
    }

    private func teams(_ reader: SettingsReader) throws(Fault) -> [String] {
        let teams = try LoginSettings.texts("teams", reader)
        for team in teams where !team.isEmpty {
            let isNumber = team.utf8.allSatisfy { (0x30...0x39).contains($0) }
            let parts = team.split(separator: "/", omittingEmptySubsequences: false)
            let areSlugs =
                parts.count == 2
                && parts.allSatisfy { part in
                    !part.isEmpty && part.unicodeScalars.allSatisfy { $0.value > 0x20 }
                }
            guard isNumber || areSlugs else {
                throw Fault(
                    7040,
                    "Invalid edge module, OAuth GitHub Teams must be listed as either numerical ids or in the format "
                        + "'org_slug/team_slug', \(team.prefix(128)) does not match either format.")
            }
        }
        return try distinct("teams", teams, empty: 7053, twice: 7048)
    }

    private func distinct(_ what: String, _ texts: [String], empty: Int, twice: Int) throws(Fault) -> [String] {
        var seen: Set<String> = []
        for text in texts {
            guard !text.isEmpty else {
                throw Fault(
                    empty, "Invalid edge module, OAuth provider \(name) \(what) must not contain empty values")
            }
            guard seen.insert(text).inserted else {
                throw Fault(
                    twice,
                    "Invalid edge module, OAuth provider \(name) \(what) must be unique, but a duplicate is present: "
                        + "\(text.prefix(254)).")
            }
        }
        return texts
    }
}

/// The part of an e-mail address after the `@`.
enum EmailDomain {
    case valid, invalid, invalidPunycode

    /// - Parameter text: lower case. Labels of other scripts are let through as they are written.
    init(_ text: Substring) {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        self = .valid
        guard text.utf8.count <= 253, labels.count >= 2 else {
            self = .invalid
            return
        }
        for label in labels {
            let isLabel =
                !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    byte >= 0x80 || byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte)
                        || (0x61...0x7A).contains(byte)
                }
            guard isLabel else {
                self = .invalid
                return
            }
            guard !label.hasPrefix("xn--") || EmailDomain.isPunycode(label.dropFirst(4)) else {
                self = .invalidPunycode
                return
            }
        }
    }

    /// Whether the text decodes (RFC 3492, 6.2), and to something that ASCII alone could not say.
    private static func isPunycode(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.allSatisfy({ $0 < 0x80 }) else { return false }
        let start = bytes.lastIndex(of: UInt8(ascii: "-")).map { $0 + 1 } ?? 0
        guard start < bytes.count else { return false }
        var length = max(0, start - 1)
        var (point, index, bias, position) = (128, 0, 72, start)
        while position < bytes.count {
            let old = index
            var weight = 1
            var step = 36
            while true {
                guard position < bytes.count, let digit = digit(bytes[position]) else { return false }
                position += 1
                index += digit * weight
                let threshold = step <= bias ? 1 : min(26, step - bias)
                if digit < threshold { break }
                weight *= 36 - threshold
                guard index < 1 << 40, weight < 1 << 40 else { return false }
                step += 36
            }
            length += 1
            bias = adapted(index - old, length, isFirst: old == 0)
            point += index / length
            index %= length
            guard let scalar = Unicode.Scalar(UInt32(clamping: point)), scalar.value >= 0x80 else { return false }
            index += 1
        }
        return true
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x61...0x7A: Int(byte) - 0x61
        case 0x30...0x39: Int(byte) - 0x30 + 26
        default: nil
        }
    }

    private static func adapted(_ delta: Int, _ length: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / length
        var bias = 0
        while delta > 455 {
            delta /= 35
            bias += 36
        }
        return bias + 36 * delta / (delta + 38)
    }
}
