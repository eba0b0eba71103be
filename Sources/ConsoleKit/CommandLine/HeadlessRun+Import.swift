import Foundation
import Shared

extension HeadlessRun {
    /// Bytes that one file may have; what is read has to fit into one request.
    static let maximumImport = 32 << 20
    /// Seconds for a request with everything in it.
    static let importDeadline = 120.0

    /// Plans, asks the server what is in the way, and does it in one write unless only that was wanted.
    func importObjects(_ command: Command) throws -> Int32 {
        // A file's name may hold `=`, which divides elsewhere.
        let paths = command.names + command.values.map { "\($0.key)=\($0.value)" }
        guard !paths.isEmpty else { throw Planner(inventory: .empty).usage(.importObjects) }
        let plan = ImportPlan(try ImportDocuments(try paths.flatMap(HeadlessRun.files)))
        plan.remarks.forEach { err("note: \($0)") }
        guard plan.faults.isEmpty else {
            plan.faults.forEach { err("fault: \($0)") }
            throw CommandFault(.invalid, "nothing was sent: \(plan.faults.count) faults")
        }
        guard !plan.operations.isEmpty else { throw CommandFault(.invalid, "there is nothing to take over") }
        connection.deadline = HeadlessRun.importDeadline
        let judged = try apply(plan, isDryRun: true)
        let faults = judged.faults ?? []
        for fault in faults { err("fault: \(HeadlessRun.sentence(fault, plan))") }
        guard faults.isEmpty else {
            throw CommandFault(.invalid, "nothing was changed: \(faults.count) faults")
        }
        let answer = options.dryRun ? judged : try apply(plan, isDryRun: false)
        report(plan, answer).forEach(out)
        return CommandLineTool.Exit.done
    }

    private func apply(_ plan: ImportPlan, isDryRun: Bool) throws -> ApplyAnswer {
        let body: JSON = [
            "command": .string("import \(plan.entries.count) objects"), "operations": .array(plan.operations),
            "dry_run": .bool(isDryRun),
        ]
        let answer = try connection.request("POST", AdminPaths.apply, body: body)
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        guard let result = ((try? JSON(parsing: answer.body)) ?? .null).decoded(ApplyAnswer.self) else {
            throw AdminFault(.malformed, "the server's answer could not be read")
        }
        return result
    }

    private static func sentence(_ fault: ApplyAnswer.Fault, _ plan: ImportPlan) -> String {
        let entry = fault.operation.flatMap { plan.entries.indices.contains($0) ? plan.entries[$0] : nil }
        let code = fault.errorCode.map { " (\($0))" } ?? ""
        return "\(entry.map { "\($0.oldID) \($0.name): " } ?? "")\(fault.message)\(code)"
    }

    /// Old identifier, new identifier, and what people know the object by; addresses with their new port.
    private func report(_ plan: ImportPlan, _ answer: ApplyAnswer) -> [String] {
        let rows = zip(plan.entries, answer.results).map { entry, result in
            (
                kind: entry.kind, old: entry.oldID,
                new: options.dryRun ? nil : result.body?["id"]?.stringValue,
                name: result.body?["addr"]?.stringValue.map { "\(entry.name) → \($0)" } ?? entry.name
            )
        }
        switch options.format {
        case .json, .jsonl:
            let objects = rows.map { row -> JSON in
                [
                    "kind": .string(row.kind.collection), "old": .string(row.old),
                    "new": row.new.map { .string($0) } ?? .null, "name": .string(row.name),
                ]
            }
            guard options.format == .json else { return objects.map(\.text) }
            let document: JSON = [
                "dry_run": .bool(options.dryRun), "revision": .int(Int64(clamping: answer.revision)),
                "objects": .array(objects), "remarks": .array(plan.remarks.map { .string($0) }),
            ]
            return [Report.pretty(document)]
        case .tsv: return rows.map { [$0.old, $0.new ?? "", $0.name].map(Report.clean).joined(separator: "\t") }
        case .table:
            let wanted = options.dryRun ? "would be made" : "made"
            return rows.map { row in
                "\(row.old.padded(38))\((row.new ?? "").padded(row.new == nil ? 0 : 38))\(Report.clean(row.name))"
            } + ["\(rows.count) objects \(wanted)"]
        }
    }

    /// A file, or the `.json` files of a folder in the order of their names.
    private static func files(_ path: String) throws -> [(name: String, bytes: [UInt8])] {
        var isFolder = ObjCBool(false)
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw CommandFault(.invalid, "\(path) is not there")
        }
        guard isFolder.boolValue else { return [try file(path)] }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".json") }.sorted()
        guard !names.isEmpty else { throw CommandFault(.invalid, "\(path) has no .json files") }
        return try names.map { try file(path + "/" + $0) }
    }

    private static func file(_ path: String) throws -> (name: String, bytes: [UInt8]) {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw CommandFault(.invalid, "\(path) cannot be read")
        }
        defer { try? handle.close() }
        let content = try handle.read(upToCount: maximumImport + 1) ?? Data()
        guard content.count <= maximumImport else { throw CommandFault(.invalid, "\(path) is too large") }
        return (path, Array(content))
    }
}
