/// Settings as one source has them: the command line, the environment, or the file. What is `nil` another may have.
public struct SettingsDraft: Hashable, Sendable {
    public enum AuthtokenSource: Hashable, Sendable {
        case text(Authtoken)
        /// A file that holds nothing else.
        case file(String)
    }

    public var server: ServerAddress?
    public var authtoken: AuthtokenSource?
    public var trust: Trust?
    public var metadata: String?
    public var connections: Int?
    public var heartbeatInterval: Duration?
    public var heartbeatTolerance: Duration?

    public init() {}

    /// This one's values, and those of `lower` where it has none.
    public func over(_ lower: SettingsDraft) -> SettingsDraft {
        var draft = self
        draft.server = server ?? lower.server
        draft.authtoken = authtoken ?? lower.authtoken
        draft.trust = trust ?? lower.trust
        draft.metadata = metadata ?? lower.metadata
        draft.connections = connections ?? lower.connections
        draft.heartbeatInterval = heartbeatInterval ?? lower.heartbeatInterval
        draft.heartbeatTolerance = heartbeatTolerance ?? lower.heartbeatTolerance
        return draft
    }

    /// What the environment says: `SELVAGE_SERVER`, and `SELVAGE_AUTHTOKEN` before `NGROK_AUTHTOKEN`. An empty variable
    /// is none.
    public static func fromEnvironment(_ environment: [String: String]) throws(AgentFault) -> SettingsDraft {
        var draft = SettingsDraft()
        if let server = environment["SELVAGE_SERVER"], !server.isEmpty {
            draft.server = try naming("SELVAGE_SERVER") { () throws(AgentFault) in try ServerAddress(server) }
        }
        for name in ["SELVAGE_AUTHTOKEN", "NGROK_AUTHTOKEN"] where draft.authtoken == nil {
            guard let text = environment[name], !text.isEmpty else { continue }
            draft.authtoken = .text(try naming(name) { () throws(AgentFault) in try Authtoken(text) })
        }
        return draft
    }

    private static func naming<Value>(
        _ name: String, _ body: () throws(AgentFault) -> Value
    ) throws(AgentFault) -> Value {
        do throws(AgentFault) {
            return try body()
        } catch {
            throw AgentFault("\(name): \(error.message)", key: error.key)
        }
    }

    /// Whole settings, with defaults for what no source has.
    /// - Throws: `AgentFault` when there is no server or no authtoken, or a value is out of its range.
    public func settings(files: FileReader) throws(AgentFault) -> AgentSettings {
        guard let server else {
            throw AgentFault(
                "no server is named: give --server host:port, SELVAGE_SERVER, or 'server' in the file", key: "server")
        }
        var settings = AgentSettings(server: server, authtoken: try readAuthtoken(files))
        settings.trust = trust ?? settings.trust
        settings.metadata = metadata ?? settings.metadata
        settings.connections = connections ?? settings.connections
        settings.heartbeatInterval = heartbeatInterval ?? settings.heartbeatInterval
        settings.heartbeatTolerance = heartbeatTolerance ?? settings.heartbeatTolerance
        guard settings.metadata.utf8.count <= AgentSettings.maximumMetadata else {
            throw AgentFault("metadata may have at most \(AgentSettings.maximumMetadata) bytes", key: "metadata")
        }
        guard AgentSettings.connectionRange.contains(settings.connections) else {
            throw AgentFault("from 1 to 16 connections are possible", key: "connections")
        }
        return settings
    }

    private func readAuthtoken(_ files: FileReader) throws(AgentFault) -> Authtoken {
        switch authtoken {
        case .text(let token): return token
        case .file(let path):
            let bytes = try files(path)
            do throws(AgentFault) {
                return try Authtoken(fileContents: bytes)
            } catch {
                throw AgentFault("\(path): \(error.message)", key: "authtoken_file")
            }
        case nil:
            throw AgentFault(
                "there is no authtoken: give --authtoken-file, SELVAGE_AUTHTOKEN, or 'authtoken_file' in the file",
                key: "authtoken")
        }
    }
}
