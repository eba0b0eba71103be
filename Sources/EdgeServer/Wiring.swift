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
        try PlaceCheck.unixSocket(settings.admin.socket)
        let slots = SlotTable()
        let breakers = CircuitBreakers()
        let plane = try EdgeDataPlane(settings: settings.transport, slots: slots)
        plane.start()

        let events = EventLog { Date() }
        let later = Later()
        let configuration = try makeConfiguration(settings, plane, slots, breakers, events, later)
        try await configuration.start()
        let live = makeLive(settings, plane, slots, breakers, events, configuration)
        later.live = live
        configuration.use(live)
        try await live.recover()

        let listeners = try settings.transportListeners(sockets)
        for listener in listeners {
            let bound = try plane.listen(listener)
            log("\(listener.kind) on \(bound), region \(listener.region)")
        }
        let api = makeAPI(settings, configuration, live, log)
        try plane.listen(unixPath: settings.admin.socket, mode: UInt32(settings.admin.mode)) { await api.handle($0) }
        log("admin API on \(settings.admin.socket)")
        for (object, problem) in await plane.problems() { log("\(object): \(problem)") }
        return RunningServer(
            plane: plane, tasks: [Task { await live.run() }, Task { await renewCertificates(configuration, log) }])
    }

    private static func makeConfiguration(
        _ settings: ServerSettings, _ plane: EdgeDataPlane, _ slots: SlotTable, _ breakers: CircuitBreakers,
        _ events: EventLog, _ later: Later
    ) throws -> ConfigurationService {
        let store = try SQLiteStore(path: settings.dataFolder + "/configuration.sqlite")
        let authority = try InternalAuthority(folder: settings.dataFolder, now: .now())
        let catalogue = Catalogue(
            modules: StandardModules.registry, tcpPorts: settings.tcp?.ports,
            publicName: settings.tcp?.publicHost ?? settings.node, regions: settings.regions)
        let sinks = ConfigurationService.Sinks(
            audit: { later.live?.publish($0) },
            event: { events.record($0, kind: $1, object: $2, text: $3) })
        return ConfigurationService(
            store: store, catalogue: catalogue, authority: authority,
            compiler: SnapshotCompiler(modules: StandardModules.registry, slots: slots, breakers: breakers),
            dataPlane: plane, sinks: sinks)
    }

    private static func makeLive(
        _ settings: ServerSettings, _ plane: EdgeDataPlane, _ slots: SlotTable, _ breakers: CircuitBreakers,
        _ events: EventLog, _ configuration: ConfigurationService
    ) -> LiveService {
        LiveService(
            name: .init(node: settings.node, region: settings.region.code, version: ServerVersion.current),
            sources: .init(
                dataPlane: plane, slots: slots, breakers: breakers, events: events, configuration: configuration),
            clock: .system)
    }

    private static func makeAPI(
        _ settings: ServerSettings, _ configuration: ConfigurationService, _ live: LiveService,
        _ log: @escaping @Sendable (String) -> Void
    ) -> AdminAPI {
        let access = AccessRules(
            admins: settings.admin.admins, operators: settings.admin.operators, viewers: settings.admin.viewers)
        return AdminAPI(
            operations: ResourceOperations.all(configuration) + ConfigurationOperations.all(configuration)
                + live.operations,
            report: { id, error in log("\(id): \(error)") }, authorize: access.principal(of:))
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
