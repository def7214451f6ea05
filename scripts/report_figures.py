"""The figures of report.py about training. Each function returns a matplotlib figure, or None if there is nothing to
draw."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter  # noqa: E402

import report_data  # noqa: E402

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"

plt.rcParams.update(
    {
        "figure.dpi": 160,
        "savefig.dpi": 160,
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "font.family": "DejaVu Sans",
    }
)


def _steps_axis(axes):
    axes.set_xlabel("optimiser step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def percent_axis(axis):
    axis.set_major_formatter(
        FuncFormatter(
            lambda value, _: (
                f"{100 * value:.0f} %" if abs(100 * value - round(100 * value)) < 1e-6 else f"{100 * value:.1f} %"
            )
        )
    )


def _smooth(values, weight):
    """Mean of the exponential averages from either side: without lag, and without bias at the ends."""

    def one_way(line):
        average, total = 0.0, 0.0
        for value in line:
            average, total = weight * average + (1 - weight) * value, weight * total + (1 - weight)
            yield average / total

    backward = list(one_way(values[::-1]))[::-1]
    return [(a + b) / 2 for a, b in zip(one_way(values), backward)]


PARTS = (
    ("loss", "total", INK, "-"),
    ("correction", "correction", BLUE, "-"),
    ("detection", "detection", GREEN, "--"),
    ("rank", "rank", ORANGE, "-."),
    ("aux", "auxiliary", PURPLE, (0, (5, 1, 1, 1, 1, 1))),
)


def _smooth_apart(steps, values, start):
    """As _smooth, but of what comes before step `start` and from there on each by itself: there the losses jump."""
    first = sum(step < start for step in steps) if start else 0
    return _smooth(values[:first], 0.8) + _smooth(values[first:], 0.8)


def loss_curve(training):
    drawn = [(*part[1:], *report_data.loss_series(training, part[0])) for part in PARTS]
    drawn = [part for part in drawn if len(part[3]) > 1]
    if not drawn:
        return None
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    start, lowest = report_data.mixture_start(training), []
    for label, colour, style, steps, values in drawn:
        smooth = _smooth_apart(steps, values, start) if len(training) > 60 else values
        if len(training) > 60:
            axes.plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
        axes.plot(steps, smooth, color=colour, linestyle=style, linewidth=2.4 if label == "total" else 1.6, label=label)
        lowest.append(min(smooth))
    if start:
        axes.axvline(start, color=MUTED, linewidth=1, linestyle=":", zorder=0)
        axes.annotate(
            "auxiliary loss begins",
            (start, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, 2),
            textcoords="offset points",
            va="bottom",
            fontsize=9,
            color=MUTED,
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(lowest) * 0.6)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title("Training loss and its parts", pad=16 if start else 6)
    axes.set_ylabel("loss, mean over its positions")
    _steps_axis(axes)
    axes.legend(ncols=len(drawn), loc="upper center", bbox_to_anchor=(0.5, -0.17), handlelength=3)
    return figure


def scores_by_step(evaluations):
    lines = (("f1", "F1", RED, "-"), ("precision", "precision", BLUE, "--"), ("recall", "recall", GREEN, "--"))
    drawn = [(label, colour, style, *report_data.series(evaluations, name)) for name, label, colour, style in lines]
    drawn = [line for line in drawn if line[3]]
    if not drawn:
        return None
    figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
    for label, colour, style, steps, values in drawn:
        main = label == "F1"
        if main:
            best = max(range(len(values)), key=lambda i: values[i])
            label = f"F1 (best {100 * values[best]:.1f} %, at step {steps[best]:,})"
            axes.plot(
                steps[best], values[best], marker="*", markersize=17, color=colour, markeredgecolor="white", zorder=5
            )
        axes.plot(
            steps,
            values,
            style,
            color=colour,
            marker="o",
            markersize=4 if len(steps) < 40 else 0,
            label=label,
            linewidth=2.4 if main else 1.5,
        )
    axes.set_ylim(0, min(1.05, 1.15 * max(max(line[4]) for line in drawn) + 0.01))
    axes.margins(x=0.06)
    percent_axis(axes.yaxis)
    axes.set_title("Sentence-level correction on the validation set")
    _steps_axis(axes)
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    return figure
