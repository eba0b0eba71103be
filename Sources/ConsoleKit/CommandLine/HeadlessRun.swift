import Foundation
import Shared

/// One command without a screen.
struct HeadlessRun {
    let options: CommandLineOptions
    let out: (String) -> Void
    let err: (String) -> Void
    let connection: AdminConnection

    init(options: CommandLineOptions, out: @escaping (String) -> Void, err: @escaping (String) -> Void) throws {
        self.options = options
        self.out = out
        self.err = err
        connection = try AdminConnection(socketPath: options.socketPath)
    }

    static func exit(_ fault: APIErrorBody) -> Int32 {
        switch fault.statusCode {
        case 412, 409: CommandLineTool.Exit.conflict
        case 401, 403: CommandLineTool.Exit.notAllowed
        case 500...: CommandLineTool.Exit.unknown
        default: CommandLineTool.Exit.invalid
        }
    }

    func run() throws -> Int32 {
        if options.once { return try once() }
        let command = try Command.parse(options.words, on: .shell)
        if options.readOnly && VerbTable[command.verb].danger > .view {
            throw APIErrorBody(
                errorCode: nil, statusCode: 403, message: "\(VerbTable[command.verb].name) with --read-only: not sent")
        }
        switch command.verb {
        case .get: return try get(command)
        case .describe: return try describe(command)
        case .events: return try events()
        case .audit: return try audit()
        case .weightSet: return try setWeights(command)
        case .importObjects: return try importObjects(command)
        case .keyCreate: return try createToken(command, AdminPaths.keys, ["role", "description"])
        case .keyList: return try listKeys(command)
        case .keyDelete: return try deleteKey(command)
        case .credentialCreate: return try createToken(command, AdminPaths.credentials, ["acl", "description"])
        case .history: return try history(command)
        case .difference: return try difference(command)
        case .revert: return try revert(command)
        case .applyFile: return try applyFile(command)
        default: return try perform(command)
        }
    }

    // MARK: Reading

    func inventory() throws -> Inventory {
        let answer = try connection.request("GET", AdminPaths.configuration)
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        guard let listing = try? JSONDecoder().decode(ConfigurationListing.self, from: Data(answer.body)) else {
            throw AdminFault(.malformed, "the configuration could not be read")
        }
        return Inventory(listing)
    }

    func fault(_ status: Int, _ body: [UInt8]) -> APIErrorBody {
        APIErrorBody(status: status, answer: (try? JSON(parsing: body)) ?? .null)
    }

    /// The stream's first lines: who we are, and the first figures.
    private func look() throws -> (hello: Hello?, tick: StatisticsTick?) {
        var hello: Hello?
        var tick: StatisticsTick?
        let stream = try AdminConnection(socketPath: options.socketPath)
        try stream.lines(AdminPaths.stream) { bytes in
            switch try? JSONDecoder().decode(StreamLine.self, from: Data(bytes)) {
            case .hello(let value): hello = value
            case .tick(let value): tick = value
            default: break
            }
            return hello == nil || tick == nil
        }
        return (hello, tick)
    }

    private func get(_ command: Command) throws -> Int32 {
        guard let noun = command.names.first, let subject = Report.Subject(noun: noun) else {
            throw Planner(inventory: .empty).usage(.get)
        }
        if subject == .agents { return try getAgents(command) }
        let seen = try look()
        var report = Report(subject: subject, inventory: try inventory(), tick: seen.tick)
        if command.names.count > 1 { try report.narrow(to: command.names[1]) }
        report.lines(options.format).forEach(out)
        return CommandLineTool.Exit.done
    }

    private func describe(_ command: Command) throws -> Int32 {
        let inventory = try inventory()
        guard let name = command.names.last else { throw Planner(inventory: inventory).usage(.describe) }
        let kinds = command.names.count > 1 ? Resolver.Kind(rawValue: command.names[0]).map { [$0] } : nil
        let resolver = Resolver(inventory: inventory)
        // An edge goes before the domain of the same name.
        let served = kinds == nil ? try? resolver.find(name) : nil
        let match = try served ?? resolver.find(name, kinds ?? Resolver.Kind.allCases)
        let object = inventory[match.id]
        var document: JSON = ["kind": .string(match.kind.rawValue), "name": .string(match.name)]
        document["document"] = inventory.document(match.id) ?? .null
        document["revision"] = inventory.revision(of: match.id).map(JSON.string) ?? .null
        document["changed_at"] = object.map { .string($0.changedAt) }
        document["changed_by"] = object.map { .string($0.changedBy) }
        out(options.format == .table || options.format == .json ? Report.pretty(document) : document.text)
        return CommandLineTool.Exit.done
    }

    private func events() throws -> Int32 {
        var journal = Journal()
        if options.follow {
            connection.deadline = 60
            try connection.lines(AdminPaths.stream) { bytes in
                switch try? JSONDecoder().decode(StreamLine.self, from: Data(bytes)) {
                case .hello(let hello):
                    journal.begin(hello)
                    journal.entries.suffix(20).forEach { out(Report.line($0, options.format)) }
                case .event(let record):
                    journal.add(record)
                    journal.entries.last.map { out(Report.line($0, options.format)) }
                case .audit(let record):
                    journal.add(record)
                    journal.entries.last.map { out(Report.line($0, options.format)) }
                default: break
                }
                return true
            }
            throw AdminFault(.closed, "the server ended the stream")
        }
        if let hello = try look().hello { journal.begin(hello) }
        journal.entries.forEach { out(Report.line($0, options.format)) }
        return CommandLineTool.Exit.done
    }

    private func audit() throws -> Int32 {
        let records = try look().hello?.audit ?? []
        for record in records {
            switch options.format {
            case .json, .jsonl: out(JSON(encoding: record).text)
            case .table, .tsv:
                let separator = options.format == .tsv ? "\t" : "  "
                out(
                    [
                        String(record.id), record.at, record.principal, record.refusal ?? record.origin,
                        record.command,
                    ].map(Report.clean).joined(separator: separator))
            }
        }
        return CommandLineTool.Exit.done
    }

    private func once() throws -> Int32 {
        var app = App(options: App.Options(address: options.socketPath, screen: options.screen))
        _ = app.start(now: 0)
        let answer = try connection.request("GET", AdminPaths.configuration)
        guard answer.status == 200 else { throw fault(answer.status, answer.body) }
        app.show(listing: answer.body)
        let seen = try look()
        if let hello = seen.hello { _ = app.receive(.line(.hello(hello)), now: 0) }
        if let tick = seen.tick { _ = app.receive(.line(.tick(tick)), now: 0) }
        let canvas = app.render(size: options.size, glyphs: options.ascii ? .ascii : .unicode)
        for row in 0..<canvas.size.rows {
            var line = canvas.line(row)
            while line.last == " " { line.removeLast() }
            out(line)
        }
        return CommandLineTool.Exit.done
    }

    // MARK: Writing

    private func perform(_ command: Command) throws -> Int32 {
        let plan = try planner(for: command).plan(command)
        switch plan.danger {
        case .disruptive where options.yes == nil:
            throw CommandFault(.usage, "\(plan.command) interrupts traffic: add --yes")
        case .destructive where options.yes != command.names.first:
            throw CommandFault(
                .usage, "\(plan.command) cannot be taken back: add --yes=\(command.names.first ?? "NAME")")
        default: break
        }
        out(try send(plan))
        return CommandLineTool.Exit.done
    }

    /// - Returns: what was done, in words.
    private func send(_ plan: RequestPlan) throws -> String {
        var run = PlanRun(plan)
        var turn = run.begin()
        while true {
            switch turn {
            case .send(let request):
                let answer = try connection.request(
                    request.method, request.path, body: request.body, headers: request.headers)
                turn = run.receive(status: answer.status, body: answer.body)
            case .done: return run.success
            case .refused(let fault): throw fault
            }
        }
    }

    private func setWeights(_ command: Command) throws -> Int32 {
        let inventory = try inventory()
        let planner = WeightPlanner(inventory: inventory)
        guard let name = command.names.first, !command.values.isEmpty else {
            throw Planner(inventory: inventory).usage(.weightSet)
        }
        let target = try planner.target(name)
        guard var edit = planner.edit(target.backendID) else {
            throw CommandFault(.invalid, "\(target.name) has no backends")
        }
        try planner.stage(command.values, in: &edit)
        if options.wait && options.guardSeconds == nil { throw CommandFault(.usage, "--wait needs --guard") }
        try refuseRisk(edit, target, inventory)
        let hold = options.guardSeconds.map {
            ApplyRequest.Guard(seconds: $0, maxErrorRate: options.maxErrorRate ?? 0.02)
        }
        var request = planner.request(edit, target: target, guard: hold, idempotencyID: nil)
        if let ifMatch = options.ifMatch, var document = request.body,
            var operations = document["operations"]?.arrayValue
        {
            operations[0]["if_match"] = .string(ifMatch)
            document["operations"] = .array(operations)
            request.body = document
        }
        let answer = try connection.request("POST", request.path, body: request.body, headers: request.headers)
        guard (200..<300).contains(answer.status) else { throw fault(answer.status, answer.body) }
        out(planner.command(edit, target: target).text)
        guard let status = ((try? JSON(parsing: answer.body)) ?? .null).decoded(ApplyAnswer.self)?.guard else {
            return CommandLineTool.Exit.done
        }
        out("guarded for \(Int(status.remaining)) s: selvage guard keep \(status.id)")
        return options.wait ? try waitFor(status.id) : CommandLineTool.Exit.done
    }

    /// The same steps that the screen lets nobody take by accident.
    private func refuseRisk(_ edit: WeightEdit, _ target: WeightPlanner.Target, _ inventory: Inventory) throws {
        guard options.yes == nil else { return }
        var model = ConsoleModel()
        model.inventory = inventory
        model.tick = try look().tick
        let risks = WeightForecast(edit, target: target, model: model).risks
        guard risks.isEmpty else {
            throw CommandFault(.usage, "\(risks.joined(separator: "; ")): add --yes to go on")
        }
    }

    private func waitFor(_ id: String) throws -> Int32 {
        let stream = try AdminConnection(socketPath: options.socketPath)
        var ended: GuardStatus?
        var wasSeen = false
        try stream.lines(AdminPaths.stream) { bytes in
            guard case .tick(let tick)? = try? JSONDecoder().decode(StreamLine.self, from: Data(bytes)) else {
                return true
            }
            let status = tick.guards.first { $0.id == id }
            wasSeen = wasSeen || status != nil
            if let status, status.state != .running { ended = status }
            return ended == nil && (status != nil || !wasSeen)
        }
        guard let ended else { throw AdminFault(.timeout, "the guard's end was not seen") }
        out(ended.outcome ?? ended.state.rawValue)
        return ended.state == .rolledBack ? CommandLineTool.Exit.rolledBack : CommandLineTool.Exit.done
    }
}

extension App {
    /// Takes in a listing that was not asked for by an effect.
    mutating func show(listing bytes: [UInt8]) {
        guard let tag = pending.first(where: { if case .listing = $0.value { true } else { false } })?.key else {
            return
        }
        _ = receive(.answer(tag, status: 200, fields: [], body: bytes), now: 0)
    }
}
