#!/usr/bin/env python3
"""scripts/report.py on synthetic records: what the page says, shows and refuses."""

import importlib.util
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import report_data  # noqa: E402

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def write_run(folder, steps=800):
    """A folder as relmpi-train leaves it, with a resumed stretch and a last line cut short."""
    folder.mkdir(parents=True)
    numbers = random.Random(1)
    lines = []
    for step in [*range(10, steps // 2 + 50, 10), *range(steps // 2, steps + 1, 10)]:
        decay = math.exp(-step / 250)
        parts = {
            "correction": 0.25 + 4.5 * decay,
            "detection": 0.12 + 0.6 * decay,
            "rank": 0.1 + 2.0 * decay,
            "aux": 0.9 + 4.0 * decay,
        }
        parts = {name: value * math.exp(numbers.gauss(0, 0.08)) for name, value in parts.items()}
        row = {
            "step": step,
            "epoch": step // 300,
            "loss": parts["correction"] + parts["detection"] + parts["rank"] / 2 + parts["aux"],
            **parts,
            "lr": 1e-3,
            "grad_norm": numbers.uniform(0.5, 2),
            "loss_scale": 1.0,
            "samples_per_s": numbers.gauss(300, 9),
            "tokens_per_s": numbers.gauss(13000, 300),
            "step_ms": numbers.gauss(210, 5),
            "data_wait_ms": 0.2,
            "comm_wait_ms": 3.1,
            "skipped_steps": 0,
        }
        lines.append(json.dumps(row))
        if step % 100 == 0:
            f1 = 0.65 * (1 - math.exp(-step / 250)) - (0.02 if step > 700 else 0)
            lines.append(
                json.dumps(
                    {
                        "step": step,
                        "evaluation": {
                            "loss": 1.0,
                            "precision": f1 + 0.04,
                            "recall": f1 - 0.03,
                            "f1": f1,
                            "f2": f1,
                            "fpr": 0.1,
                            "wpr": 0.2,
                        },
                    }
                )
            )
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9')
    (folder / "config.toml").write_text("[train]\nlr = 0.002\n# <not> a tag & not an entity\n")
    (folder / "environment.json").write_text('{"ranks": 2}')
    return folder


def strategies(difference=-0.002, p=0.71):
    numbers = random.Random(2)
    policies = []

    def add(name, accuracy, tokens, iterations):
        policies.append(
            {
                "name": name,
                "items": 1447,
                "accuracy": accuracy,
                "accuracy_ci": [accuracy - 0.023, accuracy + 0.023],
                "cost_tokens": tokens,
                "cost_ms": tokens / 20,
                "iterations": iterations,
                "retrievals": iterations,
                "reasons": 0.5,
            }
        )

    add("mdp", 0.668 + difference, 71.0, 1.13)
    for k, accuracy in enumerate((0.52, 0.655, 0.668, 0.668, 0.6675, 0.667, 0.667, 0.667, 0.667)):
        add(f"fixed-{k}", accuracy, 60.0 * (k + 1), k + 1)
    for name, accuracy, tokens in (
        ("always-retrieve", 0.664, 520),
        ("always-reason", 0.53, 500),
        ("random", 0.60, 72),
        ("threshold", 0.665, 74),
        ("oracle", 0.694, 66),
    ):
        add(name, accuracy, tokens, tokens / 60)
    rows = []
    for item in range(600):
        u = min(1, max(0, numbers.betavariate(3, 1.5)))
        rows.append(
            {
                "policy": "mdp",
                "item": item,
                "correct": int(numbers.random() < u**1.3),
                "iterations": 1,
                "retrievals": 1,
                "reasons": 0,
                "cost_tokens": 60,
                "history": [{"action": "retrieve", "u_before": 0.2, "u_after": u, "cost_tokens": 60}],
            }
        )
    comparisons = [
        {
            "a": "mdp",
            "b": policy["name"],
            "only_a": 12,
            "only_b": 15,
            "p": p / 14,
            "p_holm": p,
            "accuracy_difference": policies[0]["accuracy"] - policy["accuracy"],
            "difference_ci": [
                policies[0]["accuracy"] - policy["accuracy"] - 0.008,
                policies[0]["accuracy"] - policy["accuracy"] + 0.008,
            ],
            "cost_ratio": 71.0 / policy["cost_tokens"],
        }
        for policy in policies[1:]
    ]
    return {
        "header": {"environment": "csc", "seed": 1},
        "policies": policies,
        "comparisons": comparisons,
        "pareto": ["fixed-0", "oracle"],
        "calibration": {"ece": 0.031, "auroc": 0.87},
        "rows": rows,
    }


CSC = {
    "sentences": 1447,
    "correction": {
        "precision": 0.668,
        "recall": 0.631,
        "f1": 0.649,
        "f2": 0.638,
        "fpr": 0.137,
        "wpr": 0.2,
        "tp": 1,
        "fp": 1,
        "fn": 1,
        "wp": 1,
    },
    "detection": {"precision": 0.73, "recall": 0.69, "f1": 0.709, "f2": 0.7, "fpr": 0.137, "wpr": 0.1},
    "tokens": 1,
    "seconds": 1.0,
}


class Findings(unittest.TestCase):
    def test_says_when_the_difference_is_not_significant(self):
        text = report_data.strategy_finding(strategies())
        self.assertIn(
            "not significant (−0.2 points, 95 % interval −1.0 to +0.6; exact McNemar, p = 0.71 after Holm)", text
        )
        self.assertIn("fixed-2", text)  # as right as fixed-3, and cheaper
        self.assertIn("costs 0.39 times as much: less than fixed-2", text)
        self.assertIn("69.4 %", text)  # the oracle's bound

    def test_says_when_it_is_significant_and_which_way(self):
        self.assertIn("significantly less accurate", report_data.strategy_finding(strategies(-0.05, 0.001)))
        self.assertIn("significantly more accurate", report_data.strategy_finding(strategies(0.05, 0.0001)))
        self.assertIn("p < 0.001", report_data.strategy_finding(strategies(0.05, 0.0001)))

    def test_names_a_policy_that_beats_the_mdp_in_both(self):
        document = strategies(-0.05, 0.001)  # the MDP right on 61.8 %, at 71 tokens
        self.assertNotIn("threshold beats the MDP", report_data.strategy_finding(document))  # 74 tokens
        document["policies"][[p["name"] for p in document["policies"]].index("threshold")]["cost_tokens"] = 70
        self.assertIn("threshold beats the MDP in both: 66.5 % at 70 tokens", report_data.strategy_finding(document))
        self.assertNotIn("oracle beats", report_data.strategy_finding(document))
        for row in document["comparisons"]:
            row["p_holm"] = 0.2
        self.assertNotIn("threshold beats the MDP", report_data.strategy_finding(document))

    def test_turns_a_comparison_round(self):
        document = strategies()
        straight = report_data.pair(document, "mdp", "fixed-2")
        turned = report_data.pair(document, "fixed-2", "mdp")
        self.assertEqual((turned["only_a"], turned["only_b"]), (straight["only_b"], straight["only_a"]))
        self.assertAlmostEqual(turned["cost_ratio"] * straight["cost_ratio"], 1)
        self.assertEqual(turned["difference_ci"], [-straight["difference_ci"][1], -straight["difference_ci"][0]])

    def test_claims_nothing_without_a_comparison(self):
        document = strategies() | {"comparisons": []}
        self.assertIn("nothing is said about significance", report_data.strategy_finding(document))

    def test_reliability_bins_hold_all_items(self):
        bins = report_data.reliability([(k / 100, int(k >= 50)) for k in range(100)])
        self.assertEqual(sum(row[4] for row in bins), 100)
        self.assertEqual([row[1] for row in bins], [0.0] * 5 + [1.0] * 5)
        self.assertTrue(all(row[2] <= row[1] <= row[3] for row in bins[1:-1]))

    def test_metrics_keep_the_last_of_a_repeated_step(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "metrics.jsonl"
            path.write_text(
                '{"step":1,"loss":3}\n{"step":2,"loss":2}\n{"step":2,"loss":1.5}\n{"step":2,"evaluation":{"f1":0.5}}\n{"st'
            )
            training, evaluations = report_data.read_metrics(path)
            self.assertEqual([row["loss"] for row in training], [3, 1.5])
            self.assertEqual(evaluations, [{"f1": 0.5, "step": 2}])
            path.write_text('{"step":1,"loss":3}\nbroken\n{"step":2,"loss":2}\n')
            with self.assertRaisesRegex(report_data.ReportError, "metrics.jsonl:2"):
                report_data.read_metrics(path)


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def report(self, *arguments):
        return subprocess.run(
            [sys.executable, str(SCRIPTS / "report.py"), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, name, document):
        (self.root / name).write_text(json.dumps(document))
        return self.root / name

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_page_has_everything_inside(self):
        run = write_run(self.root / "run")
        out = self.root / "page" / "report.html"
        done = self.report(
            "--run",
            run,
            "--csc",
            self.write("csc.json", CSC),
            "--strategies",
            self.write("strategies.json", strategies()),
            "--out",
            out,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        page = out.read_text()
        self.assertEqual(page.count("data:image/png;base64,"), 4)
        self.assertNotRegex(page, r'(src|href)="?(http|//|[a-z]+/)')
        self.assertLess(page.index("is not significant"), page.index("<h2>"))
        self.assertIn("correction F1 64.9 %", page)
        self.assertIn("&lt;not&gt; a tag &amp; not an entity", page)
        figures = sorted(path.name for path in (out.parent / "figures").iterdir())
        self.assertEqual(figures, ["calibration-strategies.png", "cost-strategies.png", "loss.png", "scores.png"])
        for path in (out.parent / "figures").iterdir():
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(len(re.findall(r"<tr", page)), 3 + 16 + 15 + 7)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_a_run_alone_is_enough(self):
        run = write_run(self.root / "run", steps=20)
        self.assertEqual(self.report("--run", run).returncode, 0)
        self.assertTrue((run / "report.html").exists())

    def test_bad_input_exits_2_and_says_where(self):
        run = write_run(self.root / "run")
        for arguments, expected in (
            (["--run", self.root / "nowhere"], "nowhere"),
            (["--run", self.root], "metrics.jsonl"),
            (["--run", run, "--csc", self.write("x.json", {"a": 1})], "x.json"),
            (["--run", run, "--strategies", self.write("y.json", [])], "y.json"),
        ):
            done = self.report(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(expected, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
