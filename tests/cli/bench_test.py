#!/usr/bin/env python3
"""What scripts/bench asks of each side and tells, with programs that answer at once."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

MS = {"relmpi-eval": 3.0, "strong_step.py": 4.0, "plain_step.py": 12.0}


def load():
    loader = importlib.machinery.SourceFileLoader("bench", str(SCRIPTS / "bench"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Bench(unittest.TestCase):
    def setUp(self):
        self.script = load()
        self.commands = []
        self.gpus = 1

    def run_program(self, words, **_):
        """In place of `run`: every step of a side takes its MS, and as many bytes."""
        words = [str(word) for word in words]
        self.commands.append(words)
        ms = next(ms for name, ms in MS.items() if any(word.endswith(name) for word in words))
        side = {"max_memory_allocated": ms, "cpu_ms": ms}
        if any(word.endswith("relmpi-eval") for word in words):
            stage = side | {"ms": {"total": 2 * ms}, "steps": 2, "samples_per_s": 8.0, "bytes_reduced": 8}
            return json.dumps({"stages": [stage], "settings": {"parameters": 4}})
        return json.dumps(side | {"ms": [ms, ms]})

    def document(self, *only, **given):
        settings = {"device": "cuda", "quick": True, "compile": False, "cuda_graphs": False, "threads": 1,
                    "precisions": "fp32", "only": ",".join(only)}
        self.script.run = self.run_program
        self.script.gpus.answer = lambda words, _: (
            "580.1\n" if words[0] == "nvidia-smi" else json.dumps({"count": self.gpus, "name": "Card"})
        )
        with contextlib.redirect_stderr(io.StringIO()):
            bench = self.script.Bench(pathlib.Path("folder"), argparse.Namespace(**settings | given))
            bench.prepare = lambda: None
            bench.model = bench.plain = bench.confusion = "model"
            return bench.all()

    def test_a_step_on_a_gpu_is_compared_with_both_references(self):
        found = self.document("step_fp32_42", compile=True, cuda_graphs=True)
        self.assertEqual(list(found["ratios"]), [f"{reference}_fp32_42{of}" for reference in ("strong", "step")
                                                 for of in ("", "_cpu_time", "_memory")])
        self.assertEqual({name: x for name, x in found["ratios"].items() if name.endswith(("42", "memory"))},
                         {"strong_fp32_42": 0.75, "strong_fp32_42_memory": 0.75,
                          "step_fp32_42": 0.25, "step_fp32_42_memory": 0.25})
        self.assertEqual(found["settings"]["gpus"], {"count": 1, "name": "Card", "driver": "580.1"})
        steps = [words for words in self.commands if "--device" in words]
        self.assertEqual({words[words.index("--device") + 1] for words in steps}, {"cuda"})
        self.assertEqual([any("strong" in word for word in words) for words in steps],
                         ["--compile" in words for words in steps])
        self.assertEqual([words[0].endswith("relmpi-eval") for words in steps],
                         ["--cuda-graphs" in words for words in steps])
        # They alternate.
        order = ["relmpi", "strong", "plain"] * 2
        self.assertEqual([name for words in steps for name in order[:3] if any(name in w.split("/")[-1] for w in words[:2])],
                         order)

    def test_a_step_on_a_cpu_is_compared_with_the_same_allocator_too(self):
        found = self.document("step_fp32_61", device="cpu")
        self.assertEqual(list(found["ratios"]), [f"{reference}_fp32_61{of}" for reference in ("strong", "step")
                                                 for of in ("", "_cpu_time", "_same_allocator")])
        self.assertNotIn("gpus", found["settings"])

    def test_what_one_gpu_cannot_measure_is_left_out_with_the_reason(self):
        found = self.document("bytes_reduced", "two_rank", "loss_memory")
        self.assertEqual(found["ratios"], {})
        reasons = found["settings"]["left_out"]
        self.assertEqual(set(reasons), {"bytes_reduced", "two_rank_efficiency", "loss_memory"})
        self.assertIn("two GPUs", reasons["two_rank_efficiency"])
        self.gpus = 2
        found = self.document("bytes_reduced", "two_rank", "loss_memory")
        self.assertEqual(set(found["ratios"]), {"bytes_fp32", "bytes_bf16", "two_rank_efficiency"})

    def test_no_gpu_is_said(self):
        self.gpus = 0
        with self.assertRaisesRegex(self.script.BenchError, "sees no GPU"):
            self.document()


if __name__ == "__main__":
    unittest.main(verbosity=2)
