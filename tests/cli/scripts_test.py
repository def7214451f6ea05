#!/usr/bin/env python3
"""The scripts that build and check: what they find, pass over and refuse."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

SCRIPTS = testing.SOURCE / "scripts"


def script(name, *words, **options):
    return subprocess.run([SCRIPTS / name, *map(str, words)], capture_output=True, text=True, timeout=testing.TIMEOUT, **options)


class Layers(testing.FolderCase):
    """scripts/layers.py on a copy of the tree."""

    def setUp(self):
        self.tree = self.path("tree")
        for folder in ("base", "data", "dist", "eval", "model", "train"):
            shutil.copytree(testing.SOURCE / folder, self.tree / folder)

    def layers(self):
        return script("layers.py", cwd=self.tree)

    def includes(self, file, name):
        """Number of the line that includes it now."""
        lines = (self.tree / file).read_text().split("\n")
        at = next(i for i, line in enumerate(lines) if line.startswith("#include"))
        lines.insert(at, f'#include "{name}"')
        (self.tree / file).write_text("\n".join(lines))
        return at + 1

    def test_the_tree_is_in_order(self):
        done = self.layers()
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_an_include_that_points_up_is_named_by_its_line(self):
        line = self.includes("base/hash.cpp", "train/options.h")
        done = self.layers()
        self.assertEqual((done.returncode, done.stdout),
                         (1, f"base/hash.cpp:{line}: train/options.h: base/ is not above train/\n"))

    def test_a_roof_is_included_by_nothing(self):
        line = self.includes("eval/csc/evaluate.cpp", "eval/commands/csc.h")
        done = self.layers()
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith(f"eval/csc/evaluate.cpp:{line}: eval/commands/csc.h: "), done.stdout)

    def test_a_roof_includes_anything_below(self):
        self.includes("data/commands/main.cpp", "train/options.h")
        self.assertEqual(self.layers().returncode, 0)


class LintKeys(testing.FolderCase):
    """scripts/lint passes over a source whose key it knows."""

    def setUp(self):
        self.tree = self.path("tree")
        (self.tree / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPTS / "lint_keys.py", self.tree / "scripts")
        testing.write(self.tree / ".clang-tidy", "Checks: -*\n")
        testing.write(self.tree / "base/far.h", "int far();\n")
        testing.write(self.tree / "base/near.h", '#include "base/far.h"\n')
        testing.write(self.tree / "base/alone.cpp", "int alone;\n")
        self.source = testing.write(self.tree / "base/source.cpp", '#include <vector>\n#include "base/near.h"\n')

    def keys(self, tool="clang-tidy 1", command="c++"):
        commands = testing.write(self.path("commands.json"), json.dumps([{"file": str(self.source), "command": command}]))
        files = [self.source, self.tree / "base/alone.cpp"]
        done = subprocess.run([self.tree / "scripts/lint_keys.py", commands, tool, *files], capture_output=True, text=True,
                              check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        return {pathlib.Path(file).name: key for key, file in (line.split() for line in done.stdout.splitlines())}

    def test_a_key_changes_with_all_that_matters(self):
        before = self.keys()
        self.assertEqual(self.keys(), before)
        testing.write(self.tree / "base/far.h", "int far(int);\n")
        after = self.keys()
        self.assertNotEqual(after["source.cpp"], before["source.cpp"])
        self.assertEqual(after["alone.cpp"], before["alone.cpp"])
        self.assertNotEqual(self.keys(command="c++ -O2")["source.cpp"], after["source.cpp"])
        for changed in (self.keys(tool="clang-tidy 2"), testing.write(self.tree / ".clang-tidy", "Checks: '*'\n") and self.keys()):
            self.assertFalse(set(changed.values()) & set(after.values()))


class Usage(unittest.TestCase):
    def test_build_and_test_teach(self):
        for name, words in (("build", ("llm_tests", "relmpi_programs", "debug")), ("test", ("--label", "--test", "unit", "style"))):
            done = script(name, "--help")
            self.assertEqual(done.returncode, 0, done.stderr)
            for word in words:
                self.assertIn(word, done.stdout)
            done = script(name, "--nonsense")
            self.assertEqual(done.returncode, 2)
            self.assertIn("--nonsense", done.stderr)


class Allocator(unittest.TestCase):
    def test_settings_are_those_of_relmpi(self):
        place = importlib.util.spec_from_file_location("allocator", SCRIPTS / "allocator.py")
        allocator = importlib.util.module_from_spec(place)
        place.loader.exec_module(allocator)
        self.assertEqual(allocator.environment(), {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000",
                                                   "MALLOC_TOP_PAD_": str(64 << 20)})


if __name__ == "__main__":
    unittest.main()
