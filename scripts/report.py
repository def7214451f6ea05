#!/usr/bin/env python3
"""Writes one self-contained HTML page about a run: what came out, figures, tables, settings.

  scripts/report.py --run RUN [--csc RUN/results/csc.json]... [--strategies FILE...] [--out RUN/report.html]

RUN is the folder that relmpi-train wrote; the JSON files are those of relmpi-eval. Figures are embedded and also saved
in figures/ beside the page. Needs matplotlib (pip install -r scripts/requirements.txt). Exit codes: 0 done, 1 failed,
2 wrong use or bad input.
"""

import argparse
import base64
import html
import io
import json
import os
import pathlib
import sys

import report_data
from report_data import ReportError, finite, number, percent, points

STYLE = """
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans CJK SC",sans-serif;color:#1f2933;background:#fff;
max-width:860px;margin:2.5rem auto;padding:0 1.2rem}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.4rem 0 .6rem}.sub{color:#616e7c;margin:0 0 1.4rem}
.finding{background:#f5f7fa;border-left:4px solid #d55e00;padding:.9rem 1.1rem;border-radius:4px;margin:.8rem 0}
figure{margin:1.2rem 0}figure img{max-width:100%;height:auto}figcaption{color:#616e7c;font-size:.88rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.8rem 0}
th,td{padding:.32rem .7rem;text-align:right;border-bottom:1px solid #e4e7eb;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:#616e7c;font-weight:600}tr.strong td{font-weight:700}
details{margin:.6rem 0}summary{cursor:pointer;color:#0072b2}
pre{background:#f5f7fa;padding:.8rem;overflow:auto;font-size:.82rem;border-radius:4px;max-height:28rem}
"""
ABSENT = "–"


def cell(value, form=number):
    return form(value) if finite(value) else ABSENT


def interval(value, bounds, form):
    if not finite(value):
        return ABSENT
    return form(value) + (f" [{form(bounds[0])}, {form(bounds[1])}]" if bounds else "")


def table(head, rows, strong=()):
    """`strong`: numbers of the rows that stand out."""
    lines = [
        "<div class=scroll><table><thead><tr>",
        *(f"<th>{html.escape(text)}</th>" for text in head),
        "</tr></thead>",
    ]
    for i, row in enumerate(rows):
        lines += [
            f"<tr{' class=strong' if i in strong else ''}>",
            *(f"<td>{html.escape(str(text))}</td>" for text in row),
            "</tr>",
        ]
    return "".join(lines) + "</table></div>"


def score_table(scores):
    rows = []
    for name, score in scores:
        for level in ("correction", "detection"):
            values = score.get(level, {})
            rows.append(
                [
                    f"{name}, {level}",
                    *(cell(values.get(key), percent) for key in ("precision", "recall", "f1", "f2", "fpr", "wpr")),
                ]
            )
    return table(["set and level", "precision", "recall", "F1", "F2", "false alarms", "wrong corrections"], rows)


def policy_table(document):
    front = report_data.front(document)
    rows = [
        [
            policy["name"],
            interval(policy["accuracy"], policy.get("accuracy_ci"), percent),
            cell(policy.get("f1"), percent),
            cell(policy["cost_tokens"]),
            cell(policy.get("cost_ms")),
            cell(policy.get("iterations")),
            cell(policy.get("retrievals")),
            cell(policy.get("reasons")),
            "yes" if policy["name"] in front else "",
        ]
        for policy in document["policies"]
    ]
    strong = [i for i, policy in enumerate(document["policies"]) if policy["name"] == "mdp"]
    return table(
        ["policy", "accuracy [95 %]", "F1", "tokens", "ms", "iterations", "retrievals", "reasons", "on the front"],
        rows,
        strong,
    )


def comparison_table(document):
    rows = [
        [
            f"{row['a']} − {row['b']}",
            interval(row["accuracy_difference"], row.get("difference_ci"), points),
            row["only_a"],
            row["only_b"],
            cell(row.get("p"), lambda p: f"{p:.3g}"),
            cell(row.get("p_holm"), lambda p: f"{p:.3g}"),
            cell(row.get("cost_ratio"), lambda ratio: f"{ratio:.2f}"),
        ]
        for row in document.get("comparisons", [])
    ]
    strong = [
        i for i, row in enumerate(document.get("comparisons", [])) if finite(row.get("p_holm")) and row["p_holm"] < 0.05
    ]
    head = ["pair", "points [95 %]", "only first right", "only second right", "p", "p (Holm)", "cost ratio"]
    return table(head, rows, strong) if rows else ""


def speed_table(training):
    rows = []
    for name, label in (
        ("samples_per_s", "sentences a second"),
        ("tokens_per_s", "tokens a second"),
        ("step_ms", "step, ms"),
        ("data_wait_ms", "of it waiting for data, ms"),
        ("comm_wait_ms", "of it waiting for other ranks, ms"),
        ("grad_norm", "gradient norm"),
    ):
        values = sorted(report_data.series(training, name)[1])
        if values:
            rows.append([label, number(values[len(values) // 2]), number(values[0]), number(values[-1])])
    return table(["of the logged steps", "median", "least", "greatest"], rows) if rows else ""


class Page:
    """Collects the parts and writes the figures."""

    def __init__(self, out):
        self.out = out
        self.parts = []

    def add(self, *parts):
        self.parts += parts

    def figure(self, name, figure, caption):
        if figure is None:
            return
        import matplotlib.pyplot as plt

        raw = io.BytesIO()
        figure.savefig(raw, format="png")
        plt.close(figure)
        folder = self.out.parent / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(raw.getvalue())
        data = base64.b64encode(raw.getvalue()).decode()
        self.add(
            f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(caption, quote=True)}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def settings(self, title, text):
        self.add(f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>")

    def write(self, title):
        self.out.parent.mkdir(parents=True, exist_ok=True)
        text = (
            f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>{html.escape(title)}</title><style>{STYLE}</style><body>{''.join(self.parts)}</body></html>\n"
        )
        temporary = self.out.with_name(f"{self.out.name}.tmp.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self.out)


def add_training(page, training, evaluations, scores, figures):
    if training or evaluations or scores:
        page.add("<h2>Training and correction</h2>")
    page.figure(
        "loss",
        figures.loss_curve(training),
        "Strong lines are moving averages. Each part has its own denominator; the total weighs rank by a half.",
    )
    page.figure("scores", figures.scores_by_step(evaluations), "A sentence counts only when all of it is right.")
    if scores:
        page.add(score_table(scores))
    page.add(speed_table(training))


def add_strategies(page, name, document, figures, number_of_files):
    title = f"Strategies: {name}" if number_of_files > 1 else "When to retrieve, reason or stop"
    stem = name.replace("/", "-")
    page.add(f"<h2>{html.escape(title)}</h2>")
    page.figure(
        f"cost-{stem}",
        figures.accuracy_against_cost(document),
        "Up and to the left is better. Policies on the front are beaten by none in both accuracy and cost; the "
        "oracle knows the answers.",
    )
    page.add(policy_table(document), comparison_table(document))
    page.figure(
        f"calibration-{stem}",
        figures.calibration(document),
        "Above the dotted line U is too cautious, below it too sure. Bars are 95 % Wilson intervals.",
    )
    page.settings("Settings of this comparison", json.dumps(document.get("header", {}), indent=1, ensure_ascii=False))


def label_of(path, paths):
    """The file's stem, with its folder where stems repeat."""
    same = [other for other in paths if other.stem == path.stem]
    return path.stem if len(same) == 1 else f"{path.resolve().parent.name}/{path.stem}"


def run(arguments):
    if not arguments.run.is_dir():
        raise ReportError(f"--run {arguments.run}: no such folder. Give the folder that relmpi-train wrote.")
    training, evaluations = report_data.read_metrics(arguments.run / "metrics.jsonl")
    scores = [(label_of(path, arguments.csc), report_data.read_json(path)) for path in arguments.csc]
    for path, (_, score) in zip(arguments.csc, scores):
        if not isinstance(score, dict) or "correction" not in score or "sentences" not in score:
            raise ReportError(f'{path} has no "correction": it is not what `relmpi-eval csc` writes')
    strategies = [
        (label_of(path, arguments.strategies), report_data.check_strategies(report_data.read_json(path), path))
        for path in arguments.strategies
    ]
    try:
        import report_figures as figures
    except ImportError as error:
        requirements = pathlib.Path(__file__).parent / "requirements.txt"
        raise ReportError(f"{error}. Run: {sys.executable} -m pip install -r {requirements}") from error
    page = Page(arguments.out or arguments.run / "report.html")
    page.add(f"<h1>{html.escape(arguments.title)}</h1><p class=sub>{html.escape(str(arguments.run))}</p>")
    for name, document in strategies:
        prefix = f"<b>{html.escape(name)}.</b> " if len(strategies) > 1 else ""
        page.add(f"<p class=finding>{prefix}{html.escape(report_data.strategy_finding(document))}</p>")
    summary = report_data.training_finding(training, evaluations, scores)
    if summary:
        page.add(f"<p class=finding>{html.escape(summary)}</p>")
    add_training(page, training, evaluations, scores, figures)
    for name, document in strategies:
        add_strategies(page, name, document, figures, len(strategies))
    page.add("<h2>Settings</h2>")
    for file in ("config.toml", "environment.json"):
        if (arguments.run / file).exists():
            page.settings(file, (arguments.run / file).read_text(encoding="utf-8", errors="replace"))
    page.write(arguments.title)
    print(f"report: {page.out}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=pathlib.Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument(
        "--csc",
        type=pathlib.Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="results of `relmpi-eval csc`",
    )
    parser.add_argument(
        "--strategies",
        type=pathlib.Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="results of `relmpi-eval strategies`",
    )
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="the page (default: RUN/report.html)")
    parser.add_argument("--title", default="relmpi: report of a run", help="the page's heading")
    arguments = parser.parse_args()
    try:
        run(arguments)
    except ReportError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
