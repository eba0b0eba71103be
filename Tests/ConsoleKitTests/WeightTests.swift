import Shared
import Testing

@testable import ConsoleKit

struct WeightTests {
    @Test func `C44 staged weights always sum to 100 percent, whatever is pressed`() throws {
        var dice = Dice(state: 2)
        for _ in 0..<300 {
            let count = Int.random(in: 1...6, using: &dice)
            let weights = (0..<count).map { (id: "b\($0)", weight: Int64.random(in: 0...10_000, using: &dice)) }
            var edit = try #require(WeightEdit(backendID: "w", weights: weights, revision: 1))
            for _ in 0..<60 {
                let index = Int.random(in: 0..<count, using: &dice)
                switch Int.random(in: 0..<6, using: &dice) {
                case 0: _ = edit.move(index, by: Int.random(in: -600...600, using: &dice))
                case 1: edit.set(index, to: Int.random(in: -5_000...15_000, using: &dice))
                case 2: edit.normalise()
                case 3: edit.toggleLock(index)
                case 4: edit.stage(["b0": Int64.random(in: -9...9, using: &dice), "b1": 3])
                default: _ = edit.move(index, by: 100)
                }
                #expect(edit.shares.reduce(0, +) == Percent.whole)
                #expect(edit.shares.allSatisfy { (0...Percent.whole).contains($0) })
            }
        }
    }

    @Test func `the others give way in proportion, and locked ones do not`() throws {
        var edit = try #require(
            WeightEdit(backendID: "w", weights: [("a", 60), ("b", 30), ("c", 10)], revision: 1))
        edit.set(2, to: 4_000)
        #expect(edit.shares == [4_000, 2_000, 4_000])
        edit.toggleLock(0)
        edit.set(2, to: 5_000)
        #expect(edit.shares == [4_000, 1_000, 5_000])
        edit.toggleLock(1)
        let result1 = edit.set(2, to: 6_000)
        #expect(!result1)
        edit.set(2, to: 5_000)
        #expect(edit.shares == [4_000, 1_000, 5_000])
    }

    @Test func `weights beyond all bounds do not overflow`() throws {
        let edit = try #require(WeightEdit(backendID: "w", weights: [("a", .max), ("b", .max)], revision: 1))
        #expect(edit.shares == [5_000, 5_000])
    }

    @Test func `three presses of a key are three steps, and nothing is sent before apply`() throws {
        var app = Sample.app()
        let effects = app.press("3", .down, .right, .right, .right)
        #expect(effects.requests.isEmpty)
        #expect(app.model.edits[Sample.weighted]?.shares == [8_100, 1_900])
    }

    @Test func `C44 apply is one request with the revision that was seen, a guard and this session`() throws {
        var app = Sample.app()
        let effects = app.press("3", .down, .right, "a", .enter)
        let request = try #require(effects.requests.first)
        #expect(request.method == "POST" && request.path == "/selvage/apply")
        let apply = try #require(request.body?.decoded(ApplyRequest.self))
        #expect(apply.operations.count == 1)
        #expect(apply.operations[0].ifMatch == "7")
        #expect(apply.operations[0].path == "/backends/weighted/\(Sample.weighted)")
        #expect(apply.operations[0].body?["backends"]?[Sample.v2]?.intValue == 1_700)
        #expect(apply.guard?.seconds == 30)
        #expect(apply.guard?.session == "ses_1")
        #expect(apply.command == "weight set shop.example/checkout checkout-v1=83 checkout-v2=17")
        #expect(apply.idempotencyID?.isEmpty == false)
    }

    @Test func `a step of 25 points or more is not applied before the name is typed`() {
        var app = Sample.app()
        app.press("3", .down)
        for _ in 0..<6 { app.press(.shiftRight) }
        let result2 = app.press("a", .enter)
        #expect(result2.requests.isEmpty)
        app.type("shop.example/checkout")
        let result3 = app.press(.enter)
        #expect(result3.requests.count == 1)
    }

    @Test func `a refused revision leads to base, theirs and mine, and rebasing keeps mine`() throws {
        var app = Sample.app()
        let sent = app.press("3", .down, .right, "a", .enter)
        let asked = app.answer(sent, status: 412, APIErrorBody(errorCode: nil, statusCode: 412, message: "revision 8"))
        #expect(asked.requests.map(\.path) == ["/selvage/configuration"])
        app.answer(
            asked, Sample.listing(revision: 41, weights: [Sample.v1: 7_000, Sample.v2: 3_000], weightsRevision: 8))
        let canvas = app.render(size: Size(columns: 80, rows: 24), glyphs: .unicode)
        let text = (0..<24).map(canvas.line).joined(separator: "\n")
        #expect(text.contains("BASE w/7") && text.contains("THEIRS w/8") && text.contains("70%"))
        try Golden.check(canvas, "conflict")
        let result4 = app.press("r")
        #expect(result4.requests.isEmpty)
        let edit = try #require(app.model.edits[Sample.weighted])
        #expect(edit.shares == [8_300, 1_700] && edit.revision == 8 && edit.baseShares == [7_000, 3_000])
        let again = try #require(app.press(.enter).requests.first?.body?.decoded(ApplyRequest.self))
        #expect(again.operations[0].ifMatch == "8")
    }

    @Test func `dropping mine after a conflict leaves nothing staged`() {
        var app = Sample.app()
        let sent = app.press("3", .down, .right, "a", .enter)
        let asked = app.answer(sent, status: 412, APIErrorBody(errorCode: nil, statusCode: 412, message: "revision 8"))
        app.answer(
            asked, Sample.listing(revision: 41, weights: [Sample.v1: 7_000, Sample.v2: 3_000], weightsRevision: 8))
        app.press("d")
        #expect(app.model.stagedCount == 0)
        #expect(app.overlays.isEmpty)
    }

    @Test func `a change of something else moves a staged edit to the new revision by itself`() {
        var app = Sample.app()
        app.press("3", .down, .right)
        let asked = app.receive(.line(.tick(Sample.tick(101, revision: 41))), now: 101)
        app.answer(asked, Sample.listing(revision: 41, weightsRevision: 9))
        #expect(app.model.edits[Sample.weighted]?.revision == 9)
        #expect(app.model.edits[Sample.weighted]?.shares == [8_300, 1_700])
    }

    @Test func `a lost answer is looked up and never sent again blindly`() {
        for isApplied in [true, false] {
            var app = Sample.app()
            let sent = app.press("3", .down, .right, "a", .enter)
            guard case .send(_, let tag)? = sent.last else { return #expect(Bool(false)) }
            let asked = app.receive(.unanswered(tag, reason: "the link broke"), now: 101)
            #expect(asked.requests.map(\.method) == ["GET"])
            let weights: [String: JSON] =
                isApplied ? [Sample.v1: 8_300, Sample.v2: 1_700] : [Sample.v1: 8_400, Sample.v2: 1_600]
            app.answer(asked, Sample.listing(revision: 41, weights: weights, weightsRevision: isApplied ? 8 : 7))
            #expect(app.model.stagedCount == (isApplied ? 0 : 1))
        }
    }

    @Test func `undo stages the weights from before the last change, by anyone`() {
        var app = Sample.app()
        let effects = app.press("3", "u")
        #expect(effects.requests.isEmpty)
        #expect(app.model.edits[Sample.weighted]?.shares == [9_000, 1_000])
    }

    @Test func `while a guard runs k keeps, u rolls back, e extends, and nothing can be staged`() {
        var app = Sample.app(guards: [Sample.guardStatus()])
        app.press("3")
        let result5 = app.press(.right)
        #expect(result5.requests.isEmpty)
        #expect(app.model.edits.isEmpty)
        let result6 = app.press("k")
        #expect(result6.requests.map(\.path) == ["/selvage/guards/grd_1/keep"])
        let result7 = app.press("u")
        #expect(result7.requests.map(\.path) == ["/selvage/guards/grd_1/rollback"])
        let extend = app.press("e").requests
        #expect(extend.map(\.path) == ["/selvage/guards/grd_1/extend"])
        #expect(extend.first?.body?["seconds"]?.doubleValue == 60)
    }

    @Test func `leaving is refused while edits are staged or my guard runs, until it is said again`() {
        var app = Sample.app()
        app.press("3", .down, .right)
        let result8 = app.press("q")
        #expect(!result8.contains(.quit))
        let result9 = app.press(.escape)
        #expect(!result9.contains(.quit))
        let result10 = app.press("q", "q")
        #expect(result10.contains(.quit))
        var guarded = Sample.app(guards: [Sample.guardStatus()])
        let result11 = guarded.press("q")
        #expect(!result11.contains(.quit))
        let result12 = guarded.press("Y")
        #expect(result12.contains(.quit))
        var bob = Sample.app(guards: [Sample.guardStatus(principal: "bob")])
        let result13 = bob.press("q")
        #expect(result13 == [.quit])
    }

    @Test(arguments: [("12", 1_200), ("12.5", 1_250), ("0", 0), ("100%", 10_000)])
    func `percentages are read to the hundredth`(text: String, units: Int) { #expect(Percent.units(text) == units) }

    @Test(arguments: ["", "-1", "101", "1e1", "nan", "%", "1.2.3"])
    func `what is no percentage is refused`(text: String) { #expect(Percent.units(text) == nil) }
}
