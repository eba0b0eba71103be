/// This agent, as it names itself to people and servers.
public enum AgentVersion {
    public static let name = "selvage-agent"
    public static let current = "0.1.0"
}
