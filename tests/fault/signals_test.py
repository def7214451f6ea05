#!/usr/bin/env python3
"""SIGUSR1, SIGTERM and SIGINT at start-up, in a step, in an evaluation and in a checkpoint.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import signal
import subprocess
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
        words = testing.command("relmpi-train", *self.training(out, *self.options(*more)), ranks=ranks)
        process = subprocess.Popen(words, env=testing.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def end(self, process):
        began = time.monotonic()
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertLess(time.monotonic() - began, GRACE)
        return process.returncode, errors

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
                process = self.start(out, ranks=ranks)
                if ranks is None:  # before its first line of main a process can only die
                    testing.wait_for("the handler", lambda: catches(process.pid, number))
                else:
                    testing.wait_for("the ranks", lambda: len(testing.ranks_of(process)) == ranks)
                    for pid in testing.ranks_of(process):
                        testing.wait_for("the handler", lambda pid=pid: catches(pid, number))
                process.send_signal(number)
                code, errors = self.end(process)
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
            process = self.start(out, *more)
            testing.wait_for("step 5", lambda: testing.lines_of(out / "metrics.jsonl") >= 5 or process.poll() is not None)
            process.send_signal(number)
            code, errors = self.end(process)
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
        process = self.start(out, "--checkpoint-every", 1, "--evaluate-every", 0, "--hidden", 256, "--intermediate", 1024, "--steps", 500)
        testing.wait_for("a checkpoint in the making", lambda: any((out / "checkpoints").glob(".writing-*")), seconds=60)
        process.send_signal(signal.SIGTERM)
        code, errors = self.end(process)
        self.assertEqual(code, 75, errors)
        self.assertGreaterEqual(self.state(out)["step"], 1)
        self.assertEqual([path.name for path in (out / "checkpoints").glob(".*")], [])

    def test_a_second_one_ends_at_once(self):
        for first, second in ((signal.SIGUSR1, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGUSR1, signal.SIGUSR1)):
            with self.subTest(first=first.name, second=second.name):
                out = self.path(f"{first.name}-{second.name}")
                # Steps of many seconds, so that the first request cannot be answered meanwhile.
                process = self.start(out, "--hidden", 768, "--layers", 12, "--intermediate", 3072, "--global-batch", 52,
                                     "--heads", 12)
                testing.wait_for("training", lambda: (out / "metrics.jsonl").exists() or process.poll() is not None)
                time.sleep(0.5)
                process.send_signal(first)
                time.sleep(1.3)  # within a second it would be the same request
                process.send_signal(second)
                code, errors = self.end(process)
                self.assertEqual(code, -second, errors)
                self.assertIn("asked to stop", errors)
                self.assertIn("asked again", errors)

    def test_the_same_request_passed_on_twice_is_one(self):
        out = self.path("run")
        process = self.start(out, "--steps", 100000, ranks=2)
        testing.wait_for("steps", lambda: testing.lines_of(out / "metrics.jsonl") >= 5)
        for pid in testing.ranks_of(process):
            for _ in range(2):
                subprocess.run(["kill", "-USR1", str(pid)], check=True)
        code, errors = self.end(process)
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
