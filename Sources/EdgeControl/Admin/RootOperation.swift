import EdgeCore
import Shared

/// `GET /`: where the lists of the public API are.
enum RootOperation {
    private static let answer = Shape(
        "RootResponse", [Shape.Field("uri", .text), Shape.Field("subresource_uris", .map(.text))])

    /// - Parameter operations: all others.
    static func make(of operations: [Operation]) -> Operation {
        let paths = operations.filter {
            $0.method == "GET" && !$0.path.contains("{") && !$0.path.hasPrefix("/selvage/")
        }.map(\.path)
        return Operation("GET", "/", role: .viewer, .read("Says where the lists are.", gives: answer)) { call in
            let uris = paths.map { path in
                (path.dropFirst().split(separator: "/").joined(separator: "_"), JSON.string(call.baseURL + path))
            }
            return .json([
                "uri": .string(call.baseURL + "/"),
                "subresource_uris": .object(Dictionary(uris, uniquingKeysWith: { first, _ in first })),
            ])
        }
    }
}
