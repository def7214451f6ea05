#!/usr/bin/env python3
"""Training when a rank is killed, the disk is full or the folder cannot be written.   FOLDER-OF-PROGRAMS"""

import json
import os
import pathlib
import platform
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
FIRST_IS_WHOLE = 7  # lines of metrics: checkpoints are written beside the steps, and that of step 6 waits for that of step 3
# fsync of the file named by FAILING_FILE (or of its temporary name) fails.
EIO = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int fsync(int descriptor) {
  char link[64], path[4096] = {0};
  const char* failing = getenv("FAILING_FILE");
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  if (failing && readlink(link, path, sizeof path - 1) > 0 && strstr(path, ".writing-") && strstr(path, failing)) {
    errno = EIO;
    return -1;
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}
"""
PROMPT = 30  # seconds in which a job that lost a rank must end


class Fault(testing.ProgramCase):
    def start(self, out, *more, ranks=None, **options):
        words = testing.command("relmpi-train", *self.training(out, *testing.options(LONG, more)), ranks=ranks)
        process = subprocess.Popen(words, env=testing.holding(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
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

    def goes_on(self, out, *more, ranks=None):
        """The run resumes from its newest checkpoint without a word about damage."""
        newest = self.whole_checkpoints(out)[-1]
        process = self.start(out, *more, ranks=ranks)
        testing.wait_for("a newer checkpoint", lambda: self.whole_checkpoints(out)[-1:] > [newest] or process.poll() is not None)
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
                self.wait_for_lines(out, FIRST_IS_WHOLE, process)
                pids = testing.ranks_of(process)
                self.assertEqual(len(pids), 3)
                os.kill(pids[victim], signal.SIGKILL)
                began = time.monotonic()
                process.communicate(timeout=testing.TIMEOUT)
                self.assertLess(time.monotonic() - began, PROMPT)
                self.assertNotEqual(process.returncode, 0)
                for pid in pids:
                    testing.wait_for(f"the end of rank process {pid}", lambda: not testing.runs(pid))
                self.assertGreaterEqual(self.whole_checkpoints(out)[-1], 3)
        self.goes_on(out, ranks=2)

    def test_a_rank_killed_in_an_evaluation_or_a_checkpoint(self):
        """The moments are seen from outside: a step whose evaluation is due is logged; a checkpoint's folder is there."""
        pairs = testing.write(self.path("long.tsv"), (self.corpus / "validation.tsv").read_text() * 100)
        self.corpus.make("shard", "--pairs", pairs, "--vocab", self.corpus.vocab, "--out", self.path("long"), "--folder", "all")
        large = ["--hidden", 256, "--intermediate", 1024, "--layers", 2]
        cases = {"evaluation": [*large, "--validation", self.path("long") / "all", "--evaluate-every", 4],
                 "checkpoint": large}
        for name, more in cases.items():
            for victim in (0, 1):
                with self.subTest(name, victim=victim):
                    out = self.path(f"{name}-{victim}")
                    if name == "evaluation":  # it begins when the one of step 3 is written, however long that takes
                        testing.hold(out, 4)
                    process = self.start(out, *more, ranks=2)
                    self.wait_for_lines(out, 4 if name == "evaluation" else FIRST_IS_WHOLE, process)
                    if name == "checkpoint":
                        testing.wait_for("a checkpoint", lambda: any((out / "checkpoints").glob(".writing-*")))
                    else:
                        testing.wait_for("the one of step 3", lambda: any((out / "checkpoints").glob("step-*")))
                        testing.let_go(out)
                        time.sleep(0.05)  # into the evaluation
                    os.kill(testing.ranks_of(process)[victim], signal.SIGKILL)
                    _, errors = process.communicate(timeout=PROMPT)
                    self.assertNotEqual(process.returncode, 0, errors)
                    if name == "evaluation":
                        self.assertNotIn("evaluation", (out / "metrics.jsonl").read_text(), "it was over")
                        self.assertEqual(self.whole_checkpoints(out)[-1], 3)
                    self.goes_on(out, *more, ranks=2)

    def test_a_killed_process_leaves_a_whole_checkpoint(self):
        out = self.path("run")
        for lines in (FIRST_IS_WHOLE, 20, 31):  # wherever it was, in a step or amid a checkpoint
            process = self.start(out)
            self.wait_for_lines(out, lines, process)
            process.kill()
            process.communicate(timeout=testing.TIMEOUT)
            self.assertGreaterEqual(self.whole_checkpoints(out)[-1], 3)
        self.goes_on(out)

    def test_a_rank_that_hangs_is_noticed(self):
        out = self.path("run")
        # No checkpoints: a disk that takes seconds to answer would be noticed too.
        process = self.start(out, "--collective-timeout", 3, "--checkpoint-every", 0, ranks=2)
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
        self.assertRegex(errors, r"rank 0, step \d+: .*\(MPI_\w+\) did not finish in 3 s")
        self.assertIn(f"rank 1 (host {platform.node()}, process {pids[1]}) was not heard from: the process is stopped", errors)
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
        """Runs the last steps again, up to a checkpoint that cannot be written: the one before stays."""
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

    def small_disk(self, size, *more):
        disk = self.path("disk")
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *more]), "tmpfs", disk],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount a small disk: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        return disk

    def test_a_full_disk_leaves_the_checkpoint_before(self):
        disk = self.small_disk("16m")
        out = disk / "run"
        process = self.start(out)
        self.wait_for_lines(out, FIRST_IS_WHOLE + 3, process)
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:  # until nothing fits any more, while checkpoints come and go
            while process.poll() is None:
                try:
                    file.write(b"x" * 65536)
                except OSError:
                    time.sleep(0.01)
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("No space left on device", errors)
        self.assertIn(str(out), errors)
        kept = self.whole_checkpoints(out)
        self.assertGreaterEqual(kept[-1], 6)
        filler.unlink()
        self.goes_on(out)

    def test_too_little_room_is_said_before_training(self):
        disk = self.small_disk("1m")
        out = disk / "run"
        for ranks in (None, 2):
            done = testing.run("relmpi-train", *self.training(out, *LONG), ranks=ranks)
            self.assert_refused(done, disk, "MB free", "--keep-last")
            self.assertEqual([path.name for path in (out / "checkpoints").iterdir()], [])
        done = testing.run("relmpi-train", *self.training(out, "--steps", 2, "--checkpoint-every", 0, "--hidden", 8))
        self.assertEqual(done.returncode, 0, done.stderr)  # what fits is not refused

    def test_a_folder_that_vanishes(self):
        out = self.path("run")
        process = self.start(out)
        self.wait_for_lines(out, FIRST_IS_WHOLE, process)
        elsewhere = self.path("elsewhere")
        (out / "checkpoints").rename(elsewhere)
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("vanished", errors)
        self.assertFalse((out / "checkpoints").exists(), "it was made anew")
        elsewhere.rename(out / "checkpoints")
        self.goes_on(out)

    def test_a_disk_that_fails(self):
        """fsync says EIO, as a dying disk does: a library between the program and the system says so for it."""
        out = self.path("run")
        self.six_of_nine_steps(out)
        library = testing.preloaded("eio", EIO)
        for failing in ("model.safetensors", "optimizer.safetensors", "state.json", "COMPLETE"):
            with self.subTest(failing):
                environment = {**testing.ENVIRONMENT, "LD_PRELOAD": library, "FAILING_FILE": failing}
                words = testing.command("relmpi-train", *self.training(out, "--steps", 9, "--checkpoint-every", 3))
                done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=testing.TIMEOUT)
                self.assert_refused(done, out / "checkpoints", failing, "Input/output error", code=1)
                self.assertEqual([path.name for path in (out / "checkpoints").iterdir()], ["step-00000006"])
                self.assertEqual(self.whole_checkpoints(out), [6])

    def test_a_folder_that_cannot_be_written(self):
        file = testing.write(self.path("file"), "")
        for out, reason in ((file / "run", "Not a directory"), (file, file.name), (pathlib.Path("/proc/run"), "/proc/run")):
            for ranks in (None, 2):
                with self.subTest(out=out.name, ranks=ranks):
                    done = testing.run("relmpi-train", *self.training(out, "--steps", 1), ranks=ranks)
                    self.assert_refused(done, out, reason)

    def test_a_read_only_disk(self):
        disk = self.small_disk("1m", "ro")
        done = testing.run("relmpi-train", *self.training(disk / "run", "--steps", 1))
        self.assert_refused(done, disk / "run", "Read-only file system")


if __name__ == "__main__":
    testing.main()
