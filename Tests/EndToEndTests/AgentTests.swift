import EdgeTesting
import Foundation
import Shared
import Testing

extension EndToEnd {
    /// The unmodified SDK that agents are written with, and agents by hand that break its protocol. What each program of
    /// `scripts/e2e` proves, part by part, is said there; its figures are printed.
    @Suite(.enabled(if: EndToEnd.hasAgentPython)) struct AgentTests {
        @Test func `C27 C28 C70 C73 C78 C79 the SDK's listeners serve with their options, or are refused with a code`()
            async throws
        {
            try await run("agent_listeners.py")
            try await run("agent_hostile.py", "addresses")
        }

        @Test func `C09 C21 C23 C31 C32 C33 agents share the load evenly, and come and go without a failed request`()
            async throws
        {
            try await run("agent_load.py")
        }

        @Test func `an agent that lost its server is back at once as who it was, and does what operators ask`()
            async throws
        {
            try await run("agent_life.py")
        }

        @Test func `an agent that means harm harms itself only`() async throws {
            try await run(
                "agent_hostile.py", "violations", "lies", "half_open", "never_reads", "slow_visitors", "storm",
                "stolen_token")
        }

        /// Runs parts of a program, or all of them, on a server of their own.
        private func run(_ program: String, _ parts: String...) async throws {
            let ended = try await EndToEnd.onThread {
                let server = try ServerProcess()
                guard let process = server.process else { throw EndToEndFailure("no process") }
                let place: JSON = [
                    "socket": .string(server.socket), "https": .int(Int64(server.httpsPort)),
                    "http": .int(Int64(server.httpPort)), "cleartext": .int(Int64(server.cleartextPort)),
                    "agents": .int(Int64(server.agentPort)), "domain": "agents.e2e.localhost",
                    "pid": .int(Int64(process.pid)), "server": .string(EndToEnd.binaries + "/selvage-server"),
                    "folder": .string(server.folder.path),
                ]
                let script = EndToEnd.repository + "/scripts/e2e/" + program
                return try Command.run([EndToEnd.agentPython, script, place.text] + parts, seconds: 300)
            }
            print(ended.output)
            #expect(ended.status == 0, "\(ended.errors.suffix(4000))")
        }
    }
}
