import Crypto
import EdgeTunnel
import Foundation
import Glibc

/// Makes and checks what agents show when they come back: cookies and tokens. Identifiers follow from the session and
/// from what a tunnel is, so that an agent has the same ones after a restart of the server, which keeps nothing of them.
public struct TunnelIdentity: Sendable {
    private let key: SymmetricKey

    /// Reads the key of a data folder (`agents.key`), or makes one.
    /// - Throws: `InternalAuthority.Failure` with the path of the file that cannot be read or written.
    public init(folder: String) throws {
        let path = folder + "/agents.key"
        guard access(path, F_OK) == 0 else {
            let key = SymmetricKey(size: .bits256)
            self.key = key
            let text = key.withUnsafeBytes { Data($0).base64EncodedString() }
            try InternalAuthority.write(text + "\n", to: path, mode: 0o600)
            return
        }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let bytes = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)), bytes.count == 32
        else {
            throw InternalAuthority.Failure(description: "\(path) cannot be read: it must hold 32 bytes in base64.")
        }
        key = SymmetricKey(data: bytes)
    }

    /// One that is kept nowhere.
    public init() { key = SymmetricKey(size: .bits256) }

    /// Proves that this server gave a session its identifier, to the holder of this credential.
    func cookie(session: String, credential: String) -> String { code("cookie", session, credential) }

    /// Proves that a tunnel was this session's.
    func token(tunnel: String, session: String) -> String { code("token", tunnel, session) }

    func isRight(_ shown: String, _ expected: String) -> Bool {
        AccessToken.isEqual(Array(shown.utf8), Array(expected.utf8))
    }

    /// The identifier of a labelled tunnel.
    /// - Parameter ordinal: which of several equal tunnels of the session it is.
    func tunnel(_ request: LabelRequest, session: String, started: WallTime, ordinal: Int) -> String {
        var parts = request.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        parts += [request.forwardsTo, request.forwardsProto, request.metadata, String(ordinal), session]
        return "tn_" + identifier(["tunnel"] + parts, started)
    }

    /// The identifier of whatever is at an address: the same for all tunnels that share it.
    func endpoint(_ url: String) -> String { "ep_" + identifier(["endpoint", url], WallTime(seconds: Identity.epoch)) }

    private func identifier(_ parts: [String], _ time: WallTime) -> String {
        var bytes = authenticate(parts).makeIterator()
        let word = { (_: Int) in (0..<8).reduce(UInt64(0)) { word, _ in word << 8 | UInt64(bytes.next() ?? 0) } }
        return Identity.ksuid(time: time, random: (word(0), word(1)))
    }

    private func code(_ parts: String...) -> String {
        Data(authenticate(parts)).base64EncodedString()
    }

    /// Each part with its length, so that no two lists are the same text.
    private func authenticate(_ parts: [String]) -> HMAC<SHA256>.MAC {
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }
}
