#!/usr/bin/env python3
"""Writes one self-contained HTML page about a run: what came out, figures, tables, settings.

  scripts/report.py --run RUN [--csc RUN/results/csc.json]... [--strategies FILE...] [--out RUN/report.html]

RUN is the folder that relmpi-train wrote; the JSON files are those of relmpi-eval. A result that is not there is named
on the page and left out. Figures are embedded and also saved in figures/ beside the page. Needs matplotlib
(pip install -r scripts/requirements.txt). Exit codes: 0 done, 1 failed, 2 wrong use or bad input.
"""

import argparse
import html
import json
import pathlib
import sys

import report_data
import report_tables
import report_words
from report_data import ReportError
from report_page import Page


def label_of(path, paths):
    """The file's stem, with its folder if stems repeat."""
    same = [other for other in paths if other.stem == path.stem]
    return path.stem if len(same) == 1 else f"{path.resolve().parent.name}/{path.stem}"


def read_results(paths, check, notes):
    """[(label, document)] of the files that are there; a note for each of the others."""
    found = []
    for path in paths:
        if path.exists():
            found.append((label_of(path, paths), check(report_data.read_json(path), path)))
        else:
            notes.append(f"{path} is not there: the report is without it.")
    return found


def add_answers(page, strategies, summary):
    """What came out, in words, before anything else; then what the words mean."""
    for name, document in strategies:
        verdict, evidence = report_words.answer(document)
        which = f" ({html.escape(name)})" if len(strategies) > 1 else ""
        page.add(
            f"<div class=answer><span class=question>Is it better to decide after each step (mdp) than to take a fixed "
            f"number of steps (fixed-k), at equal cost?{which}</span>"
            f"<strong>{html.escape(verdict)}</strong>{html.escape(evidence)}</div>"
        )
    if summary:
        page.paragraph("finding", summary)
    if strategies:
        page.words(report_words.glossary(strategies))
    for name, document in strategies:
        prefix = f"{name}. " if len(strategies) > 1 else ""
        page.paragraph("finding", prefix + report_words.strategy_finding(document))


def add_training(page, training, evaluations, scores, ranks, figures):
    page.heading("Training and correction")
    if not training:
        page.paragraph("note", "metrics.jsonl has no training step yet: there is no loss curve.")
    steps, losses = report_data.series(training, "loss")
    begin_end = f" from {losses[0]:.3g} at step {steps[0]:,} to {losses[-1]:.3g} at step {steps[-1]:,}" if steps else ""
    page.figure(
        "loss",
        figures.loss_curve(training),
        f"Lines over the optimiser steps: the total loss goes{begin_end}; below it its parts.",
        "Strong lines are moving averages. Each part has its own denominator; the total weighs rank by a half. A part "
        "is drawn only while it has positions.",
    )
    page.figure(
        "scores",
        figures.scores_by_step(evaluations),
        "Lines over the optimiser steps: F1, precision and recall on the validation set; a star at the best F1.",
        "A sentence counts only if all of it is right.",
    )
    if scores:
        page.add(report_tables.score_table(scores))
    page.add(report_tables.time_bar(training, ranks), report_tables.speed_table(training))


def add_strategies(page, name, document, figures, number_of_files):
    stem = name.replace("/", "-")
    page.heading(f"Strategies: {name}" if number_of_files > 1 else "When to retrieve, reason or stop")
    page.figure(
        f"cost-{stem}",
        figures.accuracy_against_cost(document),
        f"{len(document['policies'])} policies as points, cost across, accuracy up; the table below has the numbers.",
        "Up and to the left is better. The oracle, which knows the answers, is not on the front.",
    )
    page.add(report_tables.policy_table(document), report_tables.comparison_table(document))
    drawn = figures.calibration(document)
    if drawn is None:
        page.paragraph("note", "Fewer than ten rows have a history: the calibration of U is not drawn.")
    page.figure(
        f"calibration-{stem}",
        drawn,
        "Share of items that are right over U, in ten bins, beside the diagonal of perfect calibration; below it how "
        "many items have which U.",
        "Above the dotted line U is too cautious, below it too sure. Bars are 95 % Wilson intervals. ECE: mean "
        "distance from the line. AUROC: how often a right item has a higher U than a wrong one (0.5: by chance).",
    )
    page.settings("Settings of this comparison", json.dumps(document.get("header", {}), indent=1, ensure_ascii=False))


def run(arguments):
    if not arguments.run.is_dir():
        raise ReportError(f"--run {arguments.run}: no such folder. Give the folder that relmpi-train wrote.")
    notes = []
    training, evaluations = report_data.read_metrics(arguments.run / "metrics.jsonl")
    scores = read_results(arguments.csc, report_data.check_score, notes)
    strategies = read_results(arguments.strategies, report_data.check_strategies, notes)
    records = report_data.read_run(arguments.run, notes)
    try:
        import report_figures
        import report_policy_figures
    except ImportError as error:
        requirements = pathlib.Path(__file__).parent / "requirements.txt"
        raise ReportError(f"{error}. Run: {sys.executable} -m pip install -r {requirements}") from error
    page = Page(arguments.out or arguments.run / "report.html")
    page.add(f"<h1>{html.escape(arguments.title)}</h1>")
    page.paragraph("sub", str(arguments.run))
    add_answers(page, strategies, report_words.training_finding(training, evaluations, scores))
    page.add(report_tables.facts(records, training))
    for note in notes:
        page.paragraph("note", note)
        print(f"report.py: warning: {note}", file=sys.stderr)
    ranks = records[1].get("size", 1)
    add_training(page, training, evaluations, scores, ranks, report_figures)
    for name, document in strategies:
        add_strategies(page, name, document, report_policy_figures, len(strategies))
    page.heading("Settings")
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
