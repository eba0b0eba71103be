public import Shared

/// The agent's settings file: how to reach the server, and which tunnels to hold open.
public struct AgentFile: Hashable, Sendable {
    public var settings = SettingsDraft()
    /// In the order of the file, each with a name of its own.
    public var tunnels: [TunnelSpec] = []
    /// Whether somebody who reads the file learns a secret.
    public var holdsSecrets = false

    /// Reads a whole file, and reports everything that is wrong with it.
    /// - Returns: what it says, or `nil` when there are faults; the faults in the order of their lines.
    public static func read(_ text: String) -> (file: AgentFile?, faults: [TOML.Fault]) {
        let (root, faults) = TOML.parse(text)
        let collected = SettingsFaults(faults)
        var top = SettingsTable(root, name: "", faults: collected)
        var file = AgentFile()
        file.settings = readSettings(&top)
        if case .text = file.settings.authtoken { file.holdsSecrets = true }
        file.readTunnels(&top)
        top.finish()
        let all = collected.list.sorted { $0.line < $1.line }
        return (all.isEmpty ? file : nil, all)
    }

    /// What to say about a file that everybody on the machine can read.
    /// - Parameter mode: the permission bits, as `stat` gives them.
    public static func warning(path: String, mode: UInt32, holdsSecrets: Bool) -> String? {
        guard holdsSecrets, mode & 0o004 != 0 else { return nil }
        return "\(path) holds a secret and everybody on this machine can read it: chmod o-r \(path)"
    }

    /// The tunnels of these names, in the order of the names; all of them without names.
    /// - Throws: `AgentFault` for a name that no tunnel has, with the nearest that one has.
    public func tunnels(named names: [String]) throws(AgentFault) -> [TunnelSpec] {
        guard !tunnels.isEmpty else { throw AgentFault("the file has no [[tunnel]]") }
        guard !names.isEmpty else { return tunnels }
        var chosen: [TunnelSpec] = []
        for name in names {
            guard let tunnel = tunnels.first(where: { $0.name == name }) else {
                let known = tunnels.map(\.name)
                let nearest = SettingsTable.nearest(to: name, among: known)
                let hint = nearest.map { "did you mean \(shown($0))?" } ?? "there are: \(known.joined(separator: ", "))"
                throw AgentFault("there is no tunnel \(shown(name)): \(hint)")
            }
            if !chosen.contains(tunnel) { chosen.append(tunnel) }
        }
        return chosen
    }

    // MARK: Settings

    private static func readSettings(_ top: inout SettingsTable) -> SettingsDraft {
        var draft = SettingsDraft()
        draft.server = top.parsed("server") { text throws(AgentFault) in try ServerAddress(text) }
        let token = top.parsed("authtoken") { text throws(AgentFault) in try Authtoken(text) }
        let tokenFile = top.string("authtoken_file")
        if let value = top.table["authtoken_file"], top.table["authtoken"] != nil {
            top.fault(value.line, "authtoken_file has no meaning beside authtoken")
        }
        draft.authtoken = token.map { .text($0) } ?? tokenFile.map { .file($0) }
        draft.trust = readTrust(&top)
        draft.metadata = top.parsed("metadata") { text throws(AgentFault) in
            guard text.utf8.count <= AgentSettings.maximumMetadata else {
                throw AgentFault("at most \(AgentSettings.maximumMetadata) bytes are possible")
            }
            return text
        }
        draft.connections = top.integer("connections", AgentSettings.connectionRange)
        draft.heartbeatInterval = heartbeat("heartbeat_interval", &top)
        draft.heartbeatTolerance = heartbeat("heartbeat_tolerance", &top)
        return draft
    }

    private static func readTrust(_ top: inout SettingsTable) -> Trust? {
        top.parsed("trust") { text throws(AgentFault) in
            switch text {
            case "system": return .system
            case "insecure": return .insecure
            default:
                guard text.hasPrefix("/") else {
                    throw AgentFault("it is \"system\", \"insecure\", or the absolute path of a PEM file")
                }
                return .file(text)
            }
        }
    }

    private static func heartbeat(_ key: String, _ top: inout SettingsTable) -> Duration? {
        let duration = top.duration(key, .zero)
        guard duration != .zero else { return nil }
        guard AgentSettings.heartbeatRange.contains(duration) else {
            top.fault(top.table[key]?.line ?? top.line, "\(key) must be from 1 s to 10 minutes")
            return nil
        }
        return duration
    }

    // MARK: Tunnels

    private mutating func readTunnels(_ top: inout SettingsTable) {
        var lines: [String: Int] = [:]
        for var table in top.sections("tunnel") {
            let reading = TunnelReading.read(&table)
            holdsSecrets = holdsSecrets || reading.holdsSecrets
            guard let tunnel = reading.tunnel else { continue }
            if let first = lines.updateValue(table.line, forKey: tunnel.name) {
                table.fault(table.line, "a tunnel \(shown(tunnel.name)) stands on line \(first) already")
            }
            tunnels.append(tunnel)
        }
    }
}

extension SettingsTable {
    /// The text of a key, as `convert` understands it; why it does not is a fault on the value's line.
    mutating func parsed<Value>(_ key: String, _ convert: (String) throws(AgentFault) -> Value) -> Value? {
        guard let text = string(key) else { return nil }
        return attempt(key) { () throws(AgentFault) in try convert(text) }
    }

    /// Texts, one or several; every one that `convert` refuses is a fault.
    mutating func parsedList<Value>(_ key: String, _ convert: (String) throws(AgentFault) -> Value) -> [Value] {
        let texts = list(key, of: "a string", \.string) ?? []
        return texts.compactMap { text in attempt(key) { () throws(AgentFault) in try convert(text) } }
    }

    func attempt<Value>(_ key: String, _ body: () throws(AgentFault) -> Value) -> Value? {
        do throws(AgentFault) {
            return try body()
        } catch {
            report(AgentFault(error.message, key: key))
            return nil
        }
    }

    /// On the line of the key that it is about, or on the table's.
    func report(_ fault: AgentFault) {
        let line = fault.key.flatMap { table[$0]?.line } ?? line
        self.fault(line, fault.key.map { "\($0): \(fault.message)" } ?? fault.message)
    }
}
