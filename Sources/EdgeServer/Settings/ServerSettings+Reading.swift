import EdgeControl
import EdgeCore
import Shared

/// What reading a settings file needs to know of the machine.
struct SettingsEnvironment {
    var hostName: String
    /// The id of a user of this machine.
    var userID: (String) -> UInt32?
}

extension ServerSettings {
    /// Reads settings, and reports everything that is wrong with them.
    /// - Returns: the settings, or `nil` when there are faults; the faults in the order of their lines.
    static func read(
        _ text: String, environment: SettingsEnvironment
    ) -> (settings: ServerSettings?, faults: [TOML.Fault]) {
        let (root, faults) = TOML.parse(text)
        let collected = SettingsFaults(faults)
        var top = SettingsTable(root, name: "", faults: collected)
        let settings = readTop(&top, environment)
        top.finish()
        let all = collected.list.sorted { $0.line < $1.line }
        return (all.isEmpty ? settings : nil, all)
    }

    private static func readTop(_ top: inout SettingsTable, _ environment: SettingsEnvironment) -> ServerSettings {
        let node = top.string("node") ?? environment.hostName
        let folder = top.value("data_folder", expecting: "an absolute path", absolutePath)
        if top.table["data_folder"] == nil {
            top.fault(1, "data_folder is missing: it must be an absolute path, e.g. \"/var/lib/selvage\"")
        }
        let dataFolder = folder ?? "/"
        var settings = ServerSettings(
            node: node, dataFolder: dataFolder, admin: Admin(socket: dataFolder + "/admin.sock"))
        settings.region = region(&top) ?? settings.region
        settings.loops = top.integer("loops", 1...1024)
        if var admin = top.section("admin") { settings.admin = readAdmin(&admin, settings.admin, environment) }
        settings.listeners = readListeners(&top)
        if var tcp = top.section("tcp") { settings.tcp = readTCP(&tcp) }
        if var agents = top.section("agents") { settings.agents = readAgents(&agents) }
        if var limits = top.section("limits") { settings.limits = readLimits(&limits) }
        if var history = top.section("history") { settings.history = readHistory(&history) }
        if var timeouts = top.section("timeouts") { settings.timeouts = readTimeouts(&timeouts) }
        if var upstream = top.section("upstream") { settings.upstream = readUpstream(&upstream) }
        return settings
    }

    static func region(_ table: inout SettingsTable) -> Region? {
        table.value("region", expecting: "a region's code: lower-case letters, digits and '-', at most 32") { value in
            guard let code = value.string, (1...32).contains(code.utf8.count) else { return nil }
            return code.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
                ? Region(code) : nil
        }
    }

    private static func readAdmin(
        _ table: inout SettingsTable, _ defaults: Admin, _ environment: SettingsEnvironment
    ) -> Admin {
        var admin = defaults
        // sun_path holds 108 bytes with its terminating zero: unix(7).
        let path = table.value("socket", expecting: "an absolute path of at most 107 bytes") { value in
            absolutePath(value).flatMap { $0.utf8.count <= 107 ? $0 : nil }
        }
        admin.socket = path ?? admin.socket
        if path == nil, table.table["socket"] == nil, admin.socket.utf8.count > 107 {
            table.fault(table.line, "admin.socket is missing: the data folder's path is too long to hold the socket")
        }
        let mode = table.value("mode", expecting: "permission bits as a string, like \"0660\"") { value in
            value.string.flatMap { UInt16($0, radix: 8) }.flatMap { $0 <= 0o777 ? $0 : nil }
        }
        admin.mode = mode ?? admin.mode
        admin.admins = table.users("admins", resolve: environment.userID)
        admin.operators = table.users("operators", resolve: environment.userID)
        admin.viewers = table.users("viewers", resolve: environment.userID)
        readAdminTLS(&table, &admin)
        table.finish()
        return admin
    }

    // MARK: Listeners

    private static func readListeners(_ top: inout SettingsTable) -> [Listener] {
        var sections = top.sections("listener")
        if sections.isEmpty, top.table["listener"] == nil {
            top.fault(1, "there is no [[listener]]: the server would serve nobody")
        }
        var listeners: [Listener] = []
        var taken: [String: Int] = [:]
        for index in sections.indices {
            guard let listener = readListener(&sections[index]) else { continue }
            let keys: [String] =
                switch listener.origin {
                case .bind(let addresses, let port): addresses.map { "address \($0) port \(port)" }
                case .inherited(let name): ["socket \"\(name)\""]
                }
            for key in keys {
                if let first = taken.updateValue(listener.line, forKey: key) {
                    sections[index].fault(listener.line, "\(key) has a listener already, on line \(first)")
                }
            }
            listeners.append(listener)
        }
        return pointRedirects(listeners)
    }

    /// A redirect without a port of its own goes to the first HTTPS listener.
    private static func pointRedirects(_ listeners: [Listener]) -> [Listener] {
        let ports = listeners.lazy.filter { $0.kind == .https }.compactMap { listener -> UInt16? in
            if case .bind(_, let port) = listener.origin { port } else { nil }
        }
        let first = ports.first ?? 443
        return listeners.map { listener in
            var listener = listener
            if listener.redirectPort == 0 { listener.redirectPort = first }
            return listener
        }
    }

    private static func readListener(_ table: inout SettingsTable) -> Listener? {
        let kind = table.requiredChoice("kind", Listener.Kind.self)
        let region = region(&table)
        let cleartext = table.choice("cleartext", Listener.Cleartext.self)
        let redirectPort = table.integer("redirect_port", 1...65_535)
        let origin = readOrigin(&table, kind: kind)
        if kind == .https {
            for key in ["cleartext", "redirect_port"] {
                guard let value = table.table[key] else { continue }
                table.fault(value.line, "listener.\(key) has no meaning on an https listener")
            }
        }
        table.finish()
        guard let kind, let origin else { return nil }
        return Listener(
            kind: kind, origin: origin, region: region, cleartext: cleartext ?? .redirect,
            redirectPort: redirectPort.map(UInt16.init) ?? 0, line: table.line)
    }

    private static func readOrigin(_ table: inout SettingsTable, kind: Listener.Kind?) -> Listener.Origin? {
        let socket = table.string("socket")
        let addresses = addresses(&table)
        let port = table.integer("port", 1...65_535)
        if let socket {
            for key in ["address", "port"] {
                guard let value = table.table[key] else { continue }
                table.fault(value.line, "listener.\(key) has no meaning beside listener.socket")
            }
            return .inherited(name: socket)
        }
        if table.table["port"] == nil {
            let usual = kind == .http ? 80 : 443
            table.fault(table.line, "listener.port is missing: it must be a port, usually \(usual)")
        }
        guard let port, let port = UInt16(exactly: port) else { return nil }
        return .bind(addresses: addresses ?? ["0.0.0.0", "::"], port: port)
    }

    private static func addresses(_ table: inout SettingsTable) -> [String]? {
        table.list("address", of: "an IPv4 or IPv6 address") { value in
            value.string.flatMap { IPAddress($0) == nil ? nil : $0 }
        }
    }

    private static func readTCP(_ table: inout SettingsTable) -> TCPAddresses? {
        let host = table.requiredString("public_host", "the host part of reserved addresses")
        let what = "a range of ports like \"20000-20099\""
        let ports = table.value("ports", expecting: what) { value -> ClosedRange<UInt16>? in
            let ends = value.string?.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard let ends, ends.count == 2, let first = ends[0], let last = ends[1], first >= 1, first <= last
            else { return nil }
            return first...last
        }
        if table.table["ports"] == nil { table.fault(table.line, "tcp.ports is missing: it must be \(what)") }
        let addresses = addresses(&table)
        table.finish()
        guard let host, let ports else { return nil }
        var tcp = TCPAddresses(publicHost: host.lowercased(), ports: ports)
        tcp.addresses = addresses ?? tcp.addresses
        return tcp
    }

    // MARK: Bounds

    private static func readLimits(_ table: inout SettingsTable) -> Limits {
        var limits = Limits()
        limits.connections = table.integer("connections", 1...10_000_000) ?? limits.connections
        limits.headBytes = table.size("head_bytes", limits.headBytes, 1024...1 << 20)
        limits.fields = table.integer("fields", 8...10_000) ?? limits.fields
        limits.queueBytes = table.size("queue_bytes", limits.queueBytes, 16 << 10...64 << 20)
        limits.h2Streams = table.integer("h2_streams", 1...10_000) ?? limits.h2Streams
        limits.adminBodyBytes = table.size("admin_body_bytes", limits.adminBodyBytes, 4096...64 << 20)
        table.finish()
        return limits
    }

    private static func readHistory(_ table: inout SettingsTable) -> HistoryLimits {
        var history = HistoryLimits()
        history.writes = table.integer("writes", 1...1_000_000) ?? history.writes
        history.bytes = table.size("bytes", history.bytes, 1 << 20...64 << 30)
        table.finish()
        return history
    }

    private static func readTimeouts(_ table: inout SettingsTable) -> Timeouts {
        var timeouts = Timeouts()
        timeouts.tlsHandshake = table.duration("tls_handshake", timeouts.tlsHandshake)
        timeouts.requestHead = table.duration("request_head", timeouts.requestHead)
        timeouts.bodyProgress = table.duration("body_progress", timeouts.bodyProgress)
        timeouts.upstreamDial = table.duration("upstream_dial", timeouts.upstreamDial)
        timeouts.firstByte = table.duration("first_byte", timeouts.firstByte)
        timeouts.keepAlive = table.duration("keep_alive", timeouts.keepAlive)
        timeouts.upgradeIdle = table.duration("upgrade_idle", timeouts.upgradeIdle)
        timeouts.drain = table.duration("drain", timeouts.drain)
        table.finish()
        return timeouts
    }

    private static func readUpstream(_ table: inout SettingsTable) -> Upstream {
        var upstream = Upstream()
        upstream.idleConnections = table.integer("idle_connections", 0...100_000) ?? upstream.idleConnections
        upstream.idle = table.duration("idle", upstream.idle)
        upstream.verifyTLS = table.boolean("verify_tls", upstream.verifyTLS)
        table.finish()
        return upstream
    }
}
