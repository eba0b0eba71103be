import Shared
import Testing

@testable import ConsoleKit

struct VerbTests {
    @Test func `no key means two things in one place`() {
        let stacks: [[KeyScope]] = [
            [.overview, .rows, .letters, .everywhere], [.edges, .rows, .letters, .everywhere],
            [.edge, .rows, .letters, .everywhere], [.weights, .rows, .letters, .everywhere],
            [.guarded, .rows, .everywhere], [.breakers, .rows, .letters, .everywhere],
            [.tunnels, .rows, .everywhere], [.events, .rows, .letters, .everywhere],
        ]
        for stack in stacks {
            var seen: [Key: String] = [:]
            for verb in VerbTable.verbs where stack.contains(verb.scope) {
                for key in verb.keys {
                    #expect(seen[key] == nil, "\(key) is \(verb.name) and \(seen[key] ?? "") in \(stack[0])")
                    seen[key] = verb.name
                }
            }
        }
    }

    @Test func `every screen uses a stack of scopes that was checked`() {
        let app = Sample.app()
        for (id, screen) in ScreenList.make() {
            let shared: [KeyScope] = id == .tunnels ? [.rows, .everywhere] : [.rows, .letters, .everywhere]
            #expect(Array(screen.scopes(app.model).dropFirst()) == shared)
        }
    }

    @Test func `every verb is in the table once, and changes nothing without a role`() {
        let ids = VerbTable.verbs.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(Set(VerbID.allCases).subtracting(ids).subtracting([.once]).isEmpty)
        for verb in VerbTable.verbs where verb.danger > .view { #expect(verb.role >= .operator) }
        for verb in VerbTable.verbs { #expect(!verb.help.isEmpty && !verb.name.isEmpty) }
    }

    @Test func `no key both asks for something dangerous and confirms it`() {
        for verb in VerbTable.verbs where verb.danger >= .disruptive {
            #expect(!verb.keys.contains("Y") && !verb.keys.contains(.enter))
        }
    }

    @Test func `random keys never trap, and nothing is ever sent in read-only`() {
        var dice = Dice(state: 3)
        let letters = Array("abcdefghijklmnopqrstuvwxyzCDGLMTWY0123456789:/?=+-[] éx").map { Key.character($0) }
        let others: [Key] = [
            .enter, .escape, .tab, .backTab, .backspace, .delete, .up, .down, .left, .right, .shiftLeft, .shiftRight,
            .pageUp, .pageDown, .home, .end, .ctrl("p"), .ctrl("l"), .ctrl("w"), .ctrl("u"), .function(5), .resize,
            .paste("shop.example\u{1B}[2J"), .shiftUp, .shiftDown, .enter, .enter,
        ]
        for round in 0..<24 {
            let isReadOnly = round % 2 == 0
            var app = Sample.app(
                role: round % 4 == 0 ? .viewer : .operator, readOnly: isReadOnly && round % 4 != 0,
                guards: round % 3 == 0 ? [Sample.guardStatus()] : [])
            for step in 0..<400 {
                let key =
                    Bool.random(using: &dice) ? letters.randomElement(using: &dice) : others.randomElement(using: &dice)
                let effects = app.handle(key ?? .enter, now: 100 + Double(step) / 10)
                if isReadOnly { #expect(effects.filter(\.isWrite).isEmpty) }
                if step % 20 == 0 {
                    let size = Size(
                        columns: Int.random(in: 1...220, using: &dice), rows: Int.random(in: 1...70, using: &dice))
                    _ = app.render(size: size, glyphs: round % 5 == 0 ? .ascii : .unicode)
                    _ = app.receive(.line(.tick(Sample.tick(UInt64(200 + step)))), now: 100 + Double(step) / 10)
                }
            }
        }
    }

    @Test func `a viewer is told why a key does nothing`() {
        var app = Sample.app(role: .viewer)
        app.press("4", "o")
        let canvas = app.render(size: Size(columns: 120, rows: 24), glyphs: .unicode)
        #expect(canvas.line(22).contains("viewer role"))
        #expect(canvas.line(0).contains("READ-ONLY"))
        #expect(app.overlays.isEmpty)
    }

    @Test func `forcing a breaker asks for Y, which neither Enter nor the key itself is`() {
        for (key, path) in [("o", "open"), ("c", "close"), ("r", "reset")] as [(Key, String)] {
            var app = Sample.app()
            let result1 = app.press("4", key, key, .enter)
            #expect(result1.requests.isEmpty)
            let effects = app.press("4", key, "Y")
            #expect(effects.requests.map(\.path) == ["/selvage/breakers/\(Sample.api)/\(path)"])
            #expect(effects.requests.first?.command == "breaker \(path) shop.example/v1")
        }
    }

    @Test func `a box that comes back says why the server refused`() {
        var app = Sample.app()
        let effects = app.press("4", "o", "Y")
        app.answer(effects, status: 404, APIErrorBody(errorCode: "ERR_NGROK_1", statusCode: 404, message: "no breaker"))
        let canvas = app.render(size: Size(columns: 120, rows: 24), glyphs: .unicode)
        #expect((0..<24).contains { canvas.line($0).contains("no breaker (ERR_NGROK_1)") })
    }

    @Test func `deleting an edge takes its name`() throws {
        var app = Sample.app()
        app.press("2", .down, "D")
        let result2 = app.press(.enter, "Y", .enter)
        #expect(result2.requests.isEmpty)
        app.press(.backspace)
        app.type("shop.example")
        let request = try #require(app.press(.enter).requests.first?.body?.decoded(ApplyRequest.self))
        #expect(request.operations[0].method == "DELETE")
        #expect(request.operations[0].path == "/edges/https/\(Sample.edge)")
    }

    @Test func `the palette finds a command by its letters, completes names and runs it`() {
        var app = Sample.app()
        app.press(":")
        app.type("brkrop")
        app.press(.tab)
        app.type("v1")
        app.press(.tab, .enter)
        let result3 = app.press("Y")
        #expect(result3.requests.map(\.path) == ["/selvage/breakers/\(Sample.api)/open"])
    }

    @Test func `y copies the selection as a command of the shell`() {
        var app = Sample.app()
        #expect(
            app.press("3", .down, .right, "y").contains(
                .copy("selvage weight set shop.example/checkout checkout-v1=83 checkout-v2=17")))
    }

    @Test func `a filter takes words, negation, fuzzy and columns`() {
        let cells = [(title: "host", text: "shop.example"), (title: "kind", text: "https")]
        #expect(RowFilter("shop").matches(cells))
        #expect(!RowFilter("!shop").matches(cells))
        #expect(RowFilter("~shpex kind:https").matches(cells))
        #expect(!RowFilter("kind:tls").matches(cells))
    }
}
