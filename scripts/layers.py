#!/usr/bin/env python3
"""The layer rule, over the #include lines of the sources (docs/architecture.md): a library file includes its own folder
and lower ones; commands/ is a roof, which includes anything and which nothing else includes. Prints file:line of what
breaks it; exit code 1."""
import re
import sys
from pathlib import Path

LOWER = {"base": "", "data": "base", "dist": "base", "model": "base data dist", "eval": "base data dist model",
         "train": "base data dist model eval"}

found = []
for path in sorted(path for folder in LOWER for path in Path(folder).rglob("*.[hc]*")):
    folder, roof = path.parts[0], "commands" in path.parts
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        included = re.match(r'#include "(([a-z]+)/.*)"', line)
        if not included or Path(included[1]).parent == path.parent:
            continue
        if "/commands/" in included[1]:
            found.append(f"{path}:{number}: {included[1]}: nothing but commands/ itself includes commands/")
        elif not roof and included[2] not in [folder, *LOWER[folder].split()]:
            found.append(f"{path}:{number}: {included[1]}: {folder}/ is not above {included[2]}/")
print("\n".join(found), end="\n" if found else "")
sys.exit(bool(found))
