import ConsoleKit
import Glibc

/// Where files that come with the console lie: theme files, and the terminal descriptions for 24-bit colour.
struct ThemeLibrary {
    /// Folders in which files are sought, best first.
    let folders: [String]
    /// Longest theme file that is read, in bytes.
    static let longestFile = 262_144

    /// - Parameters:
    ///   - environment: `SELVAGE_THEMES` names a folder that goes before all others.
    ///   - executable: the program's own path. In a build its repository's `themes` folder is found above it.
    init(environment: [String: String], executable: String) {
        var folders: [String] = []
        if let own = environment["SELVAGE_THEMES"], !own.isEmpty { folders.append(own) }
        var parts = executable.split(separator: "/").dropLast()
        while !parts.isEmpty {
            folders.append("/" + parts.joined(separator: "/") + "/themes")
            parts = parts.dropLast()
        }
        folders.append("/usr/share/selvage/themes")
        // A folder of the name `themes` further up need not be ours: ours holds the terminal descriptions.
        self.folders = folders.filter { folder in
            folder == environment["SELVAGE_THEMES"] || access("\(folder)/\(Self.descriptions)", R_OK) == 0
        }
    }

    static let descriptions = "selvage-truecolor.ti"

    /// The path of the terminal descriptions' source, when they came along.
    var descriptionSource: String? {
        folders.lazy.map { "\($0)/\(Self.descriptions)" }.first { access($0, R_OK) == 0 }
    }

    /// The text of a theme's file; `nil` when there is none of this name.
    func text(of name: String) -> String? {
        // Names come from the command line and from keys: no way out of the folder.
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 != 0 }), name.first != "." else {
            return nil
        }
        return folders.lazy.compactMap { Self.contents(of: "\($0)/\(name).toml") }.first
    }

    /// The names of all themes, sorted.
    var names: [String] {
        var result: Set<String> = []
        for folder in folders {
            guard let directory = opendir(folder) else { continue }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name.hasSuffix(".toml"), !name.hasPrefix(".") { result.insert(String(name.dropLast(5))) }
            }
        }
        return result.sorted()
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < longestFile {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ThemeLibrary {
    /// - Throws: `ThemeFaults` with every mistake of the file, `TerminalFault` when there is none of this name.
    func theme(named name: String) throws -> Theme {
        if let text = text(of: name) { return try Theme(name: name, toml: text) }
        if name == Theme.plain.name { return .plain }
        throw TerminalFault(message: "there is no theme of this name")
    }
}
