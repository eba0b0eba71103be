import Shared

/// Backends and IP policies: what edges and modules refer to.
extension Planner {
    // MARK: Backends

    /// `backend create weighted v1=90 v2=10 name=canary`
    func createBackend(_ command: Command) throws(CommandFault) -> RequestPlan {
        let kind = try name(command, 0)
        var steps: [RequestPlan.Step] = []
        var document: JSON
        switch kind {
        case "static":
            guard command.names.count == 2 else { throw usage(.backendCreate) }
            guard Planner.isAddress(command.names[1]) else {
                throw CommandFault(.invalid, "\(command.names[1]) is no address: host:port is needed")
            }
            document = ["address": .string(command.names[1])]
            if let tls = command["tls"] { document["tls"] = ["enabled": .bool(Planner.isYes(tls))] }
        case "weighted": document = ["backends": .object(try weights(command, &steps))]
        case "failover":
            guard command.names.count > 1 else { throw usage(.backendCreate) }
            var children: [JSON] = []
            for child in command.names.dropFirst() { children.append(.string(try backendReference(child, &steps))) }
            document = ["backends": .array(children)]
        case "http_response":
            let text = command.names.count > 1 ? command.names[1] : "200"
            guard let status = Int64(text) else { throw CommandFault(.invalid, "\(text) is no HTTP status") }
            document = ["status_code": .int(status), "body": .string(command["body"] ?? "")]
        default: throw usage(.backendCreate)
        }
        if let name = command["name"] { document["description"] = .string(name) }
        steps.append(step("POST", "/backends/\(kind)", document, "make the backend", creates: true))
        let made = command["name"] ?? RequestPlan.reference(steps.count - 1)
        return RequestPlan(command: command.text, steps: steps, success: "backend \(made) is made")
    }

    private func weights(_ command: Command, _ steps: inout [RequestPlan.Step]) throws(CommandFault) -> [String: JSON] {
        var weights: [String: JSON] = [:]
        for (child, text) in command.values where child != "name" {
            guard let weight = Int64(text.hasSuffix("%") ? String(text.dropLast()) : text),
                (0...10_000).contains(weight)
            else { throw CommandFault(.invalid, "\(child)=\(text): a weight is a whole number of 0 to 10000") }
            let id = try backendReference(child, &steps)
            guard weights.updateValue(.int(weight), forKey: id) == nil else {
                throw CommandFault(.invalid, "\(child) is named twice")
            }
        }
        guard !weights.isEmpty, command.names.count == 1 else { throw usage(.backendCreate) }
        return weights
    }

    func deleteBackend(_ command: Command) throws(CommandFault) -> RequestPlan {
        let backend = try resolver.find(try name(command, 0), [.backend])
        return try apply(
            "DELETE", backend.id, command: command, success: "backend \(backend.name) is deleted", .destructive)
    }

    // MARK: IP policies

    /// `policy create office allow=10.0.0.0/8,192.0.2.7 deny=10.9.0.0/16`
    func createPolicy(_ command: Command) throws(CommandFault) -> RequestPlan {
        let name = try name(command, 0)
        guard (try? resolver.find(name, [.policy])) == nil else {
            throw CommandFault(.invalid, "there is an IP policy \(name) already: policy allow \(name) CIDR adds to it")
        }
        let policy: JSON = ["description": .string(name)]
        var steps = [step("POST", "/ip_policies", policy, "make the IP policy \(name)", creates: true)]
        for (action, ranges) in command.values {
            guard ["allow", "deny"].contains(action) else { throw usage(.policyCreate) }
            for range in ranges.split(separator: ",") {
                steps.append(rule(action, try Planner.range(String(range).trimmed), RequestPlan.reference(0)))
            }
        }
        let warning = steps.count == 1 ? "; without a rule it lets nobody in: policy allow \(name) CIDR" : ""
        return RequestPlan(command: command.text, steps: steps, success: "IP policy \(name) is made\(warning)")
    }

    func policyRule(_ command: Command) throws(CommandFault) -> RequestPlan {
        let policy = try resolver.find(try name(command, 0), [.policy])
        let range = try Planner.range(try name(command, 1))
        let action = command.verb == .policyAllow ? "allow" : "deny"
        return RequestPlan(
            command: command.text, steps: [rule(action, range, policy.id)],
            success: "IP policy \(policy.name): \(action) \(range)")
    }

    func forgetRule(_ command: Command) throws(CommandFault) -> RequestPlan {
        let policy = try resolver.find(try name(command, 0), [.policy])
        let range = try Planner.range(try name(command, 1))
        let rules = inventory.rules(of: policy.id)
        guard let rule = rules.first(where: { Inventory.range($0) == range }) else {
            let known = rules.isEmpty ? "none" : rules.map(Inventory.sentence).joined(separator: ", ")
            throw CommandFault(.invalid, "\(policy.name) has no rule for \(range); there are: \(known)")
        }
        return try apply(
            "DELETE", rule.id, command: command,
            success: "IP policy \(policy.name): no rule for \(range) any more", .disruptive)
    }

    func deletePolicy(_ command: Command) throws(CommandFault) -> RequestPlan {
        let policy = try resolver.find(try name(command, 0), [.policy])
        let users = inventory.restricted(by: policy.id)
        guard users.isEmpty else {
            throw CommandFault(
                .invalid,
                "\(policy.name) restricts \(users.joined(separator: ", ")): remove ip_restriction there first")
        }
        return try apply(
            "DELETE", policy.id, command: command, success: "IP policy \(policy.name) is deleted", .destructive)
    }

    private func rule(_ action: String, _ range: String, _ policy: String) -> RequestPlan.Step {
        step(
            "POST", "/ip_policy_rules",
            ["action": .string(action), "cidr": .string(range), "ip_policy_id": .string(policy)],
            "\(action) \(range)", creates: true)
    }

    /// A range with its mask; one address alone stands for itself. The server judges the rest.
    static func range(_ text: String) throws(CommandFault) -> String {
        let allowed = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (97...102).contains(byte | 0x20) || ".:/".utf8.contains(byte)
        }
        guard allowed, text.contains(".") || text.contains(":") else {
            throw CommandFault(.invalid, "\(text) is no range of addresses such as 10.0.0.0/8 or 2001:db8::/32")
        }
        return text.contains("/") ? text : text + (text.contains(":") ? "/128" : "/32")
    }

    /// Identifiers in place of the names of IP policies.
    func named(_ settings: JSON) throws(CommandFault) -> JSON {
        guard let wanted = settings["ip_policy_ids"]?.arrayValue else { return settings }
        var ids: [JSON] = []
        for policy in wanted.compactMap(\.stringValue) {
            ids.append(.string(try resolver.find(policy, [.policy]).id))
        }
        guard !ids.isEmpty else {
            throw CommandFault(
                .invalid, "ip_policy_ids: name an IP policy; policy create NAME allow=CIDR,CIDR makes one")
        }
        var settings = settings
        settings["ip_policy_ids"] = .array(ids)
        return settings
    }

    static func isYes(_ text: String) -> Bool { ["yes", "true", "on", "1"].contains(text.lowercased()) }

    /// `host:port`, also `[::1]:8080`.
    static func isAddress(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
            let port = UInt16(text[text.index(after: colon)...])
        else { return false }
        let host = text[..<colon]
        return port > 0 && !host.contains(" ") && (!host.contains(":") || host.hasPrefix("[") && host.hasSuffix("]"))
    }
}
