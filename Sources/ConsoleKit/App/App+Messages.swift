import Foundation
import Shared

extension App {
    mutating func receive(_ message: Message) -> [Effect] {
        switch message {
        case .streamBytes(let bytes):
            // Lines of a type that this console does not know are skipped: newer servers have more.
            guard let line = try? JSONDecoder().decode(StreamLine.self, from: Data(bytes)) else { return [] }
            return receive(line)
        case .line(let line): return receive(line)
        case .linkLost(let reason): return linkLost(reason)
        case .answer(let tag, let status, _, let body): return answer(tag, status, body)
        case .unanswered(let tag, let reason): return unanswered(tag, reason)
        case .terminalDelay(let delay): model.terminalDelay = delay
        case .themeFault(let text): model.say(text, .crit)
        }
        return []
    }

    private mutating func receive(_ line: StreamLine) -> [Effect] {
        switch line {
        case .hello(let hello):
            let wasLost = model.link != .live && model.hello != nil
            model.hello = hello
            model.link = .live
            retryDelay = 1
            retryAt = nil
            model.history.begin(hello.history)
            model.journal.begin(hello)
            if wasLost { model.say("the link is back", .ok) }
            // One that is under way is new enough: a later revision shows in the next tick.
            let isBehind = hello.revision != model.inventory.revision || unsettled != nil
            return isBehind && !isListingUnderWay ? requestListing() : []
        case .tick(let tick):
            model.tick = tick
            model.tickAt = model.now
            model.history.append(tick)
            return tick.revision != model.inventory.revision && !isListingUnderWay ? requestListing() : []
        case .event(let record):
            model.journal.add(record)
            guard record.kind.hasPrefix("guard."), record.severity != .info else { return [] }
            model.say(record.text, record.severity == .crit ? .crit : .warn)
            return [.bell]
        case .audit(let record):
            model.journal.add(record)
            return record.revision > model.inventory.revision ? requestListing() : []
        }
    }

    private mutating func linkLost(_ reason: String) -> [Effect] {
        if case .lost = model.link {} else { model.link = .lost(since: model.now, reason: reason) }
        if retryAt == nil {
            retryAt = model.now + retryDelay
            retryDelay = min(retryDelay * 2, 10)
        }
        return []
    }

    // MARK: Answers

    private mutating func answer(_ tag: RequestTag, _ status: Int, _ body: [UInt8]) -> [Effect] {
        switch pending.removeValue(forKey: tag) {
        case .listing: return listing(status, body)
        case .plan(var run, let overlay):
            switch run.receive(status: status, body: body) {
            case .send(let request): return send(request, .plan(run, returning: overlay))
            case .done:
                model.say(run.success, .ok)
                return requestListing()
            case .refused(let fault):
                refused(run, fault, overlay)
                return [.bell] + requestListing()
            }
        case .weights(let target, let edit): return weightsAnswered(target, edit, status, body)
        case nil: return []
        }
    }

    private mutating func listing(_ status: Int, _ body: [UInt8]) -> [Effect] {
        guard status == 200, let listing = try? JSONDecoder().decode(ConfigurationListing.self, from: Data(body)) else {
            model.say("the configuration could not be read: \(status)", .crit)
            return []
        }
        model.inventory = Inventory(listing)
        model.hasListing = true
        settleEdits()
        return wantsListing ? requestListing() : []
    }

    private mutating func refused(_ run: PlanRun, _ fault: APIErrorBody, _ overlay: (any Overlay)?) {
        let text =
            fault.statusCode == 412
            ? "not applied: somebody changed it meanwhile; look again, then repeat" : "\(run.label): \(fault.sentence)"
        guard var overlay, fault.statusCode != 412 else {
            model.say(text, .crit, for: 20)
            return
        }
        overlay.fault = text
        overlays.append(overlay)
        model.notice = nil
    }

    private mutating func weightsAnswered(
        _ target: WeightPlanner.Target, _ edit: WeightEdit, _ status: Int, _ body: [UInt8]
    ) -> [Effect] {
        let answer = (try? JSON(parsing: body)) ?? .null
        switch status {
        case 200..<300:
            model.edits[target.backendID] = nil
            unsettled = nil
            let hold = answer.decoded(ApplyAnswer.self)?.guard
            model.say(hold.map { "applied; guarded for \(Int($0.remaining)) s: k keeps" } ?? "applied", .ok)
            return requestListing()
        case 412:
            unsettled = (target, edit, true)
            model.say("somebody was faster; nothing was changed", .warn)
            return [.bell] + requestListing()
        default:
            model.say("not applied: \(APIErrorBody(status: status, answer: answer).sentence)", .crit, for: 20)
            return [.bell]
        }
    }

    /// Compares edits with what is in force now.
    private mutating func settleEdits() {
        for (id, edit) in model.edits {
            guard let object = model.inventory[id] else {
                model.edits[id] = nil
                continue
            }
            var moved = edit
            // Somebody changed something else about it: nothing of the edit is touched by that.
            let present = model.inventory.shares(object)
            let isUntouched = weights(present.map { ($0.id, $0.weight) }) == weights(zip(edit.children, edit.base))
            if object.revision != edit.revision, isUntouched, moved.rebase(on: present, revision: object.revision) {
                model.edits[id] = moved
            } else if !edit.isChanged && object.revision != edit.revision {
                model.edits[id] = nil
            }
        }
        guard let (target, edit, refused) = unsettled else { return }
        unsettled = nil
        guard let object = model.inventory[target.backendID] else { return }
        let theirs = model.inventory.shares(object)
        if !refused {
            if weights(theirs.map { ($0.id, $0.weight) }) == edit.weights {
                model.edits[target.backendID] = nil
                model.say("the answer was lost, but the change is in force", .ok)
            } else {
                model.say("the answer was lost and the change is not in force: it is still staged", .warn, for: 20)
            }
            return
        }
        if weights(theirs.map { ($0.id, $0.weight) }) == weights(zip(edit.children, edit.base)) {
            model.say(
                "something else of \(target.name) had changed: yours is staged on the new revision, a applies", .warn)
            return
        }
        let who = model.journal.lastChange(of: target.backendID)?.record.principal ?? object.changedBy
        overlays.append(
            ConflictBox(target: target, mine: edit, theirs: theirs, revision: object.revision, who: who))
    }

    private func weights(_ shares: some Sequence<(String, Int64)>) -> [String: Int64] {
        Dictionary(Array(shares), uniquingKeysWith: { first, _ in first })
    }

    private mutating func unanswered(_ tag: RequestTag, _ reason: String) -> [Effect] {
        let isUnsent = reason.hasPrefix(Message.unsent)
        switch pending.removeValue(forKey: tag) {
        case .listing: return []
        case .plan(let run, let overlay) where isUnsent && run.answers.isEmpty:
            // Nothing has happened, and what was typed is not lost.
            let text = "nothing was changed: \(reason)"
            guard var overlay else {
                model.say(text, .crit, for: 20)
                return [.bell]
            }
            overlay.fault = text
            overlays.append(overlay)
            model.notice = nil
            return [.bell]
        case .plan(let run, _):
            model.say("\(run.label): no answer (\(reason)); whether it took effect is being looked up", .warn, for: 20)
            return requestListing()
        case .weights where isUnsent:
            model.say("nothing was changed, it is still staged: \(reason)", .crit, for: 20)
            return [.bell]
        case .weights(let target, let edit):
            // Never sent again blindly: first see what is in force.
            unsettled = (target, edit, false)
            model.say("no answer (\(reason)): state unknown, looking it up", .warn, for: 20)
            return requestListing()
        case nil: return []
        }
    }
}
