import Foundation
import Glibc

/// The data folder, held by this process alone: two servers writing one store would undo each other's changes.
struct DataFolder {
    struct Failure: Error {
        var message: String
        /// Whether another server holds the folder.
        var isHeld = false
    }

    private let lock: Int32

    /// Makes the folder if need be, for the server's user only, and locks it until the process ends.
    init(claiming path: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(message: "cannot make the data folder \(path): \(error.localizedDescription)")
        }
        let file = path + "/lock"
        lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Failure(message: "cannot open \(file): \(String(cString: strerror(errno)))") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            var holder = [UInt8](repeating: 0, count: 16)
            let count = max(0, read(lock, &holder, holder.count))
            let pid = String(decoding: holder.prefix(count), as: UTF8.self).trimmingCharacters(in: .whitespaces)
            close(lock)
            throw Failure(message: "another server (process \(pid)) holds the data folder \(path)", isHeld: true)
        }
        let pid = Array("\(getpid())".utf8)
        // The number is there for the message above only: the lock itself is what counts.
        _ = ftruncate(lock, 0)
        _ = pwrite(lock, pid, pid.count, 0)
    }

    func release() { close(lock) }
}
