import Foundation
import Shared
import Synchronization
import Testing

@testable import EdgeControl

struct EventLogTests {
    private func log() -> EventLog { EventLog(wall: { Date(timeIntervalSince1970: 1_763_687_805.5) }) }

    @Test func `events are numbered, timed and given back oldest first`() {
        let log = log()
        log.record(.info, kind: "one", object: "x", text: "first")
        log.record(.crit, kind: "two", text: "second")
        #expect(
            log.recent(10) == [
                EventRecord(
                    id: 1, at: "2025-11-21T01:16:45.500Z", severity: .info, kind: "one", object: "x", text: "first"),
                EventRecord(
                    id: 2, at: "2025-11-21T01:16:45.500Z", severity: .crit, kind: "two", object: "", text: "second"),
            ])
        #expect(log.recent(1).map(\.id) == [2])
        #expect(log.recent(0).isEmpty)
    }

    @Test func `only the last thousand are kept`() {
        let log = log()
        for number in 1...1_234 { log.record(.info, kind: "k", text: "\(number)") }
        let kept = log.recent(5_000)
        #expect(kept.map(\.id) == Array(235...1_234))
    }

    @Test func `a listener hears every event until it leaves`() {
        let log = log()
        let heard = Mutex<[UInt64]>([])
        let number = log.subscribe { event in heard.withLock { $0.append(event.id) } }
        log.record(.info, kind: "k", text: "a")
        log.record(.info, kind: "k", text: "b")
        log.unsubscribe(number)
        log.record(.info, kind: "k", text: "c")
        #expect(heard.withLock { $0 } == [1, 2])
    }

    @Test(arguments: [
        ("plain text", "plain text"),
        ("\u{1B}[31mred\u{7}", "[31mred"),
        ("two\r\nlines\tand a tab", "two lines and a tab"),
        ("right\u{202E}to left", "right to left"),
        ("\u{9B}2J", "2J"),
        ("Zürich 東京", "Zürich 東京"),
        ("\n\n", ""),
    ])
    func `text for operators carries nothing that a terminal would obey`(text: String, shown: String) {
        #expect(DisplayText.clean(text) == shown)
        #expect(log().record(.info, kind: text, object: text, text: text).text == shown)
    }

    @Test func `long text is cut at 500 characters`() {
        #expect(DisplayText.clean(String(repeating: "é", count: 500)).count == 500)
        let cut = DisplayText.clean(String(repeating: "x", count: 100_000))
        #expect(cut.count == 500)
        #expect(cut.hasSuffix("x…"))
        // One character of very many scalars is no way around the limit.
        #expect(DisplayText.clean("e" + String(repeating: "\u{301}", count: 100_000)).unicodeScalars.count <= 2_000)
    }
}
