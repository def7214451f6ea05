#!/usr/bin/env python3
"""A run that is stopped and started again is the run that never stopped, to the last bit.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

STEPS = 24  # of 7 an epoch: into the fourth
LAST = f"checkpoints/step-{STEPS:08}"


class Resume(testing.ProgramCase):
    def options(self, *more):
        """Dropout stays on: its random numbers have to go on as well."""
        usual = ["--steps", STEPS, "--lr", 2e-3, "--validation", self.corpus / "validation", "--evaluate-every", 9]
        return testing.options(usual, more)

    def stop_after(self, lines, out, *more, ranks=None):
        """SIGUSR1 at the step whose line is number `lines` of metrics.jsonl. Returns state.json of the checkpoint."""
        testing.hold(out, lines)
        run = testing.Started(self, self.training(out, *self.options(*more)), out, ranks=ranks)
        run.wait_for_lines(lines)
        run.process.send_signal(signal.SIGUSR1)
        run.wait_for_words("asked to stop")
        testing.let_go(out)
        code, errors = run.end()
        self.assertEqual(code, 75, errors)
        newest = max((out / "checkpoints").glob("step-*"))
        self.assertTrue((newest / "COMPLETE").exists())
        self.assertIn("stopped on request", errors)
        return json.loads((newest / "state.json").read_text())

    def records(self, out):
        rows = testing.read_rows(out / "metrics.jsonl")
        return [{name: value for name, value in row.items() if name not in testing.TIMING} for row in rows]

    def assert_same_run(self, found, wanted):
        self.assertEqual(self.records(found), self.records(wanted))
        for file in ("model.safetensors", "optimizer.safetensors", "config.json", "state.json", "COMPLETE"):
            self.assertEqual((found / LAST / file).read_bytes(), (wanted / LAST / file).read_bytes(), file)
        self.assertEqual((found / "model/model.safetensors").read_bytes(), (wanted / "model/model.safetensors").read_bytes())
        names = sorted(path.name for path in (found / "checkpoints").iterdir())
        self.assertTrue(all(name.startswith("step-") for name in names), names)

    def stopped_twice(self, name, *more, ranks=None):
        whole = self.path(f"{name}-whole")
        self.train(whole, *self.options(*more), ranks=ranks)
        out = self.path(name)
        first = self.stop_after(3, out, *more, ranks=ranks)
        second = self.stop_after(12, out, *more, ranks=ranks)
        self.assertLess(first["step"], second["step"])
        done = self.train(out, *self.options(*more), ranks=ranks)
        self.assertIn(f"{second['step']} of {STEPS} steps done", done.stderr)
        self.assert_same_run(out, whole)
        return first, second

    def test_one_process_fp32(self):
        first, second = self.stopped_twice("run")
        self.assertTrue(first["step_in_epoch"] > 0 or second["step_in_epoch"] > 0, (first, second))
        self.assertGreaterEqual(second["epoch"], 1)

    def test_one_process_bf16_with_micro_batches(self):
        self.stopped_twice("run", "--precision", "bf16", "--micro-batch", 3)

    def test_one_process_fp16_keeps_its_loss_scale(self):
        self.stopped_twice("run", "--precision", "fp16")

    def test_two_ranks(self):
        for precision in ("fp32", "bf16"):
            with self.subTest(precision):
                self.stopped_twice(precision, "--precision", precision, ranks=2)

    def test_tuned_thresholds_go_on_too(self):
        self.stopped_twice("run", "--tune-thresholds")

    def test_thresholds_last_until_the_next_evaluation(self):
        out = self.path("run")
        words = self.options("--tune-thresholds", "--evaluate-every", 10, "--checkpoint-every", 5, "--steps", 20)
        self.train(out, *words)
        between = (out / "checkpoints/step-00000015/config.json").read_bytes()
        tuned = json.loads(between)["dgca"]["thresholds"]
        self.assertNotEqual(tuned, {"detect": 0.5, "gate": 0.3, "margin": 0.0}, "these defaults test nothing")
        for step in ("step-00000015", "step-00000020"):
            shutil.rmtree(out / "checkpoints" / step)
        self.train(out, *words)
        self.assertEqual((out / "checkpoints/step-00000015/config.json").read_bytes(), between)

    def test_another_number_of_ranks_goes_on_alike(self):
        whole = self.path("whole")
        still = [*testing.NO_DROPOUT, "--checkpoint-every", 10, "--evaluate-every", 0]
        self.train(whole, *self.options(*still))
        for ranks in (2, 3):
            out = self.path(str(ranks))
            shutil.copytree(whole, out)
            for later in (out / "checkpoints").glob("step-*"):
                if later.name > "step-00000010":
                    shutil.rmtree(later)
            self.train(out, *self.options(*still), ranks=ranks)
            self.assert_same_losses(self.steps(out), self.steps(whole))


class Checkpoints(testing.ProgramCase):
    """What stands in the way of going on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole"
        cls.options = ["--steps", 9, "--checkpoint-every", 4]
        cls.train(cls.whole, *cls.options)

    def copy(self, name):
        out = self.path(name)
        shutil.copytree(self.whole, out)
        return out

    def newest_two(self, out):
        return sorted((out / "checkpoints").iterdir())[-2:]

    def test_damaged_checkpoints_are_passed_over_by_name(self):
        damages = {
            "COMPLETE": lambda folder: (folder / "COMPLETE").unlink(),
            "model.safetensors": lambda folder: testing.flip_bit(folder / "model.safetensors"),
            "optimizer.safetensors": lambda folder: testing.flip_bit(folder / "optimizer.safetensors", 0.9),
            "state.json": lambda folder: testing.flip_bit(folder / "state.json"),
            "config.json": lambda folder: (folder / "config.json").unlink(),
            "vocab.txt": lambda folder: (folder / "vocab.txt").write_text("[PAD]\n"),
        }
        for file, damage in damages.items():
            with self.subTest(file):
                out = self.copy(file)
                before, newest = self.newest_two(out)
                self.assertEqual([before.name, newest.name], ["step-00000008", "step-00000009"])
                damage(newest)
                done = self.train(out, *self.options)
                self.assertIn(f"{newest} is passed over", done.stderr)
                self.assertIn(file, done.stderr)
                self.assertIn(f"resuming from {before}: 8 of 9 steps done", done.stderr)
                for name in ("model.safetensors", "optimizer.safetensors"):
                    self.assertEqual((newest / name).read_bytes(), (self.whole / "checkpoints" / newest.name / name).read_bytes())
                self.assertEqual([row["step"] for row in self.steps(out)], list(range(1, 10)))

    def test_with_no_whole_checkpoint_the_run_starts_anew(self):
        out = self.copy("run")
        for folder in (out / "checkpoints").iterdir():
            (folder / "COMPLETE").unlink()
        self.train(out, *self.options)
        self.assert_same_losses(self.steps(out), self.steps(self.whole), tolerance=0)

    def test_a_finished_run_is_left_alone(self):
        out = self.copy("run")
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "log.txt"}
        done = self.train(out, *self.options)
        self.assertIn("nothing to do", done.stderr)
        for path, content in before.items():
            if path.name not in ("environment.json", "config.toml"):  # these name the folder, and the copy has another
                self.assertEqual(path.read_bytes(), content, path)

    def test_allowed_changes_go_on_and_are_recorded(self):
        out = self.copy("run")
        longer = testing.options(self.options, ["--steps", 12, "--lr", 2e-3])
        refused = testing.run("relmpi-train", *self.training(out, *longer))
        self.assert_refused(refused, "steps: 9 before, 12 now", "lr: 0.001 before, 0.002 now", "--allow-change lr")
        half = testing.run("relmpi-train", *self.training(out, *longer, "--allow-change", "steps"))
        self.assert_refused(half, "lr: 0.001 before")
        self.assertNotIn("steps: 9", half.stderr)
        done = self.train(out, *longer, "--allow-change", "steps,lr")
        self.assertIn("9 of 12 steps done", done.stderr)
        state = json.loads((out / "checkpoints/step-00000012/state.json").read_text())
        self.assertEqual(sorted((change["name"], change["step"], change["before"], change["after"]) for change in state["changes"]),
                         [("lr", 9, 0.001, 0.002), ("steps", 9, 9, 12)])
        self.train(out, *longer)  # it is this run now
        for name in ("seed", "data", "global-batch", "nonsense"):
            self.assert_refused(testing.run("relmpi-train", *self.training(out, *self.options, "--allow-change", name)),
                                f"--allow-change {name}", "what may change within a run: adam-epsilon, ")

    def test_patience_and_the_best_are_kept(self):
        """Stopped between two evaluations, the run counts on from those before."""
        words = ["--steps", 200, "--validation", self.corpus / "validation", "--evaluate-every", 2, "--patience", 3, "--lr", 1e-9,
                 "--checkpoint-every", 1, "--keep-last", 200]
        whole, out = self.path("whole"), self.path("run")
        self.train(whole, *words)
        last = json.loads(max((whole / "checkpoints").glob("step-*")).joinpath("state.json").read_text())
        self.assertEqual((last["step"], last["evaluations_without_best"]), (8, 3))  # the first is the best, then three
        shutil.copytree(whole, out)
        for folder in (out / "checkpoints").iterdir():
            if folder.name > "step-00000005":
                shutil.rmtree(folder)
        done = self.train(out, *words)
        self.assertIn("5 of 200 steps done", done.stderr)
        self.assertIn("3 evaluations without a better f1: training ends at step 8 (best: step 2)", done.stderr)
        for name in ("model.safetensors", "state.json"):
            self.assertEqual((out / "checkpoints/step-00000008" / name).read_bytes(),
                             (whole / "checkpoints/step-00000008" / name).read_bytes())

    def test_half_a_line_of_metrics_is_dropped(self):
        out = self.copy("run")
        shutil.rmtree(self.newest_two(out)[1])
        with (out / "metrics.jsonl").open("a") as stream:
            stream.write('{"step":9,"lo')
        self.train(out, *self.options)
        self.assertEqual([row["step"] for row in testing.read_rows(out / "metrics.jsonl")], list(range(1, 10)))

    def test_another_run_is_not_gone_on_with(self):
        changes = {
            "lr": ["--lr", 0.5],
            "data": ["--data", self.corpus / "test"],
            "validation": ["--validation", self.corpus / "validation"],
            "seed": ["--seed", 12],
            "global-batch": ["--global-batch", 4],
            "steps": ["--steps", 12],
            "precision": ["--precision", "bf16"],
            "warmup": ["--warmup", 0.3],
            "mft-rate": ["--mft-rate", 0.4],
            "candidates": ["--mix-same", 0, "--mix-shape", 0.9, "--candidate-count", 3],
        }
        out = self.copy("run")
        shutil.rmtree(self.newest_two(out)[1])
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for name, options in changes.items():
            with self.subTest(name):
                done = testing.run("relmpi-train", *self.training(out, *self.options, *options))
                if "--steps" in options:
                    done = testing.run("relmpi-train", *self.training(out, "--checkpoint-every", 4, *options))
                self.assert_refused(done, f"\n  {name}: ")
                if name == "lr":
                    self.assertIn("0.001 before, 0.5 now", done.stderr)
                    self.assertEqual(done.stderr.count(" before, "), 1)
        for path, content in before.items():
            if path.name != "log.txt":
                self.assertEqual(path.read_bytes(), content, path)

    def test_what_only_matters_to_speed_may_change(self):
        out = self.copy("run")
        shutil.rmtree(self.newest_two(out)[1])
        self.train(out, *self.options, "--micro-batch", 3, "--prefetch", 0, "--log-every", 2, "--preload")


if __name__ == "__main__":
    testing.main()
