public import EdgeCore
import Glibc
import Shared
import Synchronization

/// Who may use the admin socket: the server's own user and root may do everything, listed users as much as their list
/// says, and nobody else anything.
public final class AccessRules: Sendable {
    private let roles: [UInt32: Role]
    private let names = Mutex<[UInt32: String]>([:])
    /// The same users, as those who answer for API keys and credentials.
    public let owners: Owners

    /// - Parameters:
    ///   - owner: the user that the server runs as; that of this process unless given.
    ///   - authority: what makes the owners' identifiers this server's own; without it there are no owners.
    public init(
        owner: UInt32? = nil, admins: [UInt32] = [], operators: [UInt32] = [], viewers: [UInt32] = [],
        authority: InternalAuthority? = nil
    ) {
        var roles: [UInt32: Role] = [:]
        for uid in viewers { roles[uid] = .viewer }
        for uid in operators { roles[uid] = .operator }
        for uid in admins { roles[uid] = .admin }
        roles[0] = .admin
        roles[owner ?? getuid()] = .admin
        self.roles = roles
        owners = authority.map { Owners(authority: $0, users: roles) } ?? .none
    }

    /// The principal of a peer; `nil` for a user in no list.
    public func principal(of peer: PeerIdentity) -> Principal? {
        guard let role = roles[peer.uid] else { return nil }
        let name = names.withLock { names in
            if let name = names[peer.uid] { return name }
            let name = AccessRules.accountName(of: peer.uid).map { "uid:\(peer.uid) (\($0))" } ?? "uid:\(peer.uid)"
            names[peer.uid] = name
            return name
        }
        return Principal(name: name, role: role, uid: peer.uid, ownerID: owners.id(of: peer.uid) ?? "")
    }

    private static func accountName(of uid: UInt32) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(uid, &entry, &buffer, buffer.count, &found) == 0, found != nil, let name = entry.pw_name
        else { return nil }
        return String(cString: name)
    }
}
