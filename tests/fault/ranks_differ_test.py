#!/usr/bin/env python3
"""Ranks that were not started alike, compute something else, or meet a loss that is not finite.   FOLDER-OF-PROGRAMS"""

import math
import os
import pathlib
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402


class NotAlike(testing.ProgramCase):
    """mpirun starts rank 0 with one command line and rank 1 with another."""

    def both(self, first, second):
        words = ["mpirun", "--bind-to", "none", "--oversubscribe", "-np", "1", *first, ":", "-np", "1", *second]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, env=testing.ENVIRONMENT,
                              timeout=testing.TIMEOUT)

    def trainings(self, out, more_first, more_second, program=None):
        usual = [testing.PROGRAMS / "relmpi-train", *self.training(out, "--steps", 3)]
        other = [program or usual[0], *testing.options(usual[1:], more_second)]
        return self.both([usual[0], *testing.options(usual[1:], more_first)], other)

    def assert_names(self, done, *words):
        self.assert_refused(done, "not started alike", f"rank 1 (host {platform.node()})", *words)

    def test_options(self):
        out = self.path("run")
        done = self.trainings(out, [], ["--lr", 2e-3, "--precision", "bf16"])
        self.assert_names(done, "--lr: 0.002", "but 0.001", "--precision: ", "bf16")
        self.assertFalse(out.exists(), "something was written")

    def test_data_and_model(self):
        other = self.corpus / "validation"
        done = self.trainings(self.path("run"), [], ["--data", other])
        self.assert_names(done, "data: ")
        model = self.path("model")
        self.train(self.path("first"), "--steps", 1)
        shutil.copytree(self.path("first") / "model", model)
        header, data = testing.read_safetensors(model / "model.safetensors")
        struct.pack_into("<f", data, header["bert.embeddings.position_embeddings.weight"]["data_offsets"][0], 0.5)
        testing.write_safetensors(model / "model.safetensors", header, data)
        changes = [["--vocab", None, "--model", folder] for folder in (self.path("first") / "model", model)]
        done = self.trainings(self.path("second"), *changes)
        self.assert_names(done, "weights: ")
        evaluations = [[testing.PROGRAMS / "relmpi-eval", "csc", "--data", self.corpus / "few", "--model", folder]
                       for folder in (self.path("first") / "model", model)]
        self.assert_names(self.both(*evaluations), "weights: ")
        evaluations[1] = [*evaluations[0], "--passes", 2]
        self.assert_names(self.both(*evaluations), "--passes: 2")

    def test_diagnoses(self):
        usual = [testing.PROGRAMS / "relmpi-eval", "diagnose", *testing.SHAPE, "--data", self.corpus / "train", "--vocab",
                 self.corpus.vocab, "--confusion", self.corpus.confusion, "--global-batch", 8, "--device", "cpu", "--steps", 2]
        self.assert_names(self.both(usual, [*usual, "--lr", 2e-3]), "--lr: 0.002")
        other = testing.options(usual, ["--data", self.corpus / "test"])
        self.assert_names(self.both(usual, other), "data: ")

    def test_the_same_data_under_another_path(self):
        copy = self.path("copy")
        shutil.copytree(self.corpus / "train", copy)
        done = self.trainings(self.path("run"), [], ["--data", copy])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_programs(self):
        changed = self.path("relmpi-train")
        testing.write(changed, (testing.PROGRAMS / "relmpi-train").read_bytes() + b"another build")
        changed.chmod(0o755)
        self.assert_names(self.trainings(self.path("run"), [], [], program=changed), "program: ")

    def test_an_error_on_one_rank_ends_all(self):
        gone = self.path("gone")
        done = self.trainings(self.path("run"), [], ["--data", gone])
        self.assert_refused(done, gone)
        done = self.trainings(self.path("run"), [], ["--device", "cuda:99999999999"])
        self.assert_refused(done, "--device cuda:99999999999")


class ComputingApart(testing.ProgramCase):
    UNUSED = "bert.embeddings.position_embeddings.weight"  # its last rows belong to positions that no sentence reaches

    def marked_model(self):
        """A model with a pattern of bytes in a row that training does not change."""
        self.train(self.path("first"), "--steps", 1)
        model = self.path("model")
        shutil.copytree(self.path("first") / "model", model)
        header, data = testing.read_safetensors(model / "model.safetensors")
        pattern = b"".join(struct.pack("<f", math.sin(i + 0.5)) for i in range(32))
        end = header[self.UNUSED]["data_offsets"][1]
        data[end - len(pattern):end] = pattern
        testing.write_safetensors(model / "model.safetensors", header, data)
        return model, pattern

    def flip_in_memory(self, pid, pattern):
        """One bit of each copy of the pattern in a process's memory; returns how many there were."""
        flipped = 0
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                begin, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
                if not mode.startswith("rw") or line.endswith(("[stack]", "[vvar]")):
                    continue
                try:
                    memory.seek(int(begin, 16))
                    content = memory.read(int(end, 16) - int(begin, 16))
                except OSError:
                    continue
                for found in re.finditer(re.escape(pattern), content):
                    memory.seek(int(begin, 16) + found.start() + 1)
                    memory.write(bytes([content[found.start() + 1] ^ 4]))
                    flipped += 1
        return flipped

    def test_a_bit_that_flips_in_one_ranks_memory(self):
        model, pattern = self.marked_model()
        out = self.path("run")
        words = ["--vocab", None, "--model", model, "--weight-decay", 0, "--steps", 100000, "--check-replicas", 10]
        process = subprocess.Popen(testing.command("relmpi-train", *self.training(out, *words), ranks=2), text=True,
                                   env=testing.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        testing.wait_for("steps", lambda: testing.lines_of(out / "metrics.jsonl") >= 25 or process.poll() is not None)
        victim = testing.ranks_of(process)[1]
        os.kill(victim, signal.SIGSTOP)
        try:
            flipped = self.flip_in_memory(victim, pattern)
        except PermissionError as error:
            self.skipTest(f"cannot write to another process's memory: {error}")
        finally:
            os.kill(victim, signal.SIGCONT)
        self.assertGreaterEqual(flipped, 1)
        _, errors = process.communicate(timeout=testing.TIMEOUT)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r"step \d+0: the parameters of the ranks 1 differ from rank 0's")

    def test_a_loss_that_is_not_finite_is_traced_to_its_sentences(self):
        """A position embedding that overflows: only batches with the longest sentences reach it, on whichever rank."""
        self.train(self.path("first"), "--steps", 1)
        model = self.path("model")
        shutil.copytree(self.path("first") / "model", model)
        lengths = [line.index("\t") for line in (self.corpus / "train.tsv").read_text().split("\n") if line]
        sentences = {number for number, length in enumerate(lengths) if length == max(lengths)}
        self.assertLess(len(sentences), 10)
        header, data = testing.read_safetensors(model / "model.safetensors")
        table = header["bert.embeddings.position_embeddings.weight"]
        width = 4 * table["shape"][1]
        at = table["data_offsets"][0] + (2 * max(lengths) + 6 - 1) * width  # the last slot: n + n and 2 x 3 of the prompt
        for i in range(0, width, 4):
            struct.pack_into("<f", data, at + i, 3e38 if i % 8 else -3e38)
        testing.write_safetensors(model / "model.safetensors", header, data)
        out = self.path("run")
        words = ["--vocab", None, "--model", model, "--epochs", 1, "--global-batch", 4]
        done = self.train(out, *words, ranks=2)
        found = re.findall(r"not finite on rank (\d) at step (\d+), epoch 0: sentences ([\d ]+) \(", done.stderr)
        self.assertTrue(found, done.stderr)
        named = {int(number) for _, _, numbers in found for number in numbers.split()}
        self.assertLessEqual(sentences, named)
        for _, _, numbers in found:  # no other batch is named
            self.assertTrue(sentences & {int(number) for number in numbers.split()}, numbers)
        rows = self.steps(out)
        self.assertEqual(rows[-1]["skipped_steps"], len({step for _, step, _ in found}))

    def test_too_many_skipped_steps_end_the_run(self):
        out = self.path("run")
        done = self.train(out, "--lr", 1e30, "--clip", 0, "--steps", 1000, "--max-skipped", 5, ranks=2, code=1)
        self.assertIn("5 steps in a row", done.stderr)
        self.assertIn("not finite on rank", done.stderr)
        self.assertLess(self.steps(out)[-1]["step"], 100)


if __name__ == "__main__":
    testing.main()
