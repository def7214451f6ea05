#!/usr/bin/env python3
"""A training run is the same run however its batches are cut into ranks and micro-batches.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

# 52 sentences: 3 batches of 17 and one of a single sentence, fewer than there are ranks.
RUN = [*testing.NO_DROPOUT, "--steps", 12, "--global-batch", 17, "--mft-rate", 0.3, "--seed", 5]
CUTS = {
    "one process": (None, []),
    "1 rank": (1, []),
    "2 ranks": (2, []),
    "3 ranks, small buckets": (3, ["--bucket-bytes", 1000]),
    "4 ranks": (4, []),
    "micro-batches": (None, ["--micro-batch", 3]),
    "2 ranks, micro-batches": (2, ["--micro-batch", 2]),
    "4 ranks, single rows": (4, ["--micro-batch", 1]),
}


class TrainRanks(testing.ProgramCase):
    def test_any_cut_gives_the_same_losses(self):
        found = {}
        for name, (ranks, options) in CUTS.items():
            out = self.path(name.replace(" ", "-"))
            self.train(out, *RUN, *options, ranks=ranks)
            found[name] = self.steps(out)
        wanted = found["one process"]
        self.assertEqual([row["step"] for row in wanted], list(range(1, 13)))
        self.assertEqual([row["epoch"] for row in wanted[:8]], [0, 0, 0, 1, 1, 1, 1, 2])
        self.assertTrue(all(row["aux"] > 0 and row["correction"] > 0 for row in wanted))
        self.assertLess(wanted[10]["loss"], wanted[0]["loss"])
        for name, rows in found.items():
            with self.subTest(name):
                self.assert_same_losses(rows, wanted)
                for a, b in zip(rows, wanted):
                    self.assertAlmostEqual(a["grad_norm"] / b["grad_norm"], 1, delta=1e-3)

    def test_ranks_end_with_the_same_weights_and_evaluation(self):
        evaluations = []
        for ranks in (1, 3):
            out = self.path(str(ranks))
            self.train(out, *RUN, "--validation", self.corpus / "validation", "--check-replicas", 1, ranks=ranks)
            rows = [row for row in testing.read_rows(out / "metrics.jsonl") if "evaluation" in row]
            self.assertEqual([row["step"] for row in rows], [12])
            evaluations.append(rows[0]["evaluation"])
        self.assertAlmostEqual(evaluations[0]["loss"] / evaluations[1]["loss"], 1, delta=1e-4)
        self.assertEqual({"precision", "recall", "f1", "f2", "fpr", "wpr"} - set(evaluations[0]), set())

    def test_ranks_draw_different_dropout(self):
        """With dropout on, the numbers may differ between cuts; if they did not, every rank would drop the same units."""
        losses = []
        for ranks in (1, 2):
            out = self.path(str(ranks))
            self.train(out, "--steps", 3, "--dropout", 0.5, ranks=ranks)
            losses.append([row["loss"] for row in self.steps(out)])
        self.assertNotEqual(losses[0], losses[1])

    def test_environment_lists_every_rank(self):
        out = self.path("run")
        self.train(out, "--steps", 1, ranks=3)
        environment = json.loads((out / "environment.json").read_text())
        self.assertEqual([rank["rank"] for rank in environment["ranks"]], [0, 1, 2])
        self.assertIn("3 ranks", (out / "log.txt").read_text())

    def test_more_ranks_than_the_run_can_feed(self):
        done = testing.run("relmpi-train", *self.training(self.path("a"), "--steps", 1), ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        few = self.training(self.path("b"), "--steps", 1, "--data", self.corpus / "few")
        self.assert_refused(testing.run("relmpi-train", *few, ranks=4), "3 sentences", "4 ranks", self.corpus / "few")
        small = self.training(self.path("c"), "--steps", 1, "--global-batch", 1)
        self.assert_refused(testing.run("relmpi-train", *small, ranks=2), "--global-batch is 1", "2 ranks")


if __name__ == "__main__":
    testing.main()
