import EdgeCore

extension Configuration {
    /// Takes over what objects look like in `state`; everything else stays.
    mutating func update(_ ids: some Sequence<String>, from state: ConfigurationState) {
        revision = state.revision
        for id in ids {
            guard let kind = Resources.kind(of: id) else { continue }
            Resources.of(kind).configure(id, in: state, &self)
        }
    }
}
