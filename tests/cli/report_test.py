#!/usr/bin/env python3
"""scripts/report.py on synthetic records: what the page says, shows and refuses."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from report_records import CSC, strategies, write_run

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import report_data  # noqa: E402
import report_tables  # noqa: E402

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class Metrics(unittest.TestCase):
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


class Tables(unittest.TestCase):
    def test_time_of_a_step_is_shared_out_in_a_bar(self):
        training = [
            {"step": 10, "step_ms": 100, "data_wait_ms": 10, "comm_wait_ms": 40},
            {"step": 40, "step_ms": 200, "data_wait_ms": 10, "comm_wait_ms": 40},
        ]
        shares = dict(report_data.time_shares(training))  # a mean step: (10 * 100 + 30 * 200) / 40 = 175 ms
        self.assertEqual(shares, {"computing": 125, "waiting for other ranks": 40, "waiting for data": 10})
        self.assertEqual(report_data.training_seconds(training), 7)
        bar = report_tables.time_bar(training, 2)
        self.assertAlmostEqual(sum(map(float, re.findall(r"width:([0-9.]+)%", bar))), 100, delta=0.02)
        self.assertIn("waiting for other ranks 40.0 ms (23 %)", bar)
        self.assertIn('aria-label="computing 71.4 %, waiting for other ranks 22.9 %, waiting for data 5.7 %"', bar)
        self.assertEqual(report_tables.time_bar([{"step": 1, "loss": 2.0}], 2), "")

    def test_a_column_that_the_file_lacks_is_named(self):
        text = report_tables.table("t", {"a": ["x", "y"], "b": [None, None], "c": ["1", None]})
        self.assertIn("Not in this file: b.", text)
        self.assertNotIn(">b</th>", text)
        self.assertIn("<td>–</td>", text)


@unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
class Figures(unittest.TestCase):
    def test_the_auxiliary_loss_is_drawn_from_where_it_begins(self):
        import report_figures

        with tempfile.TemporaryDirectory() as folder:
            training, _ = report_data.read_metrics(
                write_run(pathlib.Path(folder) / "run", mixture=400) / "metrics.jsonl"
            )
        self.assertEqual(report_data.mixture_start(training), 400)
        axes = report_figures.loss_curve(training).axes[0]
        lines = {line.get_label(): line for line in axes.lines}
        self.assertEqual(min(lines["auxiliary"].get_xdata()), 400)
        self.assertGreater(min(lines["auxiliary"].get_ydata()), 0.5)
        self.assertEqual(min(lines["total"].get_xdata()), 10)
        self.assertGreater(axes.get_ylim()[0], 0.01)


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

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_the_answer_the_facts_and_the_words_come_first(self):
        run = write_run(self.root / "run")
        document = strategies()
        document["comparisons"][0]["p"] = 1.36e-112
        done = self.report("--run", run, "--strategies", self.write("strategies.json", document))
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (run / "report.html").read_text()
        text = [
            page.index(part) for part in ("mdp against", "<dt>McNemar", "exact McNemar", "<dl class=facts>", "<img")
        ]
        self.assertEqual(text, sorted(text))
        for fact in (
            "11,272 sentences",
            "2 on 1 host, cpu, 1 CPU thread each",
            "libtorch 2.11.0, Open MPI v4.1.4</dd>",
        ):
            self.assertIn(fact, page)
        self.assertNotIn("e-112", page)
        self.assertNotRegex(page, r'alt="(Strong|Up and)')

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_what_is_absent_or_old_is_named(self):
        run = write_run(self.root / "run")
        for name in ("environment.json", "log.txt"):
            (run / name).unlink()
        (run / "config.toml").write_text("lr = = 1")
        document = strategies()
        for row in document["comparisons"]:
            for name in ("p_holm", "cost_ratio", "difference_ci"):
                del row[name]
        for policy in document["policies"]:
            del policy["accuracy_ci"], policy["cost_ms"], policy["items"]
        del document["rows"], document["header"]
        old = self.write("old.json", document)
        done = self.report("--run", run, "--csc", self.root / "csc.json", "--strategies", old)
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (run / "report.html").read_text()
        for name in ("csc.json", "environment.json", "log.txt"):
            self.assertIn(f"{name} is not there", page)
            self.assertIn(f"{name} is not there", done.stderr)
        for part in (
            "config.toml cannot be read",
            "Not in this file: F1, %; time, ms.",
            "Not in this file: p after Holm; cost ratio.",
            "Not known.",
            "the calibration of U is not drawn",
            "not recorded",
        ):
            self.assertIn(part, page)

    @unittest.skipUnless(HAS_MATPLOTLIB, "matplotlib is not installed")
    def test_a_run_without_a_step_yet(self):
        run = write_run(self.root / "run")
        (run / "metrics.jsonl").write_text("")
        self.assertEqual(self.report("--run", run).returncode, 0)
        self.assertIn("no training step yet", (run / "report.html").read_text())

    def test_bad_input_exits_2_and_says_where(self):
        run = write_run(self.root / "run")
        for arguments, expected in (
            (["--run", self.root / "nowhere"], "nowhere"),
            (["--run", self.root], "metrics.jsonl"),
            (["--run", run, "--csc", self.write("x.json", {"a": 1})], "x.json"),
            (["--run", run, "--strategies", self.write("y.json", [])], "y.json"),
            (
                ["--run", run, "--strategies", self.write("p.json", {"policies": [{"name": "a"}]})],
                'a has no number "acc',
            ),
            (["--run", run, "--strategies", self.write("r.json", strategies() | {"rows": [{}]})], "rows[0] has no"),
        ):
            done = self.report(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(expected, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
