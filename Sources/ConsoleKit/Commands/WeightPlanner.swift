import Shared

/// What the weights screen and `weight set` have in common: which backend is meant, what a staged edit would do, and
/// the request that applies it.
struct WeightPlanner {
    let inventory: Inventory

    /// A route or edge whose traffic a weighted backend divides, or such a backend on its own.
    struct Target: Hashable, Sendable {
        var ownerID: String?
        var backendID: String
        var name: String
    }

    /// Routes first, in the order of their names.
    var targets: [Target] {
        var used: Set<String> = []
        var targets: [Target] = []
        for route in inventory.routes {
            guard let id = Inventory.backendID(route.document), id.hasPrefix("bkdwd"), inventory[id] != nil else {
                continue
            }
            used.insert(id)
            targets.append(Target(ownerID: route.id, backendID: id, name: route.name))
        }
        for edge in inventory.edges {
            guard let id = Inventory.backendID(edge.document), id.hasPrefix("bkdwd"), inventory[id] != nil else {
                continue
            }
            used.insert(id)
            targets.append(Target(ownerID: edge.id, backendID: id, name: Inventory.edgeName(edge)))
        }
        for backend in inventory.backends where backend.id.hasPrefix("bkdwd") && !used.contains(backend.id) {
            targets.append(Target(ownerID: nil, backendID: backend.id, name: Inventory.backendName(backend)))
        }
        return targets
    }

    /// - Throws: `CommandFault` when the name is no route, edge or weighted backend.
    func target(_ name: String) throws(CommandFault) -> Target {
        let match = try Resolver(inventory: inventory).find(name, [.route, .backend, .edge])
        if let target = targets.first(where: { $0.ownerID == match.id || $0.backendID == match.id }) { return target }
        throw CommandFault(.invalid, "\(match.name) has no weighted backend")
    }

    /// Names of the others whose traffic the same backend divides: a change moves them, too.
    func sharers(_ target: Target) -> [String] {
        targets.filter { $0.backendID == target.backendID && $0.ownerID != target.ownerID }.map(\.name)
    }

    func edit(_ backendID: String) -> WeightEdit? {
        inventory[backendID].flatMap {
            WeightEdit(backendID: backendID, weights: inventory.shares($0), revision: $0.revision)
        }
    }

    /// Stages `CHILD=PERCENT` pairs; children that are not named give way in proportion.
    func stage(_ values: [(key: String, value: String)], in edit: inout WeightEdit) throws(CommandFault) {
        let before = edit.locked
        var named: Set<Int> = []
        var total = 0
        for (key, value) in values {
            let index = try child(key, of: edit)
            guard let units = Percent.units(value) else {
                throw CommandFault(.invalid, "\(value) is no percentage of 0 to 100")
            }
            guard named.insert(index).inserted else { throw CommandFault(.invalid, "\(key) is named twice") }
            total += units
            guard total <= Percent.whole else { throw CommandFault(.invalid, "the shares sum to more than 100 %") }
            if named.count == edit.children.count {
                guard total == Percent.whole else {
                    throw CommandFault(.invalid, "the shares sum to \(Percent.text(total)), not 100%")
                }
            } else {
                guard edit.set(index, to: units) else {
                    throw CommandFault(.invalid, "\(key) is locked, or is the only backend")
                }
            }
            if !edit.locked.contains(index) { edit.toggleLock(index) }
        }
        for index in edit.locked.subtracting(before) { edit.toggleLock(index) }
    }

    private func child(_ name: String, of edit: WeightEdit) throws(CommandFault) -> Int {
        var found = edit.children.indices.filter { index in
            edit.children[index] == name || inventory.name(edit.children[index]) == name
        }
        if found.isEmpty {
            // Among so few, one word of the name is enough: `v2` for `Checkout v2`.
            found = edit.children.indices.filter { index in
                inventory.name(edit.children[index]).split(separator: " ").contains { $0 == name }
            }
        }
        guard let index = found.first, found.count == 1 else {
            let known = edit.children.map(inventory.name).joined(separator: ", ")
            throw CommandFault(.invalid, "\(name) is not one of its backends: \(known)")
        }
        return index
    }

    /// `weight set shop.example/checkout v1=84 v2=16`
    func command(_ edit: WeightEdit, target: Target) -> Command {
        Command(
            .weightSet, [target.name],
            values: zip(edit.children, edit.shares).map { id, share in
                (inventory.name(id), String(Percent.text(share).dropLast()))
            })
    }

    /// The whole change as one request, with the revision that was seen.
    func request(
        _ edit: WeightEdit, target: Target, guard hold: ApplyRequest.Guard?, idempotencyID: String?
    ) -> APIRequest {
        let weights = JSON.object(edit.weights.mapValues(JSON.int))
        let operation = ApplyRequest.Operation(
            method: "PATCH", path: "/backends/weighted/\(edit.backendID)", body: ["backends": weights],
            ifMatch: String(edit.revision))
        return RequestPlan.apply(
            ApplyRequest(
                command: command(edit, target: target).text, operations: [operation], guard: hold,
                idempotencyID: idempotencyID))
    }
}

/// What an operator should think about before applying weights.
struct WeightForecast {
    /// The present rate and the one to expect, per child.
    var rates: [(now: Double?, then: Double)]
    /// A remark per child, empty for none.
    var notes: [String]
    /// Why the route's name must be typed; empty when Enter is enough.
    var risks: [String]

    init(_ edit: WeightEdit, target: WeightPlanner.Target, model: ConsoleModel) {
        let traffic = edit.children.map { model.traffic(backend: $0)?.requestsPerSecond }
        let sharers = WeightPlanner(inventory: model.inventory).sharers(target)
        // What its children get comes from all who share the backend, so that is what will be divided anew.
        let owner = sharers.isEmpty ? target.ownerID : nil
        let total =
            owner.flatMap { model.traffic(route: $0) ?? model.traffic(edge: $0) }?.requestsPerSecond
            ?? traffic.reduce(0) { $0 + ($1 ?? 0) }
        let base = edit.baseShares
        rates = edit.shares.indices.map { (traffic[$0], total * Double(edit.shares[$0]) / Double(Percent.whole)) }
        notes = edit.children.map { _ in "" }
        risks = sharers.isEmpty ? [] : ["also moves \(sharers.joined(separator: ", "))"]
        let routeP95 = target.ownerID.flatMap { model.traffic(route: $0)?.p95 }
        for index in edit.children.indices {
            let name = model.inventory.name(edit.children[index])
            let step = edit.shares[index] - base[index]
            if edit.shares[index] == 0 && base[index] > 0 {
                notes[index] = "! goes to 0"
                risks.append("\(name) goes to 0")
            } else if abs(step) >= 2_500 {
                notes[index] = "! \(abs(step) / 100) points in one step"
                risks.append("\(abs(step) / 100) points in one step")
            }
            guard step > 0 else { continue }
            let row = model.traffic(backend: edit.children[index])
            if let row, row.requestsPerSecond > 0, row.errorRate > 0.05 {
                notes[index] = "! fails \(Figure.percent(row.errorRate))"
                risks.append("\(name) fails \(Figure.percent(row.errorRate))")
            } else if let p95 = row?.p95, let routeP95, p95 > routeP95 * 1.2, notes[index].isEmpty {
                notes[index] = "slower: p95 \(Figure.milliseconds(p95))"
            }
        }
        if let owner = target.ownerID, model.breaker(owner)?.state == .open { risks.append("its breaker is open") }
        var seen: Set<String> = []
        risks = risks.filter { seen.insert($0).inserted }
    }
}
