import EdgeCore
import Shared

/// Judges every operation of an apply, also those after one that fails: a failed operation leaves no trace in what
/// the next one finds.
struct ApplyRehearsal {
    private(set) var faults: [ApplyAnswer.Fault] = []
    private(set) var results: [ApplyAnswer.Result] = []
    private var made: ApplyStep.Made = [:]
    /// Names whose operation failed.
    private var unmade: [String: Int] = [:]
    /// Words of operations that failed, with the first that had each.
    private var blame: [String: Int] = [:]
    /// The latest operation on each object.
    private var writers: [String: Int] = [:]

    /// - Parameter line: what can be told of an operation that could not even be read.
    mutating func refuse(_ index: Int, _ line: (method: String, path: String), name: String?, _ error: any Error) {
        note(index, line, error, becauseOf: nil)
        if let name { unmade[name] = index }
    }

    mutating func judge(_ step: ApplyStep, _ draft: inout ConfigurationDraft) {
        let line = (step.method, String(step.path.prefix(1024)))
        if let need = step.needs.first(where: { unmade[$0] != nil }), let cause = unmade[need] {
            let fault = Fault(nil, "It needs '\(need)', which operation \(cause) would have made.", status: 424)
            note(step.index, line, fault, becauseOf: cause)
            fail(step)
            return
        }
        do {
            var made = made
            let answer = try draft.attempt { try step.run(&$0, &made).answer }
            self.made = made
            if let object = answer.object { writers[object] = step.index }
            results.append(.init(status: answer.status, body: nil))
        } catch {
            note(step.index, line, error, becauseOf: cause(of: error, step))
            fail(step)
        }
    }

    /// What is wrong with the whole rather than with one operation.
    mutating func note(_ error: any Error, object: String? = nil) {
        let body = ApplyRehearsal.body(error)
        faults.append(
            .init(
                operation: object.flatMap { writers[$0] }, object: object, status: body.statusCode,
                errorCode: body.errorCode, message: body.message))
    }

    private mutating func note(
        _ index: Int, _ line: (method: String, path: String), _ error: any Error, becauseOf cause: Int?
    ) {
        let body = ApplyRehearsal.body(error)
        faults.append(
            .init(
                operation: index, method: line.method, path: line.path, status: body.statusCode,
                errorCode: body.errorCode, message: body.message, becauseOf: cause))
        results.append(.init(status: 0, body: nil))
    }

    private mutating func fail(_ step: ApplyStep) {
        if let name = step.name { unmade[name] = step.index }
        for word in step.words where blame[word] == nil { blame[word] = step.index }
    }

    /// An operation that failed before, when this one's fault names what that one was about and this one was not.
    private func cause(of error: any Error, _ step: ApplyStep) -> Int? {
        guard !blame.isEmpty else { return nil }
        let separators: Set<Character> = [" ", "'", "\"", ",", ";", "(", ")"]
        for word in ApplyRehearsal.body(error).message.split(whereSeparator: { separators.contains($0) }) {
            let host = word.prefix { $0 != ":" }
            for candidate in [String(word), String(host)] where !step.isAbout(candidate) {
                if let cause = blame[candidate] ?? blame[String(candidate.drop { $0 == "." })] { return cause }
            }
        }
        return nil
    }

    static func body(_ error: any Error) -> APIErrorBody {
        switch error {
        case let error as APIErrorBody: error
        case let fault as EdgeCore.Fault: APIErrorBody(fault)
        default: APIErrorBody(errorCode: nil, statusCode: 500, message: "The server could not judge this operation.")
        }
    }
}
