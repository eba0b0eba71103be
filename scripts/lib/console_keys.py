#!/usr/bin/env python3
"""Writes docs/console-keys.md from the console's one table of verbs, or with --check tells whether it is up to date."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "Sources/ConsoleKit/Commands/VerbTable.swift"
DOCUMENT = ROOT / "docs/console-keys.md"

TITLES = {
    "everywhere": "Everywhere", "rows": "Moving", "letters": "Moving, by letters", "overview": "Overview",
    "edges": "Edges", "edge": "An edge", "weights": "Weights", "guarded": "While a guard runs",
    "breakers": "Breakers", "tunnels": "Tunnels", "events": "Events",
}
KEYS = {
    "tab": "Tab", "backTab": "⇧Tab", "escape": "Esc", "backspace": "Backspace", "enter": "Enter", "up": "↑",
    "down": "↓", "left": "←", "right": "→", "shiftLeft": "⇧←", "shiftRight": "⇧→", "pageUp": "PgUp",
    "pageDown": "PgDn", "home": "Home", "end": "End",
}
DANGERS = {"disruptive": "asks; confirmed with `Y`", "destructive": "asks for the name", "reversible": ""}
SURFACES = {"palette": "`:`", "shell": "shell"}


def verbs(text):
    """The arguments of every `Verb(…)`, without nested parentheses but for `.ctrl("x")`."""
    for body in re.findall(r"\bVerb\(((?:[^()\"]|\"[^\"]*\"|\([^()]*\))*)\)", text):
        body = " ".join(body.split())
        if not body.startswith("."):
            continue
        head = re.match(r"\.(\w+), \"([^\"]*)\"(?:, \"([^\"]*)\")?", body)
        scope = re.search(r"\bin: \.(\w+)", body)
        keys = re.search(r"\bkeys: \[((?:\"[^\"]*\"|[^\]\"])*)\]", body)
        surfaces = re.search(r"\bsurfaces: (\[[^\]]*\]|\.\w+)", body)
        danger = re.search(r"\bdanger: \.(\w+)", body)
        yield {
            "name": head.group(2), "arguments": head.group(3) or "" if ", \"" in body[: head.end()] else "",
            "scope": scope.group(1) if scope else "everywhere",
            "keys": [key(part) for part in split_keys(keys.group(1))] if keys else [],
            "surfaces": re.findall(r"palette|shell", surfaces.group(1)) if surfaces else [],
            "danger": danger.group(1) if danger else "",
            "help": re.findall(r"\"([^\"]*)\"", body)[-1],
        }


def split_keys(text):
    return re.findall(r"\"[^\"]*\"|\.\w+(?:\(\"[^\"]*\"\))?", text)


def key(part):
    if part.startswith('"'):
        return "`" + part[1:-1] + "`"
    control = re.match(r"\.ctrl\(\"(\w)\"\)", part)
    return "Ctrl-" + control.group(1).upper() if control else KEYS[part[1:]]


def render():
    rows = list(verbs(TABLE.read_text()))
    out = ["""# Console: keys and commands

Made from the console's one table of verbs by `scripts/lib/console_keys.py`; `scripts/check` compares. In the console,
`?` shows the keys of the screen, and `:` takes every command marked `:`. Commands marked *shell* are also verbs of the
command line: `selvage weight set web v2=20 --guard 60s`.

Letters, arrows, Tab, Enter and Esc suffice; Ctrl only repeats. No key both opens and confirms a danger. What is staged
changes nothing on the server until it is applied, with a preview, and with a guard that puts it back unless it is kept.
"""]
    for scope, title in TITLES.items():
        mine = [verb for verb in rows if verb["scope"] == scope and (verb["keys"] or verb["surfaces"])]
        if scope == "everywhere":
            mine = [verb for verb in mine if verb["keys"]]
        if not mine:
            continue
        out.append(f"## {title}\n\n| key | what | command | |\n|---|---|---|---|")
        for verb in mine:
            command = ""
            if verb["surfaces"]:
                where = ", ".join(SURFACES[surface] for surface in verb["surfaces"])
                text = f"{verb['name']} {verb['arguments']}".strip().replace("|", "\\|")
                command = f"`{text}` ({where})"
            out.append(f"| {' '.join(verb['keys'])} | {verb['help']} | {command} | {DANGERS.get(verb['danger'], '')} |")
        out.append("")
    out.append("## Command line only\n\n| command | what |\n|---|---|")
    for verb in rows:
        if verb["scope"] == "everywhere" and not verb["keys"] and "shell" in verb["surfaces"]:
            text = f"{verb['name']} {verb['arguments']}".strip().replace("|", "\\|")
            out.append(f"| `selvage {text}` | {verb['help']} |")
    out.append("""| `selvage --once [--screen NAME] [--size 120x40]` | a screen as text: for mail, cron, screen readers |

Options: `-o table|json|jsonl|tsv`, `--socket PATH` (else `$SELVAGE_SOCKET`, else `/run/selvage/admin.sock`),
`--read-only`, `--if-match N`, `--guard 30s`, `--guard-err 2%`, `--wait`, `--yes[=NAME]`, `--theme NAME`, `--ascii`.

Exit status: 0 done, 2 usage, 3 conflict, 4 unreachable, 5 outcome unknown, 6 not allowed, 7 rolled back by the guard,
8 invalid.
""")
    return "\n".join(out)


def main():
    text = render()
    if "--check" in sys.argv:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != text:
            print("error: docs/console-keys.md is not what the table of verbs says: run scripts/lib/console_keys.py")
            return 1
        return 0
    DOCUMENT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
