"""The figures of report.py. Each function returns a matplotlib figure, or None where there is nothing to draw."""

import itertools

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
from matplotlib.patheffects import withStroke  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter  # noqa: E402
from matplotlib.transforms import Bbox  # noqa: E402

import report_data  # noqa: E402

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
POLICY_COLOURS = {"mdp": RED, "fixed": BLUE, "oracle": GREEN, "random": MUTED, "always": PURPLE, "threshold": ORANGE}

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


def _percent_axis(axis):
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


def loss_curve(training):
    terms = (
        ("loss", "total", INK),
        ("correction", "correction", BLUE),
        ("detection", "detection", GREEN),
        ("rank", "rank", ORANGE),
        ("aux", "auxiliary", PURPLE),
    )
    drawn = [(label, colour, *report_data.series(training, name)) for name, label, colour in terms]
    drawn = [
        (label, colour, steps, values) for label, colour, steps, values in drawn if len(steps) > 1 and max(values) > 0
    ]
    if not drawn:
        return None
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    lowest = []
    for label, colour, steps, values in drawn:
        smooth = _smooth(values, 0.8 if len(values) > 60 else 0.0)
        if len(values) > 60:
            axes.plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
        axes.plot(steps, smooth, color=colour, linewidth=2.4 if label == "total" else 1.6, label=label)
        lowest.append(min(smooth))
    if min(lowest) > 0:
        axes.set_yscale("log")
        axes.set_ylim(bottom=min(lowest) * 0.6)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title("Training loss and its parts")
    axes.set_ylabel("loss, mean over its positions")
    _steps_axis(axes)
    axes.legend(ncols=len(drawn), loc="upper center", bbox_to_anchor=(0.5, -0.17))
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
    _percent_axis(axes.yaxis)
    axes.set_title("Sentence-level correction on the validation set")
    _steps_axis(axes)
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    return figure


def _colour_of(name):
    return next(
        (
            colour
            for start, colour in POLICY_COLOURS.items()
            if name.startswith(start) or (start == "threshold" and start in name)
        ),
        MUTED,
    )


def _place_labels(figure, axes, items):
    """Puts the label of each (x, y, low, high, text, colour) at the first of several places where it covers no label,
    no point and no error bar."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    taken = []
    for x, y, low, high, _, _ in items:
        (left, bottom), (_, top), (_, centre) = (axes.transData.transform((x, value)) for value in (low, high, y))
        taken += [Bbox([[left - 2, bottom], [left + 2, top]]), Bbox([[left - 9, centre - 9], [left + 9, centre + 9]])]
    near = [(8, 6, "left", "bottom"), (-8, 6, "right", "bottom"), (8, -6, "left", "top"), (-8, -6, "right", "top")]
    offsets = near + [
        (dx, dy * scale, horizontal, vertical) for scale in (2.5, 4, 6, 8, 11) for dx, dy, horizontal, vertical in near
    ]
    for x, y, _, _, text, colour in items:
        for place in offsets:
            dx, dy, horizontal, vertical = place
            far = abs(dy) > 10
            label = axes.annotate(
                text,
                (x, y),
                xytext=(dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                color=colour,
                fontsize=9,
                fontweight="bold" if text == "mdp" else "normal",
                zorder=6,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.6} if far else None,
            )
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer).padded(1.5)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if place == offsets[-1] or (inside and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            label.remove()


def accuracy_against_cost(document):
    policies = [policy for policy in document["policies"] if report_data.finite(policy["accuracy"])]
    if not policies:
        return None
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    front = report_data.front(document)
    line = sorted((policy["cost_tokens"], policy["accuracy"]) for policy in policies if policy["name"] in front)
    if len(line) > 1:
        axes.plot(
            *zip(*line),
            color=ORANGE,
            alpha=0.3,
            linewidth=7,
            solid_capstyle="round",
            solid_joinstyle="round",
            zorder=1,
            label="Pareto front, the oracle aside",
        )
    fixed = sorted(
        (policy for policy in policies if policy["name"].startswith("fixed-")),
        key=lambda policy: int(policy["name"].split("-")[-1]),
    )
    if len(fixed) > 1:
        axes.plot(
            [policy["cost_tokens"] for policy in fixed],
            [policy["accuracy"] for policy in fixed],
            color=BLUE,
            linewidth=1,
            alpha=0.5,
            marker="o",
            markersize=6,
            markeredgecolor="white",
            zorder=2,
            label="fixed-k: k retrievals, then one reason",
        )
    for policy in policies:
        colour = _colour_of(policy["name"])
        x, y = policy["cost_tokens"], policy["accuracy"]
        low, high = policy.get("accuracy_ci", [y, y])
        x_low, x_high = policy.get("cost_tokens_ci", [x, x])
        axes.errorbar(
            x,
            y,
            yerr=[[max(0, y - low)], [max(0, high - y)]],
            xerr=[[max(0, x - x_low)], [max(0, x_high - x)]],
            fmt="D" if policy["name"] == "mdp" else "o",
            color=colour,
            ecolor=colour,
            elinewidth=1,
            capsize=2.5,
            markersize=9 if policy["name"] == "mdp" else 6,
            markeredgecolor="white",
            zorder=4,
        )
    axes.margins(x=0.12, y=0.12)
    _percent_axis(axes.yaxis)
    costs = [policy["cost_tokens"] for policy in policies]
    wide = min(costs) > 0 and max(costs) > 4 * min(costs)
    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(f"cost: forward tokens an item (mean{', logarithmic' if wide else ''})")
    axes.set_ylabel("items that end exactly right")
    axes.set_title("Accuracy against cost, with 95 % intervals")
    if len(line) > 1 or len(fixed) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    order = sorted(policies, key=lambda policy: (policy["name"] != "mdp", policy["cost_tokens"]))
    items = []
    for policy in order:
        low, high = policy.get("accuracy_ci", [policy["accuracy"]] * 2)
        items.append(
            (
                policy["cost_tokens"],
                policy["accuracy"],
                low,
                high,
                policy["name"].replace("fixed-", "k = ") if len(fixed) > 1 else policy["name"],
                _colour_of(policy["name"]),
            )
        )
    _place_labels(figure, axes, items)
    return figure


def calibration(document):
    """Reliability of the final U of one policy: the MDP's where there is one, else the first with histories."""
    rows = sorted(document.get("rows", []), key=lambda row: row["policy"])
    groups = {
        name: report_data.final_confidence(group)
        for name, group in itertools.groupby(rows, key=lambda row: row["policy"])
    }
    groups = {name: pairs for name, pairs in groups.items() if len(pairs) >= 10}
    if not groups:
        return None
    name = "mdp" if "mdp" in groups else next(iter(groups))
    pairs = groups[name]
    figure, (axes, counts) = plt.subplots(
        2, 1, figsize=(5.2, 5.6), layout="constrained", sharex=True, gridspec_kw={"height_ratios": [4, 1]}
    )
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="perfect")
    bins = report_data.reliability(pairs)
    u, share = [row[0] for row in bins], [row[1] for row in bins]
    axes.errorbar(
        u,
        share,
        yerr=[[max(0.0, row[1] - row[2]) for row in bins], [max(0.0, row[3] - row[1]) for row in bins]],
        fmt="o-",
        color=RED,
        ecolor=RED,
        elinewidth=1,
        capsize=2.5,
        markersize=5,
        linewidth=1.4,
        label=f"{name}, final U",
    )
    values = document.get("calibration") or {}
    text = [
        f"{label} {values[key]:.3f}"
        for key, label in (("ece", "ECE"), ("auroc", "AUROC"))
        if report_data.finite(values.get(key))
    ]
    axes.text(0.97, 0.05, "\n".join(text + [f"n = {len(pairs):,}"]), transform=axes.transAxes, ha="right", va="bottom")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that is right")
    axes.set_title("Calibration of U, ten bins of equal size")
    axes.legend(loc="upper left")
    counts.hist([value for value, _ in pairs], bins=25, range=(0, 1), color=SKY)
    counts.set(xlabel="U: probability that the item is right now", ylabel="items")
    for axis in (axes.xaxis, axes.yaxis, counts.xaxis):
        _percent_axis(axis)
    return figure
