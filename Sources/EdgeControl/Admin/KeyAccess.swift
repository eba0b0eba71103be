public import EdgeCore
import Shared
import Synchronization

/// Lets in those who come over TLS: by the address that they come from, and by their API key.
public final class KeyAccess: Sendable {
    /// Where facts go that operators should know.
    public typealias Tell = @Sendable (_ kind: String, _ object: String, _ text: String) -> Void

    private typealias Entry = (restriction: EntryRestriction, rules: AddressRules)

    private struct State {
        var limits: RequestLimits
        var entry: Entry?
        /// The configuration's revision that `entry` is of.
        var revision: UInt64?
        var told: [String: MonotonicTime] = [:]
    }

    private let service: ConfigurationService
    private let state: Mutex<State>
    private let now: @Sendable () -> MonotonicTime
    private let tell: Tell

    /// - Parameters:
    ///   - requestsPerMinute: of one key in any 60 seconds; 0 for any number.
    ///   - concurrentRequests: of one key at the same time; 0 for any number.
    public init(
        _ service: ConfigurationService, requestsPerMinute: Int = 0, concurrentRequests: Int = 64,
        now: @escaping @Sendable () -> MonotonicTime, tell: @escaping Tell = { _, _, _ in }
    ) {
        self.service = service
        self.now = now
        self.tell = tell
        let settings = RequestLimits.Settings(perMinute: requestsPerMinute, atOnce: concurrentRequests)
        state = Mutex(State(limits: RequestLimits(settings)))
    }

    /// - Throws: what the client is told. Never with what it has shown.
    func admit(_ request: HandlerRequest) throws -> Admission {
        let configuration = service.state
        try checkAddress(request.client, configuration)
        let shown = PresentedCredential(request.fields.filter { $0.name == "authorization" }.map(\.value))
        let principal: Principal
        switch KeyAccess.principal(shown, configuration) {
        case .success(let known): principal = known
        case .failure(let fault): throw refusal(fault, request.client)
        }
        try check(state.withLock { $0.limits.begin(principal.identity, now: now()) })
        return Admission(principal, access: self, client: request.client)
    }

    // MARK: Keys

    /// Whose key it is.
    static func principal(_ shown: PresentedCredential, _ state: ConfigurationState) -> Result<Principal, Fault> {
        switch shown {
        case .nothing:
            return .failure(refused(200, "The API needs a key: send the field 'Authorization: Bearer <API key>'."))
        case .unreadable:
            return .failure(refused(201, "The Authorization field was not understood. It must be 'Bearer <API key>'."))
        case .malformed: return .failure(refused(202, "What you sent as an API key does not look like one."))
        case .keyID:
            return .failure(
                refused(208, "You sent the identifier of an API key. The key itself has the form FIRST_SECOND."))
        case .credentialID:
            return .failure(
                refused(207, "You sent the identifier of a tunnel credential. An API key has the form FIRST_SECOND."))
        case .token(let identity, let secret):
            if let key = APIKeys.key(identity: identity, secret: secret, in: state) { return principal(of: key, state) }
            guard state.credential(identity: identity, secret: secret) == nil else {
                return .failure(refused(206, "You sent an authtoken, which is for agents. The API needs an API key."))
            }
            return .failure(refused(203, "The API key has the right form, but it is not, or no longer, valid."))
        }
    }

    private static func principal(
        of key: ConfigurationObject, _ state: ConfigurationState
    ) -> Result<Principal, Fault> {
        let owner = APIKeys.owner(of: key)
        // A key never does more than the one who answers for it.
        guard let limit = state.catalogue.owners.role(of: owner) else {
            return .failure(refused(636, "The owner of this API key may not use the API any more."))
        }
        let description = AdminAPI.sanitise(key.document["description"]?.stringValue ?? "")
        let name = description.map { "key:\(key.id) (\($0))" } ?? "key:\(key.id)"
        return .success(Principal(name: name, role: min(APIKeys.role(of: key), limit), key: key.id, ownerID: owner))
    }

    private static func refused(_ code: Int, _ message: String) -> Fault { Fault(code, message, status: 403) }

    /// What a wrong credential is answered. Too many from one address are not told what is wrong with them.
    private func refusal(_ fault: Fault, _ client: IPAddress?) -> any Error {
        let client = client ?? .unspecified
        let verdict = state.withLock { $0.limits.fail(client, now: now()) }
        if fault.code != "ERR_NGROK_200" {
            tellOnceAMinute("admin.refused", "", "a request with a wrong API key came from \(client)")
        }
        do throws(APIErrorBody) { try check(verdict) } catch { return error }
        return fault
    }

    private func check(_ verdict: RequestLimits.Verdict) throws(APIErrorBody) {
        switch verdict {
        case .admitted: return
        case .tooMany(let seconds):
            throw APIErrorBody(
                errorCode: "ERR_NGROK_226", statusCode: 429,
                message: "Too many requests in the last minute. Try again in \(seconds) s.",
                details: [AdminAPI.retryAfter: String(seconds)])
        case .tooManyAtOnce:
            throw APIErrorBody(
                errorCode: "ERR_NGROK_225", statusCode: 429,
                message: "This API key has too many requests running at the same time.",
                details: [AdminAPI.retryAfter: "1"])
        }
    }

    // MARK: Addresses

    /// Restrictions of the type `api`.
    private func checkAddress(_ client: IPAddress?, _ configuration: ConfigurationState) throws(Fault) {
        guard let (restriction, rules) = entry(configuration) else { return }
        let client = client ?? .unspecified
        guard !rules.admits(client) else { return }
        guard restriction.isEnforced else {
            return tellOnceAMinute(
                "ip_restriction.would_refuse", restriction.id,
                "the API was used from \(client), which no IP policy allows")
        }
        tellOnceAMinute("ip_restriction.refused", restriction.id, "the API was refused to \(client)")
        throw KeyAccess.refused(220, "Your IP address is not allowed by the IP restriction of the API.")
    }

    private func entry(_ configuration: ConfigurationState) -> Entry? {
        state.withLock { state in
            if state.revision != configuration.revision {
                state.entry = AccountRestrictions.rules(.api, in: configuration)
                state.revision = configuration.revision
            }
            return state.entry
        }
    }

    private func tellOnceAMinute(_ kind: String, _ object: String, _ text: String) {
        let time = now()
        let isDue = state.withLock { state in
            if let last = state.told[kind], time.seconds(since: last) < 60 { return false }
            state.told[kind] = time
            return true
        }
        if isDue { tell(kind, object, text) }
    }

    // MARK: While it runs

    /// Whether the same client would be let in now, and in the same role.
    fileprivate func stillAdmits(_ principal: Principal, _ client: IPAddress?) -> Bool {
        let configuration = service.state
        guard let key = principal.key.flatMap({ configuration[$0] }), key.kind == APIKeys.kind,
            case .success(let current) = KeyAccess.principal(of: key, configuration), current.role >= principal.role
        else { return false }
        guard let (restriction, rules) = entry(configuration), restriction.isEnforced else { return true }
        return rules.admits(client ?? .unspecified)
    }

    fileprivate func end(_ key: String, isStream: Bool) {
        state.withLock { if isStream { $0.limits.endStream(key) } else { $0.limits.end(key) } }
    }

    fileprivate func beginStream(_ key: String) -> Bool {
        state.withLock { state in
            guard state.limits.beginStream(key) else { return false }
            state.limits.end(key)
            return true
        }
    }

    /// For tests.
    var remembered: (addresses: Int, keys: Int) { state.withLock { $0.limits.remembered } }
}

/// One request that was let in; its place is free again when the last reference goes.
final class Admission: Sendable {
    let principal: Principal
    private let access: KeyAccess?
    private let client: IPAddress?
    private let isStream = Mutex(false)

    init(_ principal: Principal, access: KeyAccess? = nil, client: IPAddress? = nil) {
        self.principal = principal
        self.access = access
        self.client = client
    }

    deinit { access?.end(principal.identity, isStream: isStream.withLock { $0 }) }

    /// Lets a stream go on only for as long as its reader would be let in: a key that is deleted gets nothing more.
    func watch(_ response: HandlerResponse) throws(APIErrorBody) -> HandlerResponse {
        guard let access, case .stream = response.body else { return response }
        guard access.beginStream(principal.identity) else {
            throw APIErrorBody(
                errorCode: "ERR_NGROK_225", statusCode: 429, message: "This API key has too many streams open.")
        }
        isStream.withLock { $0 = true }
        var response = response
        response.mayContinue = { [self] in access.stillAdmits(principal, client) }
        return response
    }
}
