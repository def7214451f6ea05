#!/usr/bin/env python3
"""Training when a rank is killed, the disk is full or the folder cannot be written.   FOLDER-OF-PROGRAMS"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

LONG = ["--steps", 100000, "--checkpoint-every", 3]
PROMPT = 30  # seconds in which a job that lost a rank must end


class Fault(testing.ProgramCase):
    def start(self, out, *more, ranks=None, **options):
        words = testing.command("relmpi-train", *self.training(out, *LONG, *more), ranks=ranks)
        process = subprocess.Popen(words, env=testing.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True, **options)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def wait_for_lines(self, out, lines, process):
        testing.wait_for(f"line {lines} of {out}",
                         lambda: testing.lines_of(out / "metrics.jsonl") >= lines or process.poll() is not None)
        self.assertIsNone(process.poll(), "the run ended by itself")

    def whole_checkpoints(self, out):
        """Steps of the checkpoints; each must be whole, and nothing half-written may have a checkpoint's name."""
        steps = []
        for folder in sorted((out / "checkpoints").glob("step-*")):
            try:
                complete = json.loads((folder / "COMPLETE").read_text())
            except FileNotFoundError:  # being removed: the marker goes first
                self.assertTrue(any(one > folder for one in (out / "checkpoints").glob("step-*")), "the newest has no marker")
                continue
            self.assertEqual(set(complete["files"]), {"model.safetensors", "optimizer.safetensors", "config.json", "vocab.txt",
                                                      "state.json"})
            steps.append(complete["step"])
        return steps

    def goes_on(self, out, ranks=None):
        """The run resumes from its newest checkpoint without a word about damage."""
        newest = self.whole_checkpoints(out)[-1]
        process = self.start(out, ranks=ranks)
        testing.wait_for("a newer checkpoint", lambda: self.whole_checkpoints(out)[-1] > newest or process.poll() is not None)
        process.send_signal(signal.SIGTERM if ranks is None else signal.SIGUSR1)  # at SIGTERM, mpirun kills its ranks
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertEqual(process.returncode, 75, errors)
        self.assertIn(f"{newest} of 100000 steps done", errors)
        self.assertNotIn("passed over", errors)
        steps = [row["step"] for row in self.steps(out)]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_a_killed_rank_ends_the_job(self):
        for victim in (0, 1, 2):
            with self.subTest(victim=victim):
                out = self.path(str(victim))
                process = self.start(out, ranks=3)
                self.wait_for_lines(out, 5, process)
                pids = testing.ranks_of(process)
                self.assertEqual(len(pids), 3)
                os.kill(pids[victim], signal.SIGKILL)
                began = time.monotonic()
                process.communicate(timeout=testing.TIMEOUT)
                self.assertLess(time.monotonic() - began, PROMPT)
                self.assertNotEqual(process.returncode, 0)
                for pid in pids:
                    testing.wait_for(f"the end of rank process {pid}", lambda: not testing.runs(pid), seconds=10)
                self.assertGreaterEqual(self.whole_checkpoints(out)[-1], 3)
        self.goes_on(out, ranks=2)

    def test_a_killed_process_leaves_a_whole_checkpoint(self):
        out = self.path("run")
        for lines in (5, 20, 31):  # wherever it was, in a step or amid a checkpoint
            process = self.start(out)
            self.wait_for_lines(out, lines, process)
            process.kill()
            process.communicate(timeout=testing.TIMEOUT)
            self.assertGreaterEqual(self.whole_checkpoints(out)[-1], 3)
        self.goes_on(out)

    def test_a_rank_that_hangs_is_noticed(self):
        out = self.path("run")
        process = self.start(out, "--collective-timeout", 3, ranks=2)
        self.wait_for_lines(out, 5, process)
        pids = testing.ranks_of(process)
        os.kill(pids[1], signal.SIGSTOP)
        began = time.monotonic()
        try:
            _, errors = process.communicate(timeout=testing.TIMEOUT)
        finally:
            if testing.runs(pids[1]):
                os.kill(pids[1], signal.SIGCONT)
        self.assertLess(time.monotonic() - began, 3 + PROMPT)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r"rank 0: MPI_\w+ did not finish in 3 s")
        self.assertIn("--collective-timeout", errors)

    def test_a_signal_to_one_rank_stops_all(self):
        out = self.path("run")
        process = self.start(out, ranks=2)
        self.wait_for_lines(out, 4, process)
        os.kill(testing.ranks_of(process)[1], signal.SIGUSR1)
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertEqual(process.returncode, 75, errors)
        self.assertEqual(self.whole_checkpoints(out)[-1], self.steps(out)[-1]["step"])

    def fails_to_save(self, out, file, reason, **options):
        """Runs the last steps again, up to a checkpoint that cannot be written."""
        done = testing.run("relmpi-train", *self.training(out, "--steps", 9, "--checkpoint-every", 3), **options)
        self.assert_refused(done, out / "checkpoints", file, reason, code=1)
        self.assertEqual([path.name for path in (out / "checkpoints").iterdir()], ["step-00000006"])
        self.assertEqual(self.whole_checkpoints(out), [6])

    def six_of_nine_steps(self, out):
        self.train(out, "--steps", 9, "--checkpoint-every", 3)
        last = out / "checkpoints/step-00000009"
        sizes = {path.name: path.stat().st_size for path in last.iterdir()}
        shutil.rmtree(last)
        return sizes

    def test_a_checkpoint_cut_short_leaves_the_one_before(self):
        """A limit on the size of files: writing fails half-way, as it does on a full disk, and as any user."""
        out = self.path("run")
        sizes = self.six_of_nine_steps(out)
        for file, limit in (("model.safetensors", sizes["model.safetensors"] // 2),
                            ("optimizer.safetensors", sizes["model.safetensors"] + 10000)):
            with self.subTest(file):
                self.assertLess(limit, sizes[file])

                def limited():
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

                self.fails_to_save(out, file, "File too large", preexec_fn=limited)
        self.train(out, "--steps", 9, "--checkpoint-every", 3)
        self.assertEqual(self.whole_checkpoints(out), [6, 9])

    def test_a_full_disk_leaves_the_checkpoint_before(self):
        disk = self.path("disk")
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount a small disk: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        out = disk / "run"
        sizes = self.six_of_nine_steps(out)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        filler = testing.write(disk / "filler", b"x" * (free - sizes["model.safetensors"] - 20000))
        self.fails_to_save(out, "optimizer.safetensors", "No space left on device")
        filler.unlink()
        self.train(out, "--steps", 9, "--checkpoint-every", 3)
        self.assertEqual(self.whole_checkpoints(out), [6, 9])

    def test_a_folder_that_cannot_be_written(self):
        file = testing.write(self.path("file"), "")
        for out, reason in ((file / "run", "Not a directory"), (file, file.name), (pathlib.Path("/proc/run"), "/proc/run")):
            for ranks in (None, 2):
                with self.subTest(out=out.name, ranks=ranks):
                    done = testing.run("relmpi-train", *self.training(out, "--steps", 1), ranks=ranks)
                    self.assert_refused(done, out, reason)

    def test_a_read_only_disk(self):
        disk = self.path("disk")
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount a read-only disk: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        done = testing.run("relmpi-train", *self.training(disk / "run", "--steps", 1))
        self.assert_refused(done, disk / "run", "Read-only file system")


if __name__ == "__main__":
    testing.main()
