"""docs/performance.md, section by section: what one kind of measurement writes leaves the others as they are."""

import os
import pathlib
import platform
import re

import proxies

FILE = proxies.ROOT / "docs" / "performance.md"


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}"


def put(heading, text):
    """Puts a section in place of the one with the same heading, or at the end."""
    whole = FILE.read_text() if FILE.exists() else "# Performance\n"
    sections = re.split(r"(?m)^(?=## )", whole)
    section = f"## {heading}\n\n{text.rstrip()}\n"
    titles = [part.split("\n", 1)[0] for part in sections]
    if f"## {heading}" in titles:
        sections[titles.index(f"## {heading}")] = section
    else:
        sections.append(section)
    FILE.write_text("\n\n".join(part.rstrip() for part in sections) + "\n")
