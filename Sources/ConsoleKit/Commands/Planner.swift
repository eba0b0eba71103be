import Shared

/// Turns a command into the requests that carry it out. The palette, the forms and the command line share it.
struct Planner {
    let inventory: Inventory
    var agents: [AgentStatus] = []
    var resolver: Resolver { Resolver(inventory: inventory) }

    /// - Throws: `CommandFault`.
    func plan(_ command: Command) throws(CommandFault) -> RequestPlan {
        switch command.verb {
        case .edgeCreate: return try createEdge(command)
        case .edgeDelete: return try deleteEdge(command)
        case .routeAdd: return try addRoute(command)
        case .routeRemove: return try removeRoute(command)
        case .moduleSet: return try setModule(command)
        case .moduleRemove: return try removeModule(command)
        case .backendSet: return try setBackend(command)
        case .backendCreate: return try createBackend(command)
        case .backendDelete: return try deleteBackend(command)
        case .policyCreate: return try createPolicy(command)
        case .policyAllow, .policyDeny: return try policyRule(command)
        case .policyForget: return try forgetRule(command)
        case .policyDelete: return try deletePolicy(command)
        case .breakerOpen, .breakerClose, .breakerReset: return try breaker(command)
        case .guardKeep, .guardRollback, .guardExtend: return try guardVerb(command)
        case .agentDisconnect, .agentDrain, .agentStop, .agentRestart, .agentUpdate: return try askAgent(command)
        case .undo: return try undo(command)
        default: throw CommandFault(.usage, "\(command.text) is nothing to send")
        }
    }

    func usage(_ verb: VerbID) -> CommandFault {
        let verb = VerbTable[verb]
        return CommandFault(.usage, "\(verb.name) \(verb.arguments)")
    }

    func name(_ command: Command, _ index: Int) throws(CommandFault) -> String {
        guard command.names.indices.contains(index) else { throw usage(command.verb) }
        return command.names[index]
    }

    // MARK: Edges

    private func createEdge(_ command: Command) throws(CommandFault) -> RequestPlan {
        guard let kind = EdgeKind(rawValue: try name(command, 0)) else { throw usage(.edgeCreate) }
        guard let backend = command["backend"], !backend.isEmpty else { throw usage(.edgeCreate) }
        let host = command.names.count > 1 ? command.names[1].lowercased() : ""
        var steps: [RequestPlan.Step] = []
        let hostport = kind == .tcp ? address(host, &steps) : try domain(host, &steps)
        let reference = try backendReference(backend, &steps)
        var edge: JSON = ["hostports": [.string(hostport)]]
        if let description = command["description"] { edge["description"] = .string(description) }
        if kind != .https { edge["backend"] = ["backend_id": .string(reference)] }
        let place = steps.count
        steps.append(step("POST", "/edges/\(kind.rawValue)", edge, "make the edge", creates: true))
        if kind == .https {
            let route: JSON = [
                "match_type": "path_prefix", "match": "/", "backend": ["backend_id": .string(reference)],
            ]
            steps.append(
                step("POST", "/edges/https/\(RequestPlan.reference(place))/routes", route, "make its route /"))
        }
        return RequestPlan(
            command: command.text, steps: steps, success: "edge \(hostport) is made")
    }

    /// An address of a TCP edge is assigned by the server, unless one that is reserved is named.
    private func address(_ host: String, _ steps: inout [RequestPlan.Step]) -> String {
        if !host.isEmpty { return host }
        steps.append(step("POST", "/reserved_addrs", [:], "reserve an address", creates: true))
        return RequestPlan.reference(steps.count - 1, "addr")
    }

    private func domain(_ host: String, _ steps: inout [RequestPlan.Step]) throws(CommandFault) -> String {
        let name = host.hasSuffix(":443") ? String(host.dropLast(4)) : host
        guard Planner.isDomain(name) else { throw CommandFault(.invalid, "\(host) is no domain name") }
        if !inventory.domains.contains(where: { $0.document["domain"]?.stringValue == name }) {
            steps.append(
                step("POST", "/reserved_domains", ["domain": .string(name)], "reserve \(name)", creates: true))
        }
        return name + ":443"
    }

    static func isDomain(_ name: String) -> Bool {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= 253, labels.count >= 2 else { return false }
        return labels.enumerated().allSatisfy { index, label in
            if index == 0 && label == "*" { return true }
            return !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0) || $0 == 45 }
        }
    }

    /// A known backend's identifier, or that of a static one which the plan then makes.
    ///
    /// - Throws: `CommandFault` when it is neither, nor an address.
    func backendReference(_ text: String, _ steps: inout [RequestPlan.Step]) throws(CommandFault) -> String {
        if let match = try? resolver.find(text, [.backend]) { return match.id }
        if text.hasPrefix("bkd"), text.contains("_") { return text }
        if let known = inventory.backends.first(where: { $0.document["address"]?.stringValue == text }) {
            return known.id
        }
        // One that is made by this very plan already.
        if let made = steps.firstIndex(where: { $0.request.body?["address"]?.stringValue == text }) {
            return RequestPlan.reference(made)
        }
        guard Planner.isAddress(text) else {
            do throws(CommandFault) {
                return try resolver.find(text, [.backend]).id
            } catch {
                throw CommandFault(.invalid, "\(error.message); an address would be host:port")
            }
        }
        steps.append(
            step("POST", "/backends/static", ["address": .string(text)], "make the backend \(text)", creates: true))
        return RequestPlan.reference(steps.count - 1)
    }

    private func deleteEdge(_ command: Command) throws(CommandFault) -> RequestPlan {
        let edge = try resolver.find(try name(command, 0), [.edge])
        return try apply("DELETE", edge.id, command: command, success: "edge \(edge.name) is deleted", .destructive)
    }

    // MARK: Routes and modules

    private func addRoute(_ command: Command) throws(CommandFault) -> RequestPlan {
        let edge = try resolver.find(try name(command, 0), [.edge])
        let match = try name(command, 1)
        guard edge.id.hasPrefix("edghts") else {
            throw CommandFault(.invalid, "only HTTPS edges have routes; \(edge.name) has one backend")
        }
        guard match.hasPrefix("/") else { throw CommandFault(.invalid, "a route's path begins with /") }
        var steps: [RequestPlan.Step] = []
        var document: JSON = ["match_type": .string(command["match"] ?? "path_prefix"), "match": .string(match)]
        if let backend = command["backend"], !backend.isEmpty {
            document["backend"] = ["backend_id": .string(try backendReference(backend, &steps))]
        }
        steps.append(step("POST", "/edges/https/\(edge.id)/routes", document, "make the route", creates: true))
        return RequestPlan(command: command.text, steps: steps, success: "route \(edge.name)\(match) is made")
    }

    private func removeRoute(_ command: Command) throws(CommandFault) -> RequestPlan {
        let route = try resolver.find(try name(command, 0), [.route])
        return try apply("DELETE", route.id, command: command, success: "route \(route.name) is removed", .destructive)
    }

    private func setModule(_ command: Command) throws(CommandFault) -> RequestPlan {
        let owner = try resolver.find(try name(command, 0), [.route, .edge])
        let module = try name(command, 1)
        guard let listing = inventory.modules.first(where: { $0.name == module }) else {
            let known = inventory.modules.map(\.name).joined(separator: ", ")
            throw CommandFault(.invalid, "no module is called \(module); there are \(known)")
        }
        let present = inventory.document(owner.id)?[module] ?? .null
        var form = DocumentForm(example: listing.example, document: present.isNull ? nil : present)
        for (key, value) in command.values {
            guard form.set(key, to: value) else {
                let known = form.fields.map(\.label).joined(separator: ", ")
                throw CommandFault(.invalid, "\(module) has no setting \(key); there are \(known)")
            }
        }
        return try putModule(owner.id, module, form.result().get(), command: command)
    }

    /// Replaces a module's settings whole.
    func putModule(
        _ owner: String, _ module: String, _ settings: JSON, command: Command
    ) throws(CommandFault) -> RequestPlan {
        try apply(
            "PUT", owner, module: module, body: try named(settings), command: command,
            success: "\(module) of \(inventory.name(owner)) is set", .reversible)
    }

    private func removeModule(_ command: Command) throws(CommandFault) -> RequestPlan {
        let owner = try resolver.find(try name(command, 0), [.route, .edge])
        let module = try name(command, 1)
        return try apply(
            "DELETE", owner.id, module: module, command: command, success: "\(module) of \(owner.name) is removed",
            .disruptive)
    }

    private func setBackend(_ command: Command) throws(CommandFault) -> RequestPlan {
        let owner = try resolver.find(try name(command, 0), [.route, .edge])
        var steps: [RequestPlan.Step] = []
        let reference = try backendReference(try name(command, 1), &steps)
        guard let path = inventory.path(owner.id) else { throw usage(.backendSet) }
        steps.append(
            step("PUT", path + "/backend", ["backend_id": .string(reference)], "point \(owner.name) at it"))
        return RequestPlan(command: command.text, steps: steps, success: "\(owner.name) has another backend")
    }

    /// Changes fields of an object, insisting on the revision that was seen.
    func patch(_ id: String, _ body: JSON, command: String, success: String) throws(CommandFault) -> RequestPlan {
        guard let path = inventory.path(id) else { throw CommandFault(.invalid, "\(id) is gone") }
        return RequestPlan(
            applying: ApplyRequest.Operation(
                method: "PATCH", path: path, body: body, ifMatch: inventory.revision(of: id)),
            command: command, success: success)
    }

    // MARK: Breakers, guards, undo

    private func breaker(_ command: Command) throws(CommandFault) -> RequestPlan {
        let route = try resolver.find(try name(command, 0), [.route])
        let verb = String(VerbTable[command.verb].name.split(separator: " ")[1])
        let done = ["open": "is forced open", "close": "is closed", "reset": "is reset"][verb] ?? verb
        return RequestPlan(
            command: command.text,
            steps: [step("POST", AdminPaths.breaker(route.id, verb), nil, command.text)],
            success: "breaker of \(route.name) \(done)", danger: .disruptive)
    }

    private func guardVerb(_ command: Command) throws(CommandFault) -> RequestPlan {
        let id = try name(command, 0)
        let verb = String(VerbTable[command.verb].name.split(separator: " ")[1])
        var body: JSON?
        if command.verb == .guardExtend {
            guard let seconds = Planner.seconds(command.names.count > 1 ? command.names[1] : "60") else {
                throw usage(.guardExtend)
            }
            body = ["seconds": .double(seconds)]
        }
        let done = ["keep": "the change is kept", "rollback": "the change is rolled back", "extend": "watched longer"]
        return RequestPlan(
            command: command.text, steps: [step("POST", AdminPaths.guardVerb(id, verb), body, command.text)],
            success: done[verb] ?? verb)
    }

    private func undo(_ command: Command) throws(CommandFault) -> RequestPlan {
        guard let number = UInt64(try name(command, 0)) else { throw usage(.undo) }
        return RequestPlan(
            command: command.text,
            steps: [step("POST", AdminPaths.undo, ["audit_id": .int(Int64(clamping: number))], command.text)],
            success: "change \(number) is undone")
    }

    /// `30`, `30s`, `2m` or `1h` as seconds, 1…3600.
    static func seconds(_ text: String) -> Double? {
        let factor: Double = text.hasSuffix("m") ? 60 : text.hasSuffix("h") ? 3600 : 1
        let digits = text.last?.isLetter == true ? String(text.dropLast()) : text
        guard let value = Double(digits), value.isFinite, (1...3600).contains(value * factor),
            text.last.map({ !$0.isLetter || "smh".contains($0) }) == true
        else { return nil }
        return value * factor
    }

    // MARK: Steps

    func step(
        _ method: String, _ path: String, _ body: JSON?, _ label: String, creates: Bool = false
    ) -> RequestPlan.Step {
        RequestPlan.Step(request: APIRequest(method, path, body: body), label: label, creates: creates)
    }

    func apply(
        _ method: String, _ id: String, module: String? = nil, body: JSON? = nil, command: Command, success: String,
        _ danger: Danger
    ) throws(CommandFault) -> RequestPlan {
        guard let path = inventory.path(id) else { throw CommandFault(.invalid, "\(id) is gone") }
        return RequestPlan(
            applying: ApplyRequest.Operation(
                method: method, path: path + (module.map { "/" + AdminPaths.escaped($0) } ?? ""), body: body,
                ifMatch: inventory.revision(of: id)),
            command: command.text, success: success, danger: danger)
    }
}

extension Inventory {
    func document(_ id: String) -> JSON? { route(id)?.document ?? self[id]?.document }

    func revision(of id: String) -> String? {
        (route(id)?.revision ?? self[id]?.revision).map(String.init)
    }
}
