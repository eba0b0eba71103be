import Crypto
public import Shared

/// Who answers for API keys and credentials: one `usr_` identifier for each user of the machine who may use the admin
/// API.
///
/// It follows from the server's own authority and the user's id, so that it is the same after every start, and another
/// one on another server.
public struct Owners: Sendable {
    private let roles: [String: Role]
    private let ids: [UInt32: String]

    /// Nobody: no key can be made and none is valid.
    public static let none = Owners()

    private init() {
        roles = [:]
        ids = [:]
    }

    /// - Parameter users: what each user of the machine may do.
    public init(authority: InternalAuthority, users: [UInt32: Role]) {
        var roles: [String: Role] = [:]
        ids = Dictionary(
            uniqueKeysWithValues: users.map { uid, role in
                let id = Owners.makeID(authority, uid)
                roles[id] = role
                return (uid, id)
            })
        self.roles = roles
    }

    /// The identifier of a user; `nil` for one in no list.
    func id(of uid: UInt32) -> String? { ids[uid] }

    /// What an owner may do; `nil` for one who is not known, or not any more.
    func role(of id: String) -> Role? { roles[id] }

    private static func makeID(_ authority: InternalAuthority, _ uid: UInt32) -> String {
        let digest = Array(SHA256.hash(data: Array("\(authority.certificatePEM)\nuid:\(uid)".utf8)))
        let word = { (range: Range<Int>) in digest[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return "usr_" + Identity.ksuid(time: authority.notBefore, random: (word(0..<8), word(8..<16)))
    }
}
