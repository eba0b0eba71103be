import EdgeControl
import EdgeCore
import EdgeModules
import EdgeTransport
import Foundation
import Shared

/// The rooms put together: data plane, control plane and the admin socket between them.
struct RunningServer: Sendable {
    private let plane: EdgeDataPlane
    private let tasks: [Task<Void, Never>]

    /// Binds everything, opens the store and publishes the first snapshot. When it returns, traffic is served and the
    /// admin socket answers.
    /// - Parameter sockets: listening sockets that were passed to the process, by name.
    static func start(
        settings: ServerSettings, sockets: [String: [Int32]], log: @escaping @Sendable (String) -> Void
    ) async throws -> RunningServer {
        try PlaceCheck.ports(of: settings.listeners)
        try PlaceCheck.places(settings.admin.listen)
        try PlaceCheck.unixSocket(settings.admin.socket)
        try PlaceCheck.agents(settings.agents)
        let slots = SlotTable()
        let breakers = CircuitBreakers()
        let groups = TunnelGroups()
        let plane = try EdgeDataPlane(settings: settings.transport, slots: slots, tunnels: groups)
        plane.start()

        let events = EventLog { Date() }
        let later = Later()
        let authority = try InternalAuthority(folder: settings.dataFolder, now: .now())
        let access = AccessRules(
            admins: settings.admin.admins, operators: settings.admin.operators, viewers: settings.admin.viewers,
            authority: authority)
        let tunnels = TunnelService(
            identity: try TunnelIdentity(folder: settings.dataFolder),
            surroundings: .init(dataPlane: plane, events: events, now: LiveService.Clock.system.now),
            domain: settings.agents?.domain)
        let core = Core(
            settings: settings, plane: plane, slots: slots, breakers: breakers, events: events, groups: groups,
            tunnels: tunnels)
        let configuration = try makeConfiguration(core, authority, access.owners, later)
        tunnels.use(configuration)
        try await configuration.start()
        let live = makeLive(core, configuration)
        later.live = live
        configuration.use(live)
        try await live.recover()

        let listeners = try settings.transportListeners(sockets)
        for listener in listeners {
            let bound = try plane.listen(listener)
            log("\(listener.kind) on \(bound), region \(listener.region)")
        }
        let api = makeAPI(core, access, configuration, live, log)
        try plane.listen(unixPath: settings.admin.socket, mode: UInt32(settings.admin.mode)) { await api.handle($0) }
        log("admin API on \(settings.admin.socket)")
        var tasks = [Task { await live.run() }, Task { await renewCertificates(configuration, log) }]
        if let task = try serveTLS(core, authority, api, log) { tasks.append(task) }
        // Last: whoever comes back at once finds everything in place.
        if let task = try serveAgents(core, authority, sockets, log) { tasks.append(task) }
        for (object, problem) in await plane.problems() { log("\(object): \(problem)") }
        return RunningServer(plane: plane, tasks: tasks)
    }

    /// What all parts of a server share.
    private struct Core {
        let settings: ServerSettings
        let plane: EdgeDataPlane
        let slots: SlotTable
        let breakers: CircuitBreakers
        let events: EventLog
        let groups: TunnelGroups
        let tunnels: TunnelService
    }

    /// Agents, on a port of their own and by name.
    /// - Returns: the task that renews their certificate.
    private static func serveAgents(
        _ core: Core, _ authority: InternalAuthority, _ sockets: [String: [Int32]],
        _ log: @escaping @Sendable (String) -> Void
    ) throws -> Task<Void, Never>? {
        guard let agents = core.settings.agents else { return nil }
        let places = try agents.places(sockets)
        let names = RenewedCertificate.names(
            configured: agents.hosts, node: core.settings.node, addresses: places.map { "\($0.address.address)" })
        let tls = try RenewedCertificate(files: agents.certificate, names: names, authority: authority)
        core.plane.serveAgents(
            names: agents.hosts.filter { IPAddress($0) == nil }, certificate: tls.certificate, gate: core.tunnels)
        let region = agents.region ?? core.settings.region
        for place in places {
            let bound = try core.plane.listenForAgents(place.address, region: region, inherited: place.inherited)
            log("agents on \(bound), region \(region)")
        }
        return Task { await tls.keepRenewing("the agents' listener", log) }
    }

    /// The admin API for clients elsewhere.
    /// - Returns: the task that renews its certificate.
    private static func serveTLS(
        _ core: Core, _ authority: InternalAuthority, _ api: AdminAPI, _ log: @escaping @Sendable (String) -> Void
    ) throws -> Task<Void, Never>? {
        let places = core.settings.admin.listen
        guard !places.isEmpty else { return nil }
        let names = RenewedCertificate.names(
            configured: core.settings.admin.hosts, node: core.settings.node, addresses: places.map(\.address))
        let tls = try RenewedCertificate(files: core.settings.admin.certificate, names: names, authority: authority)
        for place in places {
            guard let address = IPAddress(place.address) else { continue }
            let bound = try core.plane.listen(SocketAddress(address, port: place.port), certificate: tls.certificate) {
                await api.handle($0)
            }
            log("admin API over TLS on \(bound)")
        }
        return Task { await tls.keepRenewing("the admin API", log) }
    }

    private static func makeConfiguration(
        _ core: Core, _ authority: InternalAuthority, _ owners: Owners, _ later: Later
    ) throws -> ConfigurationService {
        let settings = core.settings
        let events = core.events
        let store = try SQLiteStore(
            path: settings.dataFolder + "/configuration.sqlite", keeping: settings.history)
        let catalogue = Catalogue(
            modules: StandardModules.registry, tcpPorts: settings.tcp?.ports,
            publicName: settings.tcp?.publicHost ?? settings.node, regions: settings.regions, owners: owners,
            signingCertificatePEM: try SigningIdentity(folder: settings.dataFolder, now: .now()).certificatePEM,
            tunnels: core.tunnels)
        let sinks = ConfigurationService.Sinks(
            audit: { [tunnels = core.tunnels] in
                later.live?.publish($0)
                tunnels.configurationChanged()
            },
            event: { events.record($0, kind: $1, object: $2, text: $3) })
        return ConfigurationService(
            store: store, catalogue: catalogue, authority: authority,
            compiler: SnapshotCompiler(
                modules: StandardModules.registry, slots: core.slots, breakers: core.breakers, tunnels: core.groups),
            dataPlane: core.plane, sinks: sinks)
    }

    private static func makeLive(_ core: Core, _ configuration: ConfigurationService) -> LiveService {
        LiveService(
            name: .init(node: core.settings.node, region: core.settings.region.code, version: ServerVersion.current),
            sources: .init(
                dataPlane: core.plane, slots: core.slots, breakers: core.breakers, events: core.events,
                configuration: configuration, agents: { [tunnels = core.tunnels] in await tunnels.statuses() }),
            clock: .system)
    }

    private static func makeAPI(
        _ core: Core, _ access: AccessRules, _ configuration: ConfigurationService, _ live: LiveService,
        _ log: @escaping @Sendable (String) -> Void
    ) -> AdminAPI {
        let clock = LiveService.Clock.system
        let events = core.events
        let keys = KeyAccess(
            configuration, requestsPerMinute: core.settings.admin.requestsPerMinute,
            concurrentRequests: core.settings.admin.concurrentRequests, now: clock.now,
            tell: { events.record(.warn, kind: $0, object: $1, text: $2) })
        return AdminAPI(
            operations: ResourceOperations.all(configuration) + ConfigurationOperations.all(configuration)
                + live.operations + AgentOperations(core.tunnels).operations,
            keys: keys, report: { id, error in log("\(id): \(error)") },
            refused: { configuration.note(refused: $0, $1, $2) }, authorize: access.principal(of:))
    }

    private static func renewCertificates(
        _ configuration: ConfigurationService, _ log: @escaping @Sendable (String) -> Void
    ) async {
        repeat {
            do {
                let names = try await configuration.renewDueCertificates()
                if !names.isEmpty { log("renewed the certificates of \(names.joined(separator: ", "))") }
            } catch {
                log("certificates could not be renewed: \(error)")
            }
        } while (try? await Task.sleep(for: .seconds(3600))) != nil
    }

    /// Accepts nothing new, and returns when all that is open has finished, or at the deadline.
    func drain(deadline: Duration) async {
        let open = await plane.drain(seconds: Double(deadline.nanoseconds) / 1e9)
        if open > 0 { log("\(open) connections were still open at the deadline") }
    }

    /// Closes what is still open and ends the loops.
    func shutdown() async {
        for task in tasks { task.cancel() }
        plane.shutdown()
    }
}
