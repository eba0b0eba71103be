// swift-tools-version: 6.2
import PackageDescription

// House rules for every room: see docs/architecture.md, "Rooms".
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// Dynamic exclusivity checks cost more than the code they guard: filling a head and running a breaker's chain took
// 410 ns with them and 148 ns without. Debug builds, and with them the tests, keep them.
let hotSettings = settings + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
    name: "selvage",
    products: [
        .executable(name: "selvage-server", targets: ["EdgeServer"]),
        .executable(name: "selvage", targets: ["Console"]),
        .executable(name: "selvage-demo", targets: ["Demo"]),
        .executable(name: "selvage-agent", targets: ["Agent"]),
        .executable(name: "selvage-agent-example", targets: ["EchoAgent"]),
        .library(name: "SelvageAgent", targets: ["SelvageAgent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CNcurses", providers: [.apt(["libncurses-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CExpat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "CYaml", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CVterm", providers: [.apt(["libvterm-dev"])]),
        // Signal handling and memory files for the console: the one C source, because it runs after a crash.
        .target(name: "CTerminal"),

        // Rooms, from the ground up.
        .target(name: "Shared", swiftSettings: settings),
        .target(name: "EdgeTunnel", dependencies: ["Shared"], swiftSettings: hotSettings),
        .target(
            name: "EdgeCore",
            dependencies: ["Shared", .product(name: "HashTreeCollections", package: "swift-collections")],
            swiftSettings: hotSettings
        ),
        .target(
            name: "EdgeModules",
            dependencies: [
                "EdgeCore", "Shared", "CExpat", "CYaml", "CZlib", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: hotSettings
        ),
        .target(
            name: "EdgeTransport",
            dependencies: ["EdgeCore", "EdgeTunnel", "Shared", "CLinux", "CNghttp2", "COpenSSL"],
            swiftSettings: hotSettings
        ),
        .target(
            name: "EdgeControl",
            dependencies: [
                "EdgeCore", "EdgeTunnel", "Shared",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "_CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .target(name: "ConsoleKit", dependencies: ["Shared"], swiftSettings: settings),
        .target(
            name: "SelvageAgent", dependencies: ["EdgeCore", "EdgeTransport", "EdgeTunnel", "Shared"],
            swiftSettings: settings
        ),

        // Programs.
        .executableTarget(
            name: "EdgeServer",
            dependencies: [
                "EdgeControl", "EdgeCore", "EdgeModules", "EdgeTransport", "Shared",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Console",
            dependencies: ["ConsoleKit", "CNcurses", "CTerminal", "Shared"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Demo",
            dependencies: ["ConsoleKit", "COpenSSL", "Shared"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Agent",
            dependencies: [
                "CLinux", "CTerminal", "SelvageAgent", "Shared",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        // Documentation that is built: what a program with the agent in it looks like.
        .executableTarget(name: "EchoAgent", dependencies: ["SelvageAgent"], swiftSettings: settings),

        // Tests.
        .target(name: "CAllocations"),
        .target(
            name: "EdgeTesting",
            dependencies: [
                "CLinux", "COpenSSL", "EdgeCore", "EdgeModules", "EdgeTransport", "EdgeTunnel", "Shared",
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "SharedTests", dependencies: ["Shared"], swiftSettings: settings),
        .testTarget(name: "EdgeTunnelTests", dependencies: ["EdgeTunnel", "Shared"], swiftSettings: settings),
        .testTarget(name: "EdgeCoreTests", dependencies: ["EdgeCore", "Shared"], swiftSettings: settings),
        .testTarget(
            name: "EdgeModulesTests",
            dependencies: [
                "EdgeCore", "EdgeModules", "Shared", "CZlib", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EdgeTransportTests",
            dependencies: [
                "CAllocations", "COpenSSL", "EdgeCore", "EdgeModules", "EdgeTesting", "EdgeTransport", "EdgeTunnel",
                "Shared",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EdgeControlTests",
            dependencies: [
                "EdgeControl", "EdgeCore", "EdgeModules", "EdgeTesting", "EdgeTunnel", "Shared",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "ConsoleKitTests", dependencies: ["ConsoleKit", "Shared"], swiftSettings: settings),
        .testTarget(
            name: "ConsoleTests",
            dependencies: ["CLinux", "Console", "ConsoleKit", "Shared", "CVterm"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SelvageAgentTests",
            dependencies: [
                "Agent", "CVterm", "EchoAgent", "EdgeCore", "EdgeTesting", "EdgeTransport", "EdgeTunnel",
                "SelvageAgent", "Shared",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["CLinux", "ConsoleKit", "EdgeTesting", "Shared"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
