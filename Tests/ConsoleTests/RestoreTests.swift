import CVterm
import Foundation
import Testing

@testable import Console

/// Whatever ends the program, the terminal is as it was.
@Suite(.serialized, .offThePool) struct `The terminal afterwards` {
    @Test(arguments: [SIGTERM, SIGHUP, SIGINT]) func `is restored when a signal asks the program to end`(
        signal: Int32
    ) throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        #expect(run.terminal.modes != run.modesBefore, "it was taken over")
        kill(run.process, signal)
        #expect(try run.exitCode() == 128 + signal, "the parent sees the true cause")
        run.expectRestored()
    }

    @Test(arguments: [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT])
    func `is restored when the program crashes`(signal: Int32) throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        kill(run.process, signal)
        #expect(try run.exitCode() == 128 + signal)
        run.expectRestored()
    }

    @Test func `shows why after a trap`() throws {
        let run = try ConsoleRun(environment: ["SELVAGE_TEST_CRASH": "trap"])
        #expect([128 + SIGILL, 128 + SIGTRAP].contains(try run.exitCode()))
        run.expectRestored()
        let leaving = try #require(
            String(decoding: run.terminal.transcript, as: UTF8.self)
                .components(separatedBy: "\u{1B}[?1049l").last)
        #expect(leaving.contains("Fatal error"), "the message follows the restored screen")
    }

    @Test func `need not take its last bytes for the program to end`() throws {
        let run = try ConsoleRun(columns: 200, rows: 60, temper: .slow(bytesPerSecond: 0))
        try run.wait("the terminal to be taken over") { run.terminal.modes != run.modesBefore }
        run.drive(seconds: 1)
        kill(run.process, SIGTERM)
        #expect(try run.exitCode() == 128 + SIGTERM)
        #expect(run.terminal.modes == run.modesBefore)
    }

    @Test func `may be gone altogether`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        run.terminal.hangUp()
        #expect(try run.exitCode() == 128 + SIGHUP)
    }

    @Test func `goes back to the shell with ^Z and comes again with fg`() throws {
        let run = try ConsoleRun(
            environment: ["PS1": "ready> "], command: ["/bin/bash", "--norc", "--noprofile", "-i"])
        try run.wait(for: "ready>")
        run.terminal.type("\(try ConsoleRun.program()) --socket \(run.server.path)\r")
        try run.wait(for: "pop-7")
        run.terminal.type("\u{1A}")
        try run.wait(for: "Stopped")
        #expect(!run.terminal.isOnAlternateScreen)
        run.terminal.type("echo still $((40+2))\r")
        try run.wait(for: "still 42")
        run.terminal.type("fg\r")
        try run.wait("the screen again") { run.terminal.isOnAlternateScreen && run.terminal.text.contains("pop-7") }
        run.terminal.type("q")
        // Not only the screen: what is typed before the shell reads is thrown away with the terminal's answers.
        try run.wait("the shell's prompt") {
            !run.terminal.isOnAlternateScreen && run.terminal.lines.last { !$0.isEmpty } == "ready>"
        }
        run.terminal.type("exit\r")
        #expect(try run.exitCode() == 0)
    }

    @Test func `is kept where no shell could resume the program`() throws {
        // The program leads its session: the kernel discards the stop, and the screen must come back.
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        run.terminal.type("\u{1A}")
        try run.wait("the screen again") { run.terminal.isOnAlternateScreen && run.terminal.text.contains("pop-7") }
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
        run.expectRestored()
    }

    @Test func `is taken over again after a stop from outside`() throws {
        let run = try ConsoleRun()
        try run.wait(for: "pop-7")
        kill(run.process, SIGSTOP)
        var modes = termios()
        tcgetattr(run.terminal.line, &modes)
        modes.c_lflag |= UInt32(ICANON | ECHO)
        tcsetattr(run.terminal.line, TCSANOW, &modes)
        let painted = run.terminal.bytesReceived
        kill(run.process, SIGCONT)
        try run.wait("a whole frame") { run.terminal.bytesReceived > painted + 500 }
        run.terminal.type("q")
        #expect(try run.exitCode() == 0)
        run.expectRestored()
    }
}
