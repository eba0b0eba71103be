/// A command of the grammar: `verb noun [name] [key=value…]`.
struct Command: Hashable, Sendable {
    var verb: VerbID
    var names: [String]
    var values: [(key: String, value: String)]

    init(_ verb: VerbID, _ names: [String] = [], values: [(key: String, value: String)] = []) {
        self.verb = verb
        self.names = names
        self.values = values
    }

    static func == (one: Command, other: Command) -> Bool { one.text == other.text }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    subscript(key: String) -> String? { values.last { $0.key == key }?.value }

    /// The command as it is typed, quoted where a shell needs it.
    var text: String {
        ([VerbTable[verb].name] + names.map(Command.quoted) + values.map { Command.quoted("\($0.key)=\($0.value)") })
            .joined(separator: " ")
    }

    static func quoted(_ word: String) -> String {
        let plain = word.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "-_./:=,%@*".unicodeScalars.contains(scalar)
        }
        return plain && !word.isEmpty
            ? word
            : "'"
                + word.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
    }

    /// Cuts a line into words; `'…'` and `"…"` keep spaces.
    static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var inWord = false
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\" && quote != "'" {
                isEscaped = true
                inWord = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                inWord = true
            } else if character == " " {
                if inWord { words.append(word) }
                word = ""
                inWord = false
            } else {
                word.append(character)
                inWord = true
            }
        }
        if inWord { words.append(word) }
        return words
    }

    /// - Throws: `CommandFault` of code `.usage`.
    static func parse(_ words: [String], on surface: Verb.Surfaces) throws(CommandFault) -> Command {
        let verbs = VerbTable.verbs.filter { !$0.surfaces.isDisjoint(with: surface) }
        let matches = verbs.filter { verb in
            let name = verb.name.split(separator: " ").map(String.init)
            return words.count >= name.count && Array(words[..<name.count]) == name
        }
        guard let verb = matches.max(by: { $0.name.utf8.count < $1.name.utf8.count }) else {
            throw CommandFault(.usage, "no command: \(words.prefix(2).joined(separator: " "))")
        }
        var command = Command(verb.id)
        for word in words.dropFirst(verb.name.split(separator: " ").count) {
            // A path holds no `=` before its value, so the first one divides.
            if let equals = word.firstIndex(of: "="), equals != word.startIndex, !word.hasPrefix("/") {
                command.values.append((String(word[..<equals]), String(word[word.index(after: equals)...])))
            } else {
                command.names.append(word)
            }
        }
        return command
    }
}
