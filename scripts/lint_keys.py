#!/usr/bin/env python3
"""For scripts/lint: COMPILE_COMMANDS TOOL FILE... -> a line "KEY FILE" for each file. The key is a hash of all that
clang-tidy's answer rests on: the file, what it includes of ours, its command, .clang-tidy and TOOL (version, checks)."""
import functools
import hashlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def included(path):
    """Our headers that this file names."""
    names = re.findall(rb'^\s*#\s*include\s+"([^"]+)"', path.read_bytes(), re.MULTILINE)
    places = [folder / name.decode() for name in names for folder in (path.parent, ROOT, ROOT / "tests")]
    return [place.resolve() for place in places if place.is_file()]


def with_headers(path):
    found, left = set(), [path]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += included(file)
    return sorted(found)


commands, tool = {Path(entry["file"]): entry["command"] for entry in json.load(open(sys.argv[1]))}, sys.argv[2]
for name in sorted({Path(name).resolve() for name in sys.argv[3:]}):
    parts = [tool, commands.get(name, ""), (ROOT / ".clang-tidy").read_text()]
    key = hashlib.sha256("\0".join(parts).encode())
    for file in with_headers(name):
        key.update(f"\0{file}\0".encode() + file.read_bytes())
    print(key.hexdigest(), name)
