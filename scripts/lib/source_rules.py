#!/usr/bin/env python3
"""Rules on source files that the compiler and the formatter do not know: names, sizes, forced operations.

Usage: source_rules.py ROOT. Prints what is above the signal, fails on what is above the gate.
"""

import pathlib
import re
import sys

FILE_SIGNAL, FILE_GATE = 300, 500
FUNCTION_SIGNAL, FUNCTION_GATE = 40, 80

TYPE = re.compile(r"\b(?:class|struct|enum|actor|protocol|typealias)\s+([A-Z]\w*)")
# Words that say nothing about the thing, or that record history.
BANNED = re.compile(r"(Manager|Helper|Utils?|Common|Base|Data|Info|V2|(?<!HTTP)2)$|^New[A-Z]|^Context$")
FUNCTION = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\([a-z]+\))?\s+)*(func\s+(`[^`]+`|\S+?)[(<]|init[?!]?[(<]|deinit\b)")
# Foundation's: it crashes in a program with many open descriptors, as the tests are (findMaximumOpenFromProcSelfFD).
FOUNDATION_PROCESS = re.compile(r"\bProcess(\(\)|\.run\(|\.init\b)|:\s*(Foundation\.)?Process\b")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def code(line):
    """The line without strings and comments, as far as one line can tell."""
    return STRING.sub('""', line).split("//")[0]


def functions(lines):
    """Name, first line and length of every function with a body."""
    for start, line in enumerate(lines):
        match = FUNCTION.match(code(line))
        if not match:
            continue
        depth = parentheses = 0
        opened = False
        for end in range(start, len(lines)):
            for character in code(lines[end]):
                if character in "([":
                    parentheses += 1
                elif character in ")]":
                    parentheses -= 1
                elif character == "{":
                    depth += 1
                    opened = True
                elif character == "}":
                    depth -= 1
            if opened and depth <= 0:
                yield match.group(2) or "init", start + 1, end - start + 1
                break
            # A requirement of a protocol has no body: the next line begins something else.
            if not opened and parentheses <= 0 and end > start and code(lines[end]).strip() in ("", "}"):
                break
            if not opened and parentheses <= 0 and end + 1 < len(lines) and FUNCTION.match(code(lines[end + 1])):
                break


def inspect(path, name, is_test):
    lines = path.read_text(encoding="utf-8").splitlines()
    faults, signals = [], []
    if len(lines) > FILE_GATE:
        faults.append(f"{name}: {len(lines)} lines, the gate is {FILE_GATE}")
    elif len(lines) > FILE_SIGNAL:
        signals.append(f"{name}: {len(lines)} lines")
    for number, line in enumerate(lines, 1):
        bare = code(line)
        for type_name in TYPE.findall(bare):
            if BANNED.search(type_name):
                faults.append(f"{name}:{number}: the type name {type_name} says nothing: see CONTRIBUTING.md")
        if FOUNDATION_PROCESS.search(bare):
            faults.append(f"{name}:{number}: Foundation's Process crashes among many descriptors: use posix_spawn")
        if not is_test and re.search(r"\btry!|\bas!", bare):
            faults.append(f"{name}:{number}: forced outside tests: {line.strip()}")
    for function, number, length in functions(lines):
        if length > FUNCTION_GATE:
            faults.append(f"{name}:{number}: {function} has {length} lines, the gate is {FUNCTION_GATE}")
        elif length > FUNCTION_SIGNAL:
            signals.append(f"{name}:{number}: {function} has {length} lines")
    return faults, signals


def main(root):
    faults, signals, count = [], [], 0
    for folder in ("Sources", "Tests"):
        for path in sorted((root / folder).rglob("*.swift")):
            count += 1
            found = inspect(path, path.relative_to(root), folder == "Tests")
            faults += found[0]
            signals += found[1]
    if signals:
        print(f"    longer than {FILE_SIGNAL} lines a file or {FUNCTION_SIGNAL} a function (reported, not refused):")
        for line in signals:
            print("     ", line)
    for line in faults:
        print("error:", line)
    print(f"    {count} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
