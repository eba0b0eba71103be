import Shared

// Keys and credentials: their tokens are shown once, so they go to standard output alone and everything else to
// standard error. `KEY=$(selvage api-key create)` holds the token and nothing more.
extension HeadlessRun {
    /// - Parameters:
    ///   - path: where such objects are made.
    ///   - values: which `key=value` it takes.
    func createToken(_ command: Command, _ path: String, _ values: Set<String>) throws -> Int32 {
        guard command.names.isEmpty, command.values.allSatisfy({ values.contains($0.key) }) else {
            throw Planner(inventory: .empty).usage(command.verb)
        }
        var body: [String: JSON] = [:]
        for (key, value) in command.values {
            let rules = value.split(separator: ",").map { JSON.string(String($0)) }
            body[key] = key == "acl" ? .array(rules) : .string(value)
        }
        // Without what is said about the key: more people may read the audit trail than keys.
        var request = APIRequest("POST", path, body: .object(body))
        request.command = VerbTable[command.verb].name
        let answer = try connection.request(request.method, request.path, body: request.body, headers: request.headers)
        guard answer.status == 201 else { throw fault(answer.status, answer.body) }
        let document = try JSON(parsing: answer.body)
        guard let token = document["token"]?.stringValue, !token.isEmpty else {
            throw AdminFault(.malformed, "the server answered without a token")
        }
        out(token)
        err("\(document["id"]?.stringValue ?? "") is made; its token is not shown again")
        return CommandLineTool.Exit.done
    }

    func listKeys(_ command: Command) throws -> Int32 {
        guard command.names.isEmpty, command.values.isEmpty else { throw Planner(inventory: .empty).usage(.keyList) }
        let report = Report(keys: try all(AdminPaths.keys, "keys"))
        report.lines(options.format).forEach(out)
        return CommandLineTool.Exit.done
    }

    func deleteKey(_ command: Command) throws -> Int32 {
        guard command.names.count == 1, command.values.isEmpty else {
            throw Planner(inventory: .empty).usage(.keyDelete)
        }
        let id = command.names[0]
        guard id.hasPrefix("ak_") else { throw CommandFault(.invalid, "\(id) is no identifier of a key: ak_…") }
        guard options.yes != nil else {
            throw CommandFault(.usage, "\(command.text) shuts out who uses it: add --yes")
        }
        let request = APIRequest("DELETE", AdminPaths.keys + "/" + AdminPaths.escaped(id), command: command.text)
        let answer = try connection.request(request.method, request.path, headers: request.headers)
        guard answer.status == 204 else { throw fault(answer.status, answer.body) }
        out("\(id) is deleted")
        return CommandLineTool.Exit.done
    }

    /// Every object of a list, over all its pages.
    private func all(_ path: String, _ name: String) throws -> [JSON] {
        var objects: [JSON] = []
        var before: String?
        repeat {
            let page = before.map { "&before_id=\(AdminPaths.escaped($0))" } ?? ""
            let answer = try connection.request("GET", "\(path)?limit=100\(page)")
            guard answer.status == 200 else { throw fault(answer.status, answer.body) }
            let document = try JSON(parsing: answer.body)
            let found = document[name]?.arrayValue ?? []
            objects += found
            before = document["next_page_uri"]?.stringValue == nil ? nil : found.last?["id"]?.stringValue
        } while before != nil
        return objects
    }
}

extension Report {
    /// API keys, without their secrets: nobody has those.
    fileprivate init(keys: [JSON]) {
        let rows = keys.map { key in
            let text = { (name: String) in key[name]?.stringValue ?? "" }
            return Row(
                id: text("id"), name: text("description"),
                cells: [text("id"), text("role"), text("owner_id"), text("created_at"), text("description")],
                document: key)
        }
        self.init(heads: ["KEY", "ROLE", "OWNER", "CREATED", "DESCRIPTION"], rows: rows)
    }
}
