import EdgeCore
import Shared

/// The outside world as writes see it, passed in so that they stay functions of their arguments.
struct Effects: Sendable {
    /// The time of the transaction.
    var now: WallTime
    /// A new identifier with a prefix.
    var makeID: @Sendable (_ prefix: String, _ now: WallTime) -> String
    /// The second part of a new API key or authtoken.
    var makeSecret: @Sendable () -> String
    /// A certificate and key for a host name from the internal authority.
    var issue: @Sendable (_ name: String, _ keyType: CertificateKeyType, _ now: WallTime) throws -> IssuedCertificate
}

/// A transaction in the making: the state before, the state so far, and what was touched.
///
/// Writes are functions on this value. Nothing is kept or in force until the service commits it.
struct ConfigurationDraft: Sendable {
    let base: ConfigurationState
    private(set) var state: ConfigurationState
    let effects: Effects
    let principal: String
    private var touched: [String] = []
    private var known: Set<String> = []
    private var unchecked: Set<String> = []

    init(base: ConfigurationState, effects: Effects, principal: String) {
        self.base = base
        self.effects = effects
        self.principal = principal
        state = base
    }

    var catalogue: Catalogue { state.catalogue }
    /// The revision that the objects written here will have.
    var revision: UInt64 { base.revision + 1 }

    // MARK: Writing

    /// Makes an object at the end of its list.
    @discardableResult
    mutating func create(
        _ kind: ObjectKind, prefix: String, parent: String? = nil, document: JSON, secret: JSON? = nil
    ) throws(Fault) -> ConfigurationObject {
        let object = ConfigurationObject(
            kind: kind, id: effects.makeID(prefix, effects.now), parent: parent, position: state.lastPosition + 1,
            createdAt: effects.now.text, revision: revision, changedAt: effects.now.text, changedBy: principal,
            document: document.canonical, secret: secret)
        try put(object)
        return object
    }

    /// Gives an object another document. A write that changes nothing leaves the revision as it is.
    mutating func update(_ id: String, document: JSON) throws(Fault) {
        let document = document.canonical
        guard var object = state[id], object.document != document else { return }
        object.document = document
        try put(object)
    }

    /// Gives an object another document and another secret.
    mutating func update(_ id: String, document: JSON, secret: JSON?) throws(Fault) {
        let document = document.canonical
        guard var object = state[id], object.document != document || object.secret != secret else { return }
        object.document = document
        object.secret = secret
        try put(object)
    }

    /// Raises an object's revision without changing it: a part of it was written.
    mutating func touch(_ id: String) throws(Fault) {
        guard let object = state[id], object.revision != revision else { return }
        try put(object)
    }

    /// Takes away an object and what belongs to it.
    mutating func remove(_ id: String) {
        for child in state.children(of: id) { remove(child) }
        guard state[id] != nil else { return }
        state.remove(id)
        note(id)
    }

    /// Puts objects in the form that each change had before.
    mutating func revert(_ changes: [ObjectChange]) throws(Fault) {
        // Names may have moved from one object to another, so all go before any comes.
        for change in changes {
            state.remove(change.id)
            note(change.id)
        }
        // Edges find their domains and addresses by name, so those come first.
        let rank = { (object: ConfigurationObject) in object.kind.edgeKind == nil ? 0 : 1 }
        let objects = changes.compactMap(\.before)
        for object in objects.sorted(by: { (rank($0), $0.position) < (rank($1), $1.position) }) { try put(object) }
        for change in changes where change.before == nil && !state.children(of: change.id).isEmpty {
            throw Fault(nil, "\(change.id) has parts now that were added since.", status: 412)
        }
        for parent in changes.compactMap({ $0.before?.parent ?? $0.after?.parent }) { try touch(parent) }
    }

    /// The next value of a mark that starts at `first`; never the same twice.
    mutating func next(_ mark: String, first: Int64) -> Int64 {
        let value = max(first, (state.marks[mark] ?? first - 1) + 1)
        state.marks[mark] = value
        return value
    }

    private mutating func put(_ object: ConfigurationObject) throws(Fault) {
        var object = object
        object.revision = revision
        object.changedAt = effects.now.text
        object.changedBy = principal
        try state.put(object)
        note(object.id)
    }

    private mutating func note(_ id: String) {
        if known.insert(id).inserted { touched.append(id) }
        unchecked.insert(id)
    }

    /// Runs `work` on a copy, and takes over what it did only if it succeeds.
    mutating func attempt<Result>(_ work: (inout ConfigurationDraft) throws -> Result) throws -> Result {
        var trial = self
        // The lists of what was touched would be copied at every attempt.
        trial.touched = []
        trial.known = []
        let result = try work(&trial)
        state = trial.state
        for id in trial.touched where known.insert(id).inserted { touched.append(id) }
        unchecked = trial.unchecked
        return result
    }

    // MARK: Checking

    /// Checks what was touched since the last check against the whole configuration: nothing refers to what does not
    /// exist, and nothing that is still referred to is gone.
    mutating func check() throws(Fault) {
        for id in unchecked.sorted() {
            guard let object = state[id] else {
                guard let user = state.firstReferrer(of: id), let old = base[id] else { continue }
                throw Resources.of(old.kind).inUse(old, by: user)
            }
            for reference in state.references(of: id) where state[reference.id] == nil { throw reference.missing }
            if let parent = object.parent, state[parent] == nil {
                throw Fault(nil, "The owner \(parent) of \(id) does not exist.", status: 404)
            }
            try Resources.of(object.kind).check(object, in: state)
        }
        unchecked.removeAll()
    }

    /// Whether a commit would change anything.
    var isEmpty: Bool { state.marks == base.marks && changes.isEmpty }

    /// Everything that is different from before, in the order in which it was touched.
    var changes: [ObjectChange] {
        touched.compactMap { id in
            let change = ObjectChange(before: base[id], after: state[id])
            return change.before == change.after ? nil : change
        }
    }

    /// The state after a commit.
    func committed() -> ConfigurationState {
        var state = state
        state.revision = revision
        return state
    }
}
