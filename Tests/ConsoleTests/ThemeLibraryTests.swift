import Foundation
import Testing

@testable import Console

@Suite struct `Where themes are found` {
    private let root = NSTemporaryDirectory() + "selvage-themes-\(UUID().uuidString.prefix(8))"

    private func write(_ text: String, _ path: String) throws {
        let url = URL(fileURLWithPath: "\(root)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
    }

    @Test func `the repository's folder is found above the program, and one's own goes first`() throws {
        try write("", "repo/themes/\(ThemeLibrary.descriptions)")
        try write("theirs", "repo/themes/harbour.toml")
        try write("only theirs", "repo/themes/daylight.toml")
        try write("mine", "own/harbour.toml")
        try write("not ours", "repo/.build/themes/harbour.toml")
        let library = ThemeLibrary(
            environment: ["SELVAGE_THEMES": "\(root)/own"], executable: "\(root)/repo/.build/debug/selvage")
        #expect(library.text(of: "harbour") == "mine")
        #expect(library.text(of: "daylight") == "only theirs")
        #expect(library.names == ["daylight", "harbour"])
        #expect(library.descriptionSource == "\(root)/repo/themes/\(ThemeLibrary.descriptions)")
        try FileManager.default.removeItem(atPath: root)
    }

    @Test(arguments: ["../secret", "/etc/passwd", ".hidden", "", "a/b", "no-such-theme"])
    func `a name leads to no file outside`(name: String) throws {
        try write("", "repo/themes/\(ThemeLibrary.descriptions)")
        try write("secret", "repo/secret.toml")
        try write("hidden", "repo/themes/.hidden.toml")
        let library = ThemeLibrary(environment: [:], executable: "\(root)/repo/bin/selvage")
        #expect(library.text(of: name) == nil)
        #expect(throws: TerminalFault.self) { try library.theme(named: name) }
        try FileManager.default.removeItem(atPath: root)
    }
}
