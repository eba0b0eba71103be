import Glibc

/// The locale that curses counts columns with.
enum CharacterLocale {
    /// Chooses the process's character set: the environment's, or C.UTF-8 where the environment asks for UTF-8 in a
    /// locale that is not installed here, or asks for nothing (`ssh` often forwards no LANG).
    /// - Returns: whether text is UTF-8 now.
    static func choose(environment: [String: String]) -> Bool {
        if setlocale(LC_CTYPE, "") != nil, isUTF8 { return true }
        let wish = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        if let wish {
            let name = wish.lowercased()
            guard name.hasSuffix("utf-8") || name.hasSuffix("utf8") else { return false }
        }
        for name in ["C.UTF-8", "C.utf8", "en_US.UTF-8"] where setlocale(LC_CTYPE, name) != nil && isUTF8 {
            return true
        }
        return false
    }

    private static var isUTF8: Bool {
        guard let name = nl_langinfo(nl_item(CODESET)) else { return false }
        return String(cString: name) == "UTF-8"
    }
}
