#!/usr/bin/env python3
"""scripts/slurm/train.sbatch with a launcher, a trainer and a scontrol of our own: what it does with signals and codes."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "scripts/slurm/train.sbatch"
# Runs until SIGUSR1, takes a moment for its checkpoint, exits 75; or ends at once with the code given.
TRAINER = """#!/bin/bash
echo "arguments: $*"
[[ ${1:-} == --code ]] && exit $2
trap 'echo checkpoint; sleep 0.3; exit 75' USR1
echo ready
while :; do sleep 0.05; done
"""


class Template(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.program("relmpi-train", TRAINER)
        self.program("scontrol", f'#!/bin/bash\necho "$*" >> {self.root}/scontrol.log\nexit ${{SCONTROL_CODE:-0}}\n')

    def tearDown(self):
        self.folder.cleanup()

    def program(self, name, text):
        (self.root / name).write_text(text)
        (self.root / name).chmod(0o755)

    def start(self, *arguments, **environment):
        variables = {
            "PATH": f"{self.root}:{os.environ['PATH']}",
            "RELMPI_BIN": str(self.root),
            "RELMPI_LAUNCH": "env",
            "SLURM_JOB_ID": "42",
            "SLURM_SUBMIT_DIR": str(self.root),
        } | environment
        self.log = open(self.root / "log", "w+")
        return subprocess.Popen(["bash", str(TEMPLATE), *arguments], env=variables, stdout=self.log, stderr=self.log)

    def end(self, process):
        code = process.wait(timeout=20)
        self.log.close()
        calls = self.root / "scontrol.log"
        return code, (self.root / "log").read_text(), calls.read_text().split("\n")[:-1] if calls.exists() else []

    def stopped_by(self, number, **environment):
        process = self.start("--out", "a folder", **environment)
        deadline = time.monotonic() + 10
        while "ready" not in (self.root / "log").read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        return self.end(process)

    def test_time_limit_makes_a_checkpoint_and_requeues(self):
        code, log, calls = self.stopped_by(signal.SIGUSR1)
        self.assertEqual((code, calls), (0, ["requeue 42"]), log)
        self.assertIn("checkpoint", log)
        self.assertIn("arguments: --out a folder", log)

    def test_sigterm_makes_a_checkpoint_and_leaves_the_queue_alone(self):
        code, log, calls = self.stopped_by(signal.SIGTERM)
        self.assertEqual((code, calls), (75, []), log)
        self.assertIn("checkpoint", log)

    def test_a_failed_requeue_is_told(self):
        code, log, _ = self.stopped_by(signal.SIGUSR1, SCONTROL_CODE="1")
        self.assertEqual(code, 75)
        self.assertIn("submit the same command again", log)

    def test_requeues_are_limited(self):
        code, log, calls = self.stopped_by(signal.SIGUSR1, SLURM_RESTART_COUNT="3", RELMPI_MAX_REQUEUES="3")
        self.assertEqual((code, calls), (75, []), log)

    def test_other_codes_pass_through(self):
        for expected in (0, 1, 2, 75):
            code, _, calls = self.end(self.start("--code", str(expected)))
            self.assertEqual((code, calls), (expected, []))

    def test_a_missing_program_is_named(self):
        code, log, _ = self.end(self.start(RELMPI_BIN="/nowhere"))
        self.assertEqual(code, 2)
        self.assertIn("/nowhere/relmpi-train", log)


if __name__ == "__main__":
    unittest.main()
