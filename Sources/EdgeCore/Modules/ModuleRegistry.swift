public import Shared

/// The modules of this program, in running order: requests meet them first to last, answers last to first.
public struct ModuleRegistry: Sendable {
    public let modules: [any TrafficModule.Type]

    public init(_ modules: [any TrafficModule.Type]) {
        precondition(modules.count <= 16, "ExchangeView keeps 16 notes")
        self.modules = modules
    }

    public subscript(name: String) -> (any TrafficModule.Type)? { modules.first { $0.name == name } }

    public var listings: [ModuleListing] {
        modules.filter { !$0.isForAgentsOnly }.map {
            ModuleListing(
                name: $0.name, edgeKinds: EdgeKind.allCases.filter($0.edgeKinds.contains), example: $0.example)
        }
    }

    /// Makes the chain of one edge or route from its kept module documents; disabled modules are left out.
    public func chain(_ settings: [String: JSON], environment: ModuleEnvironment) throws(Fault) -> Chain {
        var chain: [any TrafficModule] = []
        for module in modules {
            guard let document = settings[module.name], !document.isNull,
                document["enabled"]?.boolValue != false
            else { continue }
            chain.append(try module.init(settings: document, environment: environment))
        }
        return Chain(chain)
    }
}

/// The modules of one route or edge in running order.
public struct Chain: Sendable {
    public let modules: [any TrafficModule]
    private let phases: [ModulePhases]
    private let all: ModulePhases

    public init(_ modules: [any TrafficModule]) {
        self.modules = modules
        phases = modules.map { type(of: $0).phases }
        all = phases.reduce(into: []) { $0.formUnion($1) }
    }

    public static let empty = Chain([])

    func followed(by other: Chain) -> Chain { modules.isEmpty ? other : Chain(modules + other.modules) }

    public var names: [String] { modules.map { type(of: $0).name } }

    public func admits(_ connection: ConnectionFacts) -> Bool {
        modules.allSatisfy { $0.admits(connection) }
    }

    /// Runs the request phase; stops at the first module that does not let the request pass.
    public func onRequest(_ exchange: ExchangeView) -> Verdict {
        for index in modules.indices {
            if phases[index].contains(.request) {
                let verdict = modules[index].onRequest(exchange, note: &exchange.notes[index])
                guard case .proceed = verdict else { return verdict }
            }
            exchange.passed = index + 1
        }
        return .proceed
    }

    /// Runs the response phase, last module first.
    public func onResponse(_ exchange: ExchangeView) -> (any BodyTransform)? {
        guard all.contains(.response) else { return nil }
        var transform: (any BodyTransform)?
        for index in modules.indices.reversed() where phases[index].contains(.response) {
            guard let next = modules[index].onResponse(exchange, note: &exchange.notes[index]) else { continue }
            transform = transform.map { SequencedTransform(first: $0, second: next) } ?? next
        }
        return transform
    }

    /// Tells the modules that let the request pass how it turned out.
    public func onOutcome(_ exchange: ExchangeView, _ outcome: Outcome) {
        guard all.contains(.outcome) else { return }
        for index in 0..<exchange.passed where phases[index].contains(.outcome) {
            modules[index].onOutcome(exchange, outcome: outcome, note: &exchange.notes[index])
        }
    }
}

/// Two transforms, one after the other.
final class SequencedTransform: BodyTransform {
    private let first: any BodyTransform
    private let second: any BodyTransform
    private var between: [UInt8] = []

    init(first: any BodyTransform, second: any BodyTransform) {
        self.first = first
        self.second = second
    }

    func transform(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        between.removeAll(keepingCapacity: true)
        first.transform(input, into: &between)
        between.withUnsafeBytes { second.transform($0, into: &output) }
    }

    func finish(into output: inout [UInt8]) {
        between.removeAll(keepingCapacity: true)
        first.finish(into: &between)
        between.withUnsafeBytes { second.transform($0, into: &output) }
        second.finish(into: &output)
    }
}
