#!/usr/bin/env python3
"""relmpi-eval diagnose: six stages, numbers that agree with each other, a timeline, and refusals."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import testing  # noqa: E402
from testing import ProgramCase  # noqa: E402

STAGES = ["encoder-inference", "encoder-training-fp32", "encoder-training", "loader", "loader-and-encoder", "dgca-step"]


class Diagnose(ProgramCase):
    def diagnose(self, *more, ranks=None):
        usual = [*testing.SHAPE, "--data", self.corpus / "train", "--vocab", self.corpus.vocab, "--confusion",
                 self.corpus.confusion, "--global-batch", 8, "--device", "cpu", "--threads", 1, "--steps", 3]
        return testing.run("relmpi-eval", "diagnose", *testing.options(usual, more), ranks=ranks)

    def report(self, *more, ranks=None):
        done = self.diagnose(*more, "--json", ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_six_stages_whose_numbers_agree(self):
        report = self.report("--precision", "bf16")
        self.assertEqual([stage["name"] for stage in report["stages"]], STAGES)
        self.assertEqual(set(report["matmul_peak_flops_per_s"]), {"fp32", "bf16"})
        for stage in report["stages"]:
            ms = stage["ms"]
            self.assertTrue(0 < ms["p10"] <= ms["median"] <= ms["p90"] <= ms["total"], stage)
            self.assertAlmostEqual(stage["samples_per_s"], 3 * 8 / (ms["total"] / 1000), delta=1e-3 * stage["samples_per_s"])
            self.assertEqual("matmul_share" in stage, stage["name"] != "loader")
            self.assertLessEqual(stage.get("matmul_share", 0), 1.05)
        by_name = {stage["name"]: stage for stage in report["stages"]}
        # Inference keeps no activations; the heads come on top of the encoder.
        self.assertLess(by_name["encoder-inference"]["peak_memory"], by_name["encoder-training"]["peak_memory"])
        self.assertLess(by_name["encoder-training"]["peak_memory"], by_name["dgca-step"]["peak_memory"])
        self.assertLess(by_name["loader"]["ms"]["median"], by_name["dgca-step"]["ms"]["median"])
        self.assertTrue(report["finding"].endswith("."))

    def test_two_ranks_share_the_batch_and_send_what_has_gradients(self):
        for precision, width in (("fp32", 4), ("bf16", 2)):
            report = self.report("--precision", precision, "--stages", "dgca-step", ranks=2)
            self.assertEqual(report["settings"]["ranks"], 2)
            stage = report["stages"][0]
            self.assertAlmostEqual(stage["samples_per_s"], 3 * 4 / (stage["ms"]["total"] / 1000),
                                   delta=1e-3 * stage["samples_per_s"])
            # Not the prompt network, which is most of so small a model.
            self.assertLess(stage["bytes_reduced"], width * report["settings"]["parameters"])
            self.assertGreater(stage["bytes_reduced"], 0)

    def test_table_and_timeline(self):
        timeline = self.path("trace.json")
        done = self.diagnose("--stages", "loader,dgca-step", "--trace", timeline)
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("stage", "loader", "dgca-step", "of peak"):
            self.assertIn(words, done.stdout)
        names = {event.get("name") for event in json.loads(timeline.read_text())["traceEvents"]}
        self.assertTrue({"aten::addmm", "aten::_fused_adamw_"} <= names, sorted(map(str, names))[:50])

    def test_the_words_of_relmpi_train_are_taken_and_nothing_is_written(self):
        out = self.path("run")
        done = self.diagnose("--stages", "loader", "--out", out, "--validation", self.corpus / "validation",
                             "--evaluate-every", 10, "--checkpoint-every", 10)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(out.exists())
        self.assertIn("without effect here: --out, --evaluate-every, --checkpoint-every\n", done.stderr)
        self.assertNotIn("without effect", self.diagnose("--stages", "loader").stderr)

    def test_refusals(self):
        self.assert_refused(self.diagnose("--stages", "decoder"), "--stages", "decoder", "dgca-step")
        self.assert_refused(self.diagnose("--steps", 0), "--steps")
        self.assert_refused(self.diagnose("--data", self.path("nowhere")), "nowhere")
        self.assert_refused(self.diagnose("--stages", "loader", "--trace", "/nowhere/trace.json"), "/nowhere/trace.json")


if __name__ == "__main__":
    testing.main()
