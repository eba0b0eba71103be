import Foundation
import Shared

// Earlier revisions, and requests out of files.
extension HeadlessRun {
    func history(_ command: Command) throws -> Int32 {
        guard let name = command.names.first else { throw Planner(inventory: .empty).usage(.history) }
        // An object that is gone has only its identifier left.
        let known = try? Resolver(inventory: try inventory()).find(name, Resolver.Kind.allCases)
        let answer = try read(AdminPaths.history(known?.id ?? name))
        for entry in answer["history"]?.arrayValue ?? [] {
            guard options.format == .table || options.format == .tsv else {
                out(entry.text)
                continue
            }
            let words = ["revision", "at", "principal", "change", "command"].map { name in
                entry[name].map { $0.stringValue ?? $0.text } ?? ""
            }
            out(words.map(Report.clean).joined(separator: options.format == .tsv ? "\t" : "  "))
        }
        return CommandLineTool.Exit.done
    }

    func difference(_ command: Command) throws -> Int32 {
        guard command.names.count == 2, let from = UInt64(command.names[0]), let to = UInt64(command.names[1]) else {
            throw Planner(inventory: .empty).usage(.difference)
        }
        var after: String?
        repeat {
            let page = after.map { "&after=\(AdminPaths.escaped($0))" } ?? ""
            let answer = try read(AdminPaths.difference(from, to) + page)
            for object in answer["objects"]?.arrayValue ?? [] { show(object) }
            after = answer["next_after"]?.stringValue
        } while after != nil
        return CommandLineTool.Exit.done
    }

    func revert(_ command: Command) throws -> Int32 {
        guard let revision = command.names.first.flatMap({ Int64($0) }), revision >= 0, command.names.count <= 2 else {
            throw Planner(inventory: .empty).usage(.revert)
        }
        guard options.dryRun || options.yes != nil else {
            throw CommandFault(.usage, "\(command.text) may interrupt traffic: add --yes, or --dry-run to see")
        }
        var body: [String: JSON] = ["revision": .int(revision), "command": .string(command.text)]
        if command.names.count > 1 { body["id"] = .string(command.names[1]) }
        return try post(AdminPaths.revert, body)
    }

    func applyFile(_ command: Command) throws -> Int32 {
        guard let path = command.names.first, command.names.count == 1 else {
            throw Planner(inventory: .empty).usage(.applyFile)
        }
        let content =
            path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: path)
        guard let content else { throw CommandFault(.invalid, "\(path) cannot be read") }
        guard let document = try? JSON(parsing: content) else { throw CommandFault(.invalid, "\(path) is not JSON") }
        // The operations alone, or a whole request.
        var body = document.objectValue ?? [:]
        if document.arrayValue != nil { body = ["operations": document] }
        guard body["operations"] != nil else { throw CommandFault(.invalid, "\(path) has no operations") }
        if body["command"] == nil { body["command"] = .string(command.text) }
        return try post(AdminPaths.apply, body)
    }

    // MARK: Requests

    private func read(_ path: String) throws -> JSON {
        let answer = try connection.request("GET", path)
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        return try JSON(parsing: answer.body)
    }

    /// - Returns: `invalid` when a dry run found what speaks against the request.
    private func post(_ path: String, _ members: [String: JSON]) throws -> Int32 {
        var body = members
        if options.dryRun { body["dry_run"] = true }
        if let revision = options.ifMatch.flatMap({ Int64($0) }) { body["expected_revision"] = .int(revision) }
        let answer = try connection.request("POST", path, body: .object(body))
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        let document = try JSON(parsing: answer.body)
        if options.format == .json || options.format == .jsonl {
            out(document.text)
        } else {
            summarise(document)
        }
        let faults = document["faults"]?.arrayValue ?? []
        return faults.isEmpty ? CommandLineTool.Exit.done : CommandLineTool.Exit.invalid
    }

    private func summarise(_ document: JSON) {
        for fault in document["faults"]?.arrayValue ?? [] {
            let place = fault["operation"]?.intValue.map { "operation \($0) " } ?? ""
            let line = ["method", "path"].compactMap { fault[$0]?.stringValue }.joined(separator: " ")
            let code = fault["error_code"]?.stringValue.map { " \($0)" } ?? ""
            let cause = fault["because_of"]?.intValue.map { " (because of operation \($0))" } ?? ""
            out(
                Report.clean(
                    "\(place)\(line): \(fault["status"]?.text ?? "")\(code) \(fault["msg"]?.stringValue ?? "")\(cause)")
            )
        }
        for change in document["changes"]?.arrayValue ?? [] { show(change) }
        if let omitted = document["omitted"]?.intValue, omitted > 0 { out("and \(omitted) more changes") }
        let isDry = document["dry_run"]?.boolValue == true
        let revision = document["revision"]?.text ?? ""
        out(isDry ? "nothing was changed; the configuration is at revision \(revision)" : "revision \(revision)")
    }

    /// One object of a difference or of a list of changes.
    private func show(_ change: JSON) {
        if options.format == .json || options.format == .jsonl { return out(change.text) }
        let isAbsent = { (name: String) in change[name]?.isNull ?? true }
        let word = isAbsent("before") ? "+" : isAbsent("after") ? "-" : "~"
        out(Report.clean("\(word) \(change["kind"]?.stringValue ?? "") \(change["id"]?.stringValue ?? "")"))
        for field in change["fields"]?.arrayValue ?? [] {
            let value = { (name: String) in field[name].flatMap { $0.isNull ? nil : $0.text } ?? "nothing" }
            out(Report.clean("    \(field["path"]?.stringValue ?? ""): \(value("before")) -> \(value("after"))"))
        }
        if change["secret_changed"]?.boolValue == true { out("    a secret is different") }
    }
}
