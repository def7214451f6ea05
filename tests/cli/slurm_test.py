#!/usr/bin/env python3
"""scripts/slurm/train.sbatch with a launcher, a trainer and a scontrol of our own: what it does with signals and codes."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "scripts/slurm/train.sbatch"
# Runs until SIGUSR1, takes a moment for its checkpoint, exits 75; or ends at once with the code given.
TRAINER = """#!/usr/bin/env python3
import signal, sys, time
print("arguments:", *sys.argv[1:], flush=True)
if sys.argv[1] == "--code":
    sys.exit(int(sys.argv[2]))
def stop(*_):
    print("checkpoint", flush=True)
    time.sleep(0.3)
    sys.exit(75)
signal.signal(signal.SIGUSR1, stop)
print("ready", flush=True)
while True:
    time.sleep(0.05)
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
        code = process.wait(timeout=600)
        self.log.close()
        calls = self.root / "scontrol.log"
        return code, (self.root / "log").read_text(), calls.read_text().split("\n")[:-1] if calls.exists() else []

    def stopped_by(self, number, **environment):
        process = self.start("--out", "a folder", **environment)
        testing.wait_for("the trainer", lambda: "ready" in (self.root / "log").read_text())
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
        for expected in (0, 1, 2, 74, 139):
            code, _, calls = self.end(self.start("--code", str(expected)))
            self.assertEqual((code, calls), (expected, []))

    def test_ranks_that_were_told_to_stop_by_others_are_requeued(self):
        code, log, calls = self.end(self.start("--code", "75"))
        self.assertEqual((code, calls), (0, ["requeue 42"]), log)

    def test_a_signal_before_the_ranks_listen_requeues(self):
        self.program("relmpi-train", "#!/bin/bash\necho ready\nsleep 10\n")
        code, log, calls = self.stopped_by(signal.SIGUSR1)
        self.assertEqual((code, calls), (0, ["requeue 42"]), log)

    ARRAY = {"SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "3"}

    def test_a_task_of_an_array_is_requeued_alone(self):
        code, log, calls = self.end(self.start("--code", "75", "--seed", "%a", "--out", "the run/%a-%a", **self.ARRAY))
        self.assertEqual((code, calls), (0, ["requeue 42_3"]), log)
        self.assertIn("arguments: --code 75 --seed 3 --out the run/3-3\n", log)

    def test_tasks_of_an_array_do_not_share_a_folder(self):
        for words in (["--out", "run"], ["--out=run", "--seed", "%a"], []):
            code, log, _ = self.end(self.start(*words, **self.ARRAY))
            self.assertEqual(code, 2, log)
            self.assertIn("--out runs/seed-%a", log)
            self.assertNotIn("arguments", log)
        code, log, _ = self.end(self.start("--code", "1", "--out=run-%a", **self.ARRAY))
        self.assertIn("arguments: --code 1 --out=run-3\n", log)

    def test_percent_signs_stay_without_an_array(self):
        _, log, _ = self.end(self.start("--code", "1", "--out", "run-%a"))
        self.assertIn("arguments: --code 1 --out run-%a\n", log)

    def test_a_missing_program_is_named(self):
        code, log, _ = self.end(self.start(RELMPI_BIN="/nowhere"))
        self.assertEqual(code, 2)
        self.assertIn("/nowhere/relmpi-train", log)


if __name__ == "__main__":
    unittest.main()
