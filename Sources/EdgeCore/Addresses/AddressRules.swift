/// Addresses that at least one rule allows and none denies, whichever IP policy a rule is of.
///
/// A denial beats any permission, however much shorter its network is; without a permission nobody is admitted.
public struct AddressRules: Sendable {
    private let allowed: IPPrefixSet
    private let denied: IPPrefixSet

    public init(_ rules: [IPPolicyRule]) {
        allowed = IPPrefixSet(rules.filter(\.allows).map(\.network))
        denied = IPPrefixSet(rules.filter { !$0.allows }.map(\.network))
    }

    public func admits(_ address: IPAddress) -> Bool { allowed.contains(address) && !denied.contains(address) }
}
