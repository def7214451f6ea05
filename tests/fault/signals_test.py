#!/usr/bin/env python3
"""SIGUSR1, SIGTERM and SIGINT at start-up, in a step, in an evaluation and in a checkpoint.   FOLDER-OF-PROGRAMS"""

import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

STEPS = 12
GRACE = 30  # seconds from the signal to the end, on a busy machine


class Signals(testing.ProgramCase):
    def options(self, *more):
        return testing.options(["--steps", STEPS, "--validation", self.corpus / "validation", "--evaluate-every", 5,
                                "--checkpoint-every", 4], more)

    def start(self, out, *more, ranks=None):
        return testing.Started(self, self.training(out, *self.options(*more)), out, ranks=ranks)

    def end(self, run):
        began = time.monotonic()
        ended = run.end()
        self.assertLess(time.monotonic() - began, GRACE)
        return ended

    def state(self, out):
        newest = max((out / "checkpoints").glob("step-*"))
        self.assertTrue((newest / "COMPLETE").exists())
        return json.loads((newest / "state.json").read_text())

    def records(self, out):
        rows = testing.read_rows(out / "metrics.jsonl")
        return [{name: value for name, value in row.items() if name not in testing.TIMING} for row in rows]

    def assert_goes_on_like(self, out, whole, *more, ranks=None):
        self.train(out, *self.options(*more), ranks=ranks)
        self.assertEqual(self.records(out), self.records(whole))
        last = f"checkpoints/step-{STEPS:08}"
        for file in ("model.safetensors", "optimizer.safetensors", "state.json", "COMPLETE"):
            self.assertEqual((out / last / file).read_bytes(), (whole / last / file).read_bytes(), file)
        for file in ("model.safetensors", "config.json"):
            self.assertEqual((out / "model" / file).read_bytes(), (whole / "model" / file).read_bytes(), file)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole"
        cls.train(cls.whole, *cls.options(cls))

    def test_while_it_starts(self):
        for ranks, number in ((None, signal.SIGTERM), (None, signal.SIGINT), (2, signal.SIGUSR1)):
            with self.subTest(ranks=ranks, signal=number.name):
                out = self.path(f"{ranks}-{number.name}")
                testing.hold(out, 1)
                run = self.start(out, ranks=ranks)
                if ranks is None:  # before its first line of main a process can only die
                    run.wait_for("the handler", lambda: catches(run.process.pid, number))
                else:
                    run.wait_for("the ranks", lambda: len(testing.ranks_of(run.process)) == ranks)
                    for pid in testing.ranks_of(run.process):
                        run.wait_for("the handler", lambda pid=pid: catches(pid, number))
                run.process.send_signal(number)
                run.wait_for_words("asked to stop")
                testing.let_go(out)
                code, errors = self.end(run)
                self.assertEqual(code, 75, errors)
                self.assertIn("asked to stop", errors)
                self.assertLessEqual(self.state(out)["step"], 1)
                if ranks is None:
                    self.assert_goes_on_like(out, self.whole)

    def test_in_an_evaluation(self):
        """One that takes seconds (a sentence a batch, many times the same shards) is cut short and made again."""
        more = ["--hidden", 128, "--layers", 2, "--intermediate", 512, "--validation", self.long_validation()]
        whole = self.path("whole")
        self.train(whole, *self.options(*more))
        for number in (signal.SIGTERM, signal.SIGINT):
            out = self.path(number.name)
            testing.hold(out, 5)
            run = self.start(out, *more)
            run.wait_for_lines(5)
            testing.let_go(out)
            time.sleep(0.05)  # into the evaluation
            run.process.send_signal(number)
            code, errors = self.end(run)
            self.assertEqual(code, 75, errors)
            state = self.state(out)
            self.assertEqual((state["step"], state["evaluation_pending"]), (5, True), "the evaluation was over before the signal")
            self.assertEqual([row for row in self.records(out) if "evaluation" in row], [])
            self.assert_goes_on_like(out, whole, *more)

    def long_validation(self):
        pairs = (self.corpus / "validation.tsv").read_text() * 200
        file = testing.write(self.path("long.tsv"), pairs)
        self.corpus.make("shard", "--pairs", file, "--vocab", self.corpus.vocab, "--out", self.path("long"), "--folder", "all")
        return self.path("long") / "all"

    def test_in_a_checkpoint(self):
        out = self.path("run")
        run = self.start(out, "--checkpoint-every", 1, "--evaluate-every", 0, "--hidden", 256, "--intermediate", 1024, "--steps", 100000)
        run.wait_for("a checkpoint in the making", lambda: any((out / "checkpoints").glob(".writing-*")))
        run.process.send_signal(signal.SIGTERM)
        code, errors = self.end(run)
        self.assertEqual(code, 75, errors)
        self.assertGreaterEqual(self.state(out)["step"], 1)
        self.assertEqual([path.name for path in (out / "checkpoints").glob(".*")], [])

    def test_a_second_one_ends_at_once(self):
        for first, second in ((signal.SIGUSR1, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGUSR1, signal.SIGUSR1)):
            with self.subTest(first=first.name, second=second.name):
                out = self.path(f"{first.name}-{second.name}")
                testing.hold(out, 1)  # the first request is not answered before that
                run = self.start(out)
                run.wait_for_lines(1)
                run.process.send_signal(first)
                run.wait_for_words("asked to stop")
                time.sleep(1.1)  # within a second it would be the same request
                run.process.send_signal(second)
                code, errors = self.end(run)
                self.assertEqual(code, -second, errors)
                self.assertIn("asked to stop", errors)
                self.assertIn("asked again", errors)

    def test_the_same_request_passed_on_twice_is_one(self):
        out = self.path("run")
        testing.hold(out, 5)  # a rank that has ended could not be asked again
        run = self.start(out, "--steps", 100000, ranks=2)
        run.wait_for_lines(5)
        for pid in testing.ranks_of(run.process):
            for _ in range(2):  # without a program in between: within a second
                os.kill(pid, signal.SIGUSR1)
        testing.let_go(out)
        code, errors = self.end(run)
        self.assertEqual(code, 75, errors)


def catches(pid, number):
    """Whether the process waits for the signal: it is blocked, and a thread takes it."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    mask = next(line for line in status.split("\n") if line.startswith("SigBlk"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


if __name__ == "__main__":
    testing.main()
