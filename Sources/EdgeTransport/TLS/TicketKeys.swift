import COpenSSL
import EdgeCore
import Synchronization

/// Keys that seal session tickets (RFC 5077, 4): one seals, it and the two before it open. They rotate, so that a
/// stolen key tells little, and they live in memory only, so that a stolen disk tells nothing.
final class TicketKeys: Sendable {
    private struct Key {
        var name = [UInt8](repeating: 0, count: 16)
        var cipher = [UInt8](repeating: 0, count: 32)
        var mac = [UInt8](repeating: 0, count: 32)

        static func random() -> Key {
            var key = Key()
            // RAND_bytes fails only when the system has no entropy source at all; a key of zeros must never serve.
            precondition(RAND_bytes(&key.name, 16) == 1, "no randomness")
            precondition(RAND_bytes(&key.cipher, 32) == 1, "no randomness")
            precondition(RAND_bytes(&key.mac, 32) == 1, "no randomness")
            return key
        }
    }

    private let keys = Mutex([Key.random()])

    /// Takes a new key into use and forgets all but the two before it.
    func rotate() {
        let fresh = Key.random()
        keys.withLock { $0 = [fresh] + $0.prefix(2) }
    }

    /// - Returns: 1 sealed, -1 failed.
    func seal(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> Int32 {
        var key = keys.withLock { $0[0] }
        name.update(from: key.name, count: 16)
        guard RAND_bytes(iv, 16) == 1, EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipher, iv) == 1,
            selvage_mac_set_key(mac, &key.mac, 32) == 1
        else { return -1 }
        return 1
    }

    /// - Returns: 1 opened, 2 opened with an older key (OpenSSL issues a new ticket), 0 unknown key, -1 failed.
    func open(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> Int32 {
        let wanted = UnsafeBufferPointer(start: name, count: 16)
        let found = keys.withLock { keys in
            keys.firstIndex { $0.name.elementsEqual(wanted) }.map { ($0, keys[$0]) }
        }
        guard let (index, match) = found else { return 0 }
        var key = match
        guard EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipher, iv) == 1,
            selvage_mac_set_key(mac, &key.mac, 32) == 1
        else { return -1 }
        return index == 0 ? 1 : 2
    }
}
