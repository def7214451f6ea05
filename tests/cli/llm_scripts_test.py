#!/usr/bin/env python3
"""What scripts/get-smollm2 leaves alone and keeps, and what scripts/llm-bench says when a side ends."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class GetSmollm2(unittest.TestCase):
    def setUp(self):
        self.script = load("get-smollm2")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.out = self.folder / "model"

    def make(self, out, dtype, weights):
        out.mkdir()
        for name, text in (("config.json", f"of {dtype}"), ("model.safetensors", weights)):
            (out / name).write_text(text)
        record = {"dtype": dtype, "files": self.script.sizes(out)}
        (out / self.script.RECORD).write_text(json.dumps(record))
        return out

    def replace(self, dtype, weights):
        partial = self.make(self.folder / ".model.partial-x", dtype, weights)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.script.replace(partial, self.out, dtype)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["model"])
        self.assertTrue(self.script.is_complete(self.out, dtype))
        return said.getvalue()

    def test_a_folder_is_complete_whatever_lies_beside_its_files(self):
        self.make(self.out, "bf16", "weights")
        (self.out / "notes.txt").write_text("mine")
        (self.out / "experiments").mkdir()
        self.assertTrue(self.script.is_complete(self.out, "bf16"))
        self.assertFalse(self.script.is_complete(self.out, "fp32"))
        (self.out / "model.safetensors").write_text("wei")
        self.assertFalse(self.script.is_complete(self.out, "bf16"))
        (self.out / "model.safetensors").unlink()
        self.assertFalse(self.script.is_complete(self.out, "bf16"))
        for record in ("[]", "{}", "{", '{"dtype": "bf16", "files": 3}'):
            (self.out / self.script.RECORD).write_text(record)
            self.assertFalse(self.script.is_complete(self.out, "bf16"))

    def test_what_others_put_there_is_kept(self):
        self.make(self.out, "bf16", "weights")
        (self.out / "notes.txt").write_text("mine")
        (self.out / "experiments").mkdir()
        (self.out / "experiments/one").write_text("mine too")
        (self.out / "config.json").write_text("changed by hand")
        said = self.replace("fp32", "wider weights")
        self.assertEqual((self.out / "model.safetensors").read_text(), "wider weights")
        self.assertEqual((self.out / "config.json").read_text(), "of fp32")
        self.assertEqual((self.out / "config.json.before").read_text(), "changed by hand")
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")
        self.assertEqual((self.out / "experiments/one").read_text(), "mine too")
        self.assertFalse((self.out / "model.safetensors.before").exists())
        self.assertEqual(said.count("kept"), 3)

    def test_a_new_or_empty_folder(self):
        self.assertEqual(self.replace("bf16", "weights"), "")
        self.script.shutil.rmtree(self.out)
        self.out.mkdir()
        self.assertEqual(self.replace("bf16", "weights"), "")


class LlmBench(unittest.TestCase):
    def test_both_sides_run_on_the_device_that_is_asked_for(self):
        script = load("llm-bench")
        script.Side = lambda name, words, environment: [str(word) for word in words]
        for device, compiled in (("cpu", False), ("cuda", True)):
            given = argparse.Namespace(model="m", threads=2, device=device, compile=compiled, cuda_graphs=compiled)
            theirs, ours = script.transformers(given, "bf16"), script.relmpi(given, "bf16")
            for words in (theirs, ours):
                self.assertEqual(words[words.index("--device") + 1], device)
            self.assertEqual("--compile" in theirs, compiled)
            self.assertEqual("--cuda-graphs" in ours, compiled)

    def test_a_side_that_ends_is_told(self):
        script = load("llm-bench")
        side = script.Side("relmpi", [sys.executable, "-c", ""], os.environ)
        side.process.wait()
        self.addCleanup(side.process.stdout.close)
        with self.assertRaisesRegex(script.BenchError, "relmpi ended"):
            with side:
                side.measure({"prompt": 1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
