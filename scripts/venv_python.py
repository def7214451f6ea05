"""For scripts that need torch and transformers: starts them again with .venv's Python."""

import os
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[1]
PYTHON = SOURCE / ".venv/bin/python"


def enter():
    """Returns in .venv's Python; exits 2 if there is none."""
    if pathlib.Path(sys.prefix).resolve() == PYTHON.parents[1].resolve():
        return
    if not PYTHON.exists():
        print(f"{pathlib.Path(sys.argv[0]).name}: {PYTHON} is not there: run scripts/setup", file=sys.stderr)
        sys.exit(2)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
