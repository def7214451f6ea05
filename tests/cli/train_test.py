#!/usr/bin/env python3
"""relmpi-train as a program: its folder, its records, how runs end, and what it says to wrong use.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

METRICS = {"step", "epoch", "loss", "correction", "detection", "rank", "aux", "lr", "grad_norm", "loss_scale",
           "samples_per_s", "tokens_per_s", "step_ms", "data_wait_ms", "comm_wait_ms", "skipped_steps"}


class Run(testing.ProgramCase):
    def test_the_folder_of_a_run(self):
        out = self.path("run")
        environment = {name: value for name, value in testing.ENVIRONMENT.items() if name != "PATH"}
        words = self.training(out, "--steps", 10, "--validation", self.corpus / "validation", "--evaluate-every", 5)
        done = subprocess.run(testing.command("relmpi-train", *words), env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)  # without PATH there is no mpirun to be found
        self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(path.name for path in out.iterdir()),
                         ["checkpoints", "config.toml", "environment.json", "log.txt", "metrics.jsonl", "model"])
        newest = out / "checkpoints/step-00000010"
        self.assertEqual(sorted(path.name for path in newest.iterdir()),
                         ["COMPLETE", "config.json", "model.safetensors", "optimizer.safetensors", "state.json", "vocab.txt"])
        self.assertEqual(sorted(path.name for path in (out / "model").iterdir()),
                         ["config.json", "model.safetensors", "vocab.txt"])
        self.assertEqual((newest / "vocab.txt").read_bytes(), self.corpus.vocab.read_bytes())
        environment = json.loads((out / "environment.json").read_text())
        self.assertEqual(environment["backend"], "single")
        rows = testing.read_rows(out / "metrics.jsonl")
        self.assertEqual([row["step"] for row in rows if "evaluation" in row], [5, 10])
        for row in rows:
            if "evaluation" in row:
                self.assertLessEqual({"loss", "precision", "recall", "f1", "f2", "fpr", "wpr"}, set(row["evaluation"]))
            else:
                self.assertLessEqual(METRICS, set(row))
                self.assertAlmostEqual(row["loss"], row["correction"] + row["detection"] + 0.5 * row["rank"] + row["aux"], 9)

    def test_the_schedule_is_in_the_log(self):
        out = self.path("run")
        self.train(out, "--steps", 10, "--warmup", 0.2, "--lr", 1e-3)
        rates = [row["lr"] for row in self.steps(out)]
        for rate, wanted in zip(rates, [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]):
            self.assertAlmostEqual(rate, 1e-3 * wanted, 12, rates)

    def test_epochs_are_counted_in_steps(self):
        out = self.path("run")
        self.train(out, "--epochs", 1.5)
        self.assertEqual(self.steps(out)[-1]["step"], 11)  # 7 an epoch

    def test_config_toml_runs_the_run_again(self):
        first, again = self.path("first"), self.path("again")
        self.train(first, "--steps", 6, "--layer-norm", "pre", "--positions", "aligned", "--mft-rate", 0.35, "--seed", 9)
        done = testing.run("relmpi-train", "--config", first / "config.toml", "--out", again)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_losses(self.steps(again), self.steps(first), tolerance=0)
        for file in ("model.safetensors", "optimizer.safetensors"):
            self.assertEqual((first / "checkpoints/step-00000006" / file).read_bytes(),
                             (again / "checkpoints/step-00000006" / file).read_bytes())
        config = json.loads((again / "model/config.json").read_text())["dgca"]
        self.assertEqual((config["layer_norm"], config["positions"]), ("pre", "aligned"))

    def test_the_model_opens_in_csc_and_trains_on(self):
        out = self.path("run")
        self.train(out, "--steps", 3)
        done = testing.run("relmpi-eval", "csc", "--model", out / "model", "--data", self.corpus / "test", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["sentences"], 37)
        more = self.path("more")
        done = testing.run("relmpi-train", "--model", out / "model", "--data", self.corpus / "train", "--out", more, "--steps",
                           2, "--global-batch", 8)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_best_model_and_the_checkpoints_that_are_kept(self):
        out = self.path("run")
        self.train(out, *testing.NO_DROPOUT, "--steps", 63, "--lr", 3e-3, "--hidden", 64, "--layers", 2, "--validation",
                   self.corpus / "train", "--evaluate-every", 7, "--global-batch", 16, "--log-every", 63)
        scores = {row["step"]: row["evaluation"]["f1"] for row in testing.read_rows(out / "metrics.jsonl")
                  if "evaluation" in row}
        self.assertEqual(list(scores), list(range(7, 64, 7)))
        self.assertGreater(len(set(scores.values())), 2, scores)
        kept = sorted(int(path.name[5:]) for path in (out / "checkpoints").iterdir())
        # Pruned after each checkpoint: the best three of what was still there, and the last two.
        there = []
        for step in scores:
            there.append(step)
            best = sorted(there, key=lambda one: -scores[one])[:3]
            there = [one for one in there if one in best or one in there[-2:]]
        self.assertEqual(kept, there, scores)
        best = max(scores, key=lambda step: (scores[step], -step))
        state = json.loads((out / f"checkpoints/step-{63:08}/state.json").read_text())
        self.assertEqual(state["best_step"], best)
        self.assertEqual((out / "model/model.safetensors").read_bytes(),
                         (out / f"checkpoints/step-{best:08}/model.safetensors").read_bytes())

    def test_patience_ends_a_run_that_stands_still(self):
        out = self.path("run")
        words = ["--steps", 40, "--lr", 1e-12, "--validation", self.corpus / "validation", "--evaluate-every", 2,
                 "--patience", 3]
        done = self.train(out, *words)
        self.assertEqual(self.steps(out)[-1]["step"], 8)  # the first evaluation is the best, then three without a better
        self.assertIn("3 evaluations without a better f1", done.stderr)
        self.assertIn("best: step 2", done.stderr)
        self.assertIn("nothing to do", self.train(out, *words).stderr)

    def test_debug_gives_the_same_losses(self):
        plain, debug = self.path("plain"), self.path("debug")
        self.train(plain, "--steps", 5)
        self.train(debug, "--steps", 5, "--debug")
        self.assert_same_losses(self.steps(debug), self.steps(plain))

    def test_deterministic_is_recorded_and_kept(self):
        plain, run = self.path("plain"), self.path("run")
        self.train(plain, "--steps", 5)
        self.train(run, "--steps", 5, "--deterministic")
        self.assert_same_losses(self.steps(run), self.steps(plain))  # on a CPU
        self.assertIs(json.loads((run / "environment.json").read_text())["deterministic"], True)
        again = self.train(run, "--steps", 5, code=2)
        self.assertIn("deterministic: true before, false now", again.stderr)

    def test_debug_names_the_first_bad_tensor(self):
        bad = ["--steps", 20, "--lr", 1e38, "--warmup", 0, "--clip", 0]
        done = self.train(self.path("debug"), *bad, "--debug", code=1)
        self.assertRegex(done.stderr, r"error: .*(dgca|bert|cls|hidden states|detector logits|alpha|probabilities|Function '\w+')")
        self.assertIn("NaN" if "NaN or infinity" in done.stderr else "nan", done.stderr)

    def test_a_run_that_diverges_ends(self):
        done = self.train(self.path("run"), "--steps", 100, "--lr", 1e38, "--warmup", 0, "--clip", 0, "--max-skipped", 4, code=1)
        self.assertIn("steps in a row had gradients that are not finite", done.stderr)
        self.assertIn("--debug", done.stderr)

    def test_every_part_can_be_left_out(self):
        for ablation in ("detector-only", "candidate-only", "baseline"):
            with self.subTest(ablation):
                out = self.path(ablation)
                self.train(out, "--steps", 2, "--ablation", ablation)
                row = self.steps(out)[-1]
                self.assertEqual(row["detection"] > 0, ablation == "detector-only")
                self.assertEqual(row["rank"] > 0, ablation == "candidate-only")


class WrongUse(testing.ProgramCase):
    """Exit code 2, a message that names value and place, and no folder left behind."""

    def refused(self, *changes, naming, ranks=None):
        out = self.path("out")
        done = testing.run("relmpi-train", *self.training(out, *changes), ranks=ranks)
        self.assert_refused(done, *naming)
        self.assertFalse(out.exists(), f"{changes} left {list(out.rglob('*'))}")
        return done

    def test_values(self):
        steps = ["--steps", 3]
        for option, values in {
            "--precision": ["fp8"], "--positions": ["foo"], "--ablation": ["half"], "--schedule": ["steep"],
            "--mft-mode": ["some"], "--lr": ["0", "nan", "fast"], "--global-batch": ["0", "2.5"], "--micro-batch": ["-1"],
            "--warmup": ["1"], "--metric": ["f3"], "--clip": ["-1"], "--device": ["gpu", "cuda", "cuda:x", "cuda:99999999999"],
            "--log-every": ["0"], "--prefetch": ["-1"], "--patience": ["-2", "3"], "--hidden": ["33"], "--heads": ["0"],
            "--dropout": ["1"], "--prompt-length": ["65"], "--candidate-count": ["0"], "--unheard-of": ["1"],
        }.items():
            for value in values:
                with self.subTest(option, value=value):
                    self.refused(*steps, f"{option}={value}", naming=[value or option])

    def test_a_gpu_that_is_not_there(self):
        for device in ("cuda", "cuda:0", "cuda:x"):
            with self.subTest(device):
                self.refused("--steps", 3, "--device", device, naming=[f"--device {device}: no GPU is visible"])

    def test_shapes(self):
        self.refused("--steps", 3, "--max-positions", 6, naming=["max_length is 128", "max_position_embeddings"])
        self.refused("--steps", 3, "--max-length", 7, naming=["max_length is 7"])

    def test_length_of_the_run(self):
        self.refused(naming=["--steps", "--epochs"])
        self.refused("--steps", 3, "--epochs", 1, naming=["--steps", "--epochs", "not both"])
        self.refused("--steps", -3, naming=["--steps", "-3"])
        self.refused("--epochs", -1, naming=["--steps"])

    def test_missing_files(self):
        nowhere = self.path("nowhere")
        for option in ("--data", "--validation", "--vocab", "--confusion"):
            with self.subTest(option):
                self.refused("--steps", 3, option, nowhere, naming=[nowhere])
        self.refused("--steps", 3, "--vocab", None, "--model", nowhere, naming=[nowhere])
        self.refused("--steps", 3, "--vocab", None, naming=["--model", "--vocab"])
        self.refused("--steps", 3, "--data", None, naming=["--data", "not given"])
        self.refused("--steps", 3, "--confusion", None, naming=["--confusion", "relmpi-data confusion"])
        self.refused("--steps", 3, "--data", nowhere, ranks=2, naming=[nowhere])

    def test_another_vocabulary(self):
        other = testing.write(self.path("vocab.txt"), self.corpus.vocab.read_text() + "龘\n")
        self.refused("--steps", 3, "--vocab", other, naming=[self.corpus / "train", "vocab"])
        empty = testing.write(self.path("empty.txt"), "")
        self.refused("--steps", 3, "--vocab", empty, naming=[empty])

    def test_a_confusion_set_that_is_none(self):
        for text in ("", "{", "[1, 2]", '{"same": 3}'):
            with self.subTest(text):
                broken = testing.write(self.path("confusion.json"), text)
                self.refused("--steps", 3, "--confusion", broken, naming=[broken])

    def test_fresh_demands_an_empty_folder(self):
        out = self.path("run")
        self.train(out, "--steps", 2, "--fresh")
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        done = self.train(out, "--steps", 2, "--fresh", code=2)
        self.assertIn(f"--fresh: {out} is not empty", done.stderr)
        self.assertEqual({path: path.read_bytes() for path in out.rglob("*") if path.is_file()}, before)
        self.path("empty").mkdir()
        self.train(self.path("empty"), "--steps", 2, "--fresh")

    def test_a_config_file_with_a_mistake(self):
        config = testing.write(self.path("config.toml"), "steps = 3\nlearning-rat = 1\n")
        self.refused("--config", config, naming=["learning-rat"])
        self.refused("--config", self.path("none.toml"), naming=[self.path("none.toml")])

    def test_sentences_too_long_for_the_model(self):
        long = sum(len(line.split("\t")[0]) > 17 for line in (self.corpus / "train.tsv").read_text().split("\n"))
        self.refused("--steps", 3, "--max-length", 40, naming=[self.corpus / "train", f"{long} sentences", "--max-length 17"])

    def test_plain_bert_as_a_pickle(self):
        model = self.path("bert")
        self.train(self.path("run"), "--steps", 1)
        shutil.copytree(self.path("run") / "model", model)
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        self.refused("--steps", 1, "--vocab", None, "--model", model, naming=[model, "pytorch_model.bin", "safe_serialization"])


if __name__ == "__main__":
    testing.main()
