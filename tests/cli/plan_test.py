#!/usr/bin/env python3
"""relmpi-doctor plan as a program: its document, its table, and what it refuses. The maps themselves are compared with
Accelerate's in tests/reference/placement_parity.py.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

GIB = 1 << 30
# Qwen3 8B: 36 layers of 192,946,432 weights, two tables of 151,936 x 4096, a last norm, 64 rotary frequencies.
CONFIG = {"model_type": "qwen3", "num_hidden_layers": 36, "hidden_size": 4096, "intermediate_size": 12288,
          "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
          "max_position_embeddings": 40960, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
LAYER = 2 * 192946432
TABLE = 2 * 151936 * 4096
TOTAL = 36 * LAYER + 2 * TABLE + 2 * 4096 + 2 * 64
TWO = "0=24GiB,1=24GiB,cpu=64GiB"


class Plan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="relmpi-test-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = pathlib.Path(cls.scratch.name)
        testing.write(cls.folder / "config.json", json.dumps(CONFIG))

    def run_plan(self, *arguments):
        return testing.run("relmpi-doctor", "plan", "--model-config", self.folder, *arguments)

    def document(self, *arguments):
        done = self.run_plan(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_document(self):
        found = self.document("--max-memory", TWO)
        self.assertEqual(list(found)[:4], ["device_map", "max_memory", "bytes", "per_device_bytes"])
        layers = [f"model.layers.{i}" for i in range(36)]
        self.assertEqual(found["device_map"], {"model.embed_tokens": 0, **{name: int(i > 15) for i, name in enumerate(layers)},
                                               "model.norm": 1, "model.rotary_emb": 1, "lm_head": 1})
        self.assertEqual(list(found["device_map"])[:3], ["model.embed_tokens", *layers[:2]])  # in the order of the modules
        self.assertEqual(found["bytes"], TOTAL)
        self.assertEqual(found["per_device_bytes"], {"0": TABLE + 16 * LAYER, "1": TOTAL - TABLE - 16 * LAYER})
        # An even share and 1.25 times the largest layer; the last GPU keeps its own.
        self.assertEqual(found["max_memory"], {"0": TOTAL // 2 + LAYER * 5 // 4, "1": 24 * GIB, "cpu": 64 * GIB})
        self.assertEqual(found["reserve"], {"0": 0, "1": 0})
        self.assertEqual(found["warnings"], [])
        by_file = testing.run("relmpi-doctor", "plan", "--model-config", self.folder / "config.json", "--max-memory", TWO,
                              "--json")
        self.assertEqual(json.loads(by_file.stdout), found)

    def test_dtype_is_the_models_own_unless_said(self):
        self.assertEqual(self.document("--max-memory", TWO)["dtype"], "bf16")
        self.assertEqual(self.document("--max-memory", TWO, "--dtype", "fp32")["bytes"], 2 * TOTAL)

    def test_reserve(self):
        cache = 2 * 8 * 128 * 2 * 4096 * 8  # of one layer, for 8 texts of 4096 tokens
        found = self.document("--max-memory", TWO, "--batch", 8, "--length", 4096, "--reserve", "auto")
        self.assertEqual(found["kv_cache"], {"0": 16 * cache, "1": 20 * cache})
        live = found["activations"]["0"]
        self.assertEqual(live, 4096 * 2 * (2 * 4096 + 3 * 12288) + cache)  # one prompt; and the copy of a layer's cache
        # Each GPU could hold more layers with their cache than there are.
        layers = (24 * GIB - live) // (LAYER + cache) + 1
        self.assertGreater(layers, 36)
        self.assertEqual(found["reserve"], {"0": live + 36 * cache, "1": live + 36 * cache})
        self.assertEqual(found["max_memory"]["1"], 24 * GIB - found["reserve"]["1"])
        fixed = self.document("--max-memory", TWO, "--reserve", "1GiB")
        self.assertEqual(fixed["reserve"], {"0": GIB, "1": GIB})
        self.assertEqual(fixed["max_memory"], {"0": TOTAL // 2 + LAYER * 5 // 4, "1": 23 * GIB, "cpu": 64 * GIB})

    def test_precedence_and_explicit_forms(self):
        whole = {"": 1}
        self.assertEqual(self.document("--max-memory", TWO, "--device-map", "cuda:1", "--device-id", 0)["device_map"], whole)
        self.assertEqual(self.document("--max-memory", TWO, "--device-id", 1, "--device", "cpu")["device_map"], whole)
        self.assertEqual(self.document("--max-memory", TWO, "--device", "cpu")["device_map"], {"": "cpu"})
        self.assertEqual(set(self.document("--max-memory", TWO, "--device-map", "0,1")["device_map"].values()), {0, 1})
        own = testing.write(self.folder / "map.json", json.dumps({"model": 0, "model.layers.7": "cuda:1", "lm_head": "cpu"}))
        found = self.document("--max-memory", TWO, "--device-map", own)
        self.assertEqual(found["device_map"], {"model": 0, "model.layers.7": 1, "lm_head": "cpu"})
        self.assertEqual(found["per_device_bytes"], {"0": TOTAL - LAYER - TABLE, "1": LAYER, "cpu": TABLE})

    def test_no_gpu_is_the_host(self):
        found = self.document()  # testing.ENVIRONMENT hides GPUs
        self.assertEqual(list(found["max_memory"]), ["cpu"])
        self.assertLessEqual(set(found["device_map"].values()), {"cpu", "disk"})

    def test_table(self):
        done = self.run_plan("--max-memory", "0=8GiB,1=4GiB,cpu=4GiB")
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("cuda:0      6.55     8.00      82 %", "model.embed_tokens, model.layers.0-14\n", "model.layers.15-25\n",
                      "\ncpu ", "\ndisk ", "! 2.52 GiB of weights stay on the host", "! 2.24 GiB of weights stay on disk, from which relmpi-eval does not run",
                      "! cuda:1 would need"):
            self.assertIn(words, done.stdout)

    def test_the_empty_prefix_in_the_table(self):
        self.assertIn("  the whole model\n", self.run_plan("--max-memory", TWO, "--device", "cpu").stdout)
        own = testing.write(self.folder / "rest.json", json.dumps({"": 0, "lm_head": "cpu"}))
        table = self.run_plan("--max-memory", TWO, "--device-map", own).stdout
        self.assertIn("  all the rest\n", table)
        self.assertNotIn("the whole model", table)

    def test_the_host_computes_what_is_on_disk(self):
        words = ["--max-memory", "0=8GiB,cpu=0", "--batch", 64]
        found = self.document(*words)
        self.assertEqual(set(found["device_map"].values()), {0, "disk"})
        layers = list(found["device_map"].values()).count("disk") - 3  # norm, frequencies and head beside them
        self.assertEqual(found["kv_cache"]["cpu"], layers * 2 * 8 * 128 * 2 * 4096 * 64)
        need = (found["kv_cache"]["cpu"] + found["activations"]["cpu"]) / GIB
        self.assertTrue(any(f"cpu would need {need:.2f} GiB" in warning for warning in found["warnings"]), found["warnings"])
        rows = [line.split()[0] for line in self.run_plan(*words).stdout.split("\n")[2:5]]
        self.assertEqual(rows, ["cuda:0", "cpu", "disk"])

    def test_the_host_is_no_loss_where_it_is_all_there_is_or_was_asked_for(self):
        own = testing.write(self.folder / "host.json", json.dumps({"model": 0, "lm_head": "cpu"}))
        for words in (["cpu=64GiB"], [TWO, "--device", "cpu"], [TWO, "--device-map", own]):
            self.assertEqual(self.document("--max-memory", *words)["warnings"], [])
        for words in ([], ["--device-map", "0,1"], ["--device-map", "sequential"]):
            (warning,) = self.document("--max-memory", "0=8GiB,1=4GiB,cpu=64GiB", "--length", 1, *words)["warnings"]
            self.assertIn("stay on the host", warning)

    def test_a_reserve_that_leaves_nothing_is_told(self):
        words = ["--max-memory", "0=100MiB,1=24GiB,cpu=64GiB", "--batch", 8, "--reserve", "auto"]
        found = self.document(*words)
        self.assertEqual(found["reserve"]["0"], 100 << 20)
        self.assertNotIn(0, found["device_map"].values())
        self.assertTrue(any("all 0.10 GiB of cuda:0" in warning for warning in found["warnings"]), found["warnings"])
        for map_ in ("cuda:1", "1"):  # GPU 0 is not asked for
            self.assertNotIn("reserve", "".join(self.document(*words, "--device-map", map_)["warnings"]))

    def test_refusals(self):
        misses = testing.write(self.folder / "misses.json", json.dumps({"model": 0}))
        unknown = testing.write(self.folder / "unknown.json", json.dumps({"": 0, "model.layers.36": 0}))
        for arguments, naming in (
                (["--max-memory", "0=lots"], "'lots'"), (["--max-memory", "x=1GB"], "'x=1GB'"),
                (["--max-memory", TWO, "--device-map", "cuda:2"], "only 0, 1 are there"),
                (["--max-memory", TWO, "--device-map", misses], "lm_head.weight"),
                (["--max-memory", TWO, "--device-map", unknown], "model.layers.36"),
                (["--max-memory", TWO, "--device-map", "everywhere"], "everywhere"),
                (["--max-memory", TWO, "--device-map", self.folder], str(self.folder)),
                (["--max-memory", TWO, "--dtype", "int8"], "int8"), (["--max-memory", TWO, "--batch", 0], "--batch"),
                (["--max-memory", TWO, "--length", 0], "--length is 0"),
                (["--max-memory", TWO, "--length", 40961], "--length 40961 is more than the model's context of 40960"),
                (["--max-memory", TWO, "--reserve", "much"], "'much'"), (["--device-map", "cuda:0"], "CUDA is missing"),
                (["--device-id", 0], "CUDA is missing"), (["--device", "cuda"], "CUDA is missing")):
            done = self.run_plan(*arguments, "--json")
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(naming, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    testing.main()
