public import Shared
import Synchronization

/// From where edges may be reached at all: the IP restriction of type `endpoints`, as it was set.
public struct EntryRestriction: Sendable, Hashable {
    public var id: String
    /// Whether it refuses; otherwise it only notes whom it would refuse.
    public var isEnforced: Bool
    public var policies: [IPPolicyID]

    public init(id: String, isEnforced: Bool, policies: [IPPolicyID]) {
        self.id = id
        self.isEnforced = isEnforced
        self.policies = policies
    }
}

/// The same, ready to be asked with each request and each connection, before an edge's own modules.
public final class EntryRules: Sendable {
    /// The restriction's identifier.
    public let id: String
    public let isEnforced: Bool
    private let rules: AddressRules
    private let strangers: Strangers

    /// - Parameter previous: what was asked before. Who was seen by the same restriction is not forgotten.
    init(_ restriction: EntryRestriction, rules: [IPPolicyRule], previous: EntryRules?) {
        id = restriction.id
        isEnforced = restriction.isEnforced
        self.rules = AddressRules(rules)
        if let previous, previous.id == id, previous.isEnforced == isEnforced {
            strangers = previous.strangers
        } else {
            strangers = Strangers()
        }
    }

    /// Whether who comes from this address may go on. Notes who is not allowed, also when it is not enforced.
    public func admits(_ address: IPAddress) -> Bool {
        if rules.admits(address) { return true }
        strangers.note(address)
        return !isEnforced
    }

    /// Whether the rules allow an address, enforced or not. Nothing is noted.
    public func allows(_ address: IPAddress) -> Bool { rules.admits(address) }

    /// How many requests and connections came from addresses that are not allowed since this was last asked, and one
    /// of these addresses; `nil` when none came.
    public func takeStrangers() -> (count: UInt64, latest: IPAddress)? { strangers.take() }
}

/// Counts on every loop and is read once a minute. Only those who are not allowed cost anything.
private final class Strangers: Sendable {
    private let count = Atomic<UInt64>(0)
    private let latest = Mutex<IPAddress?>(nil)

    func note(_ address: IPAddress) {
        count.wrappingAdd(1, ordering: .relaxed)
        // Which of several at the same time is shown does not matter: no loop waits for another.
        _ = latest.withLockIfAvailable { $0 = address }
    }

    func take() -> (count: UInt64, latest: IPAddress)? {
        let seen = count.exchange(0, ordering: .relaxed)
        guard seen > 0 else { return nil }
        return (seen, latest.withLock { $0 } ?? .unspecified)
    }
}
