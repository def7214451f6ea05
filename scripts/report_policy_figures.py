"""The figures of report.py about policies. Each function returns a matplotlib figure, or None if there is nothing to
draw."""

import itertools

from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

import report_data
import report_statistics
from report_figures import BLUE, GREEN, MUTED, ORANGE, PURPLE, RED, SKY, percent_axis, plt

POLICY_COLOURS = {"mdp": RED, "fixed": BLUE, "oracle": GREEN, "random": MUTED, "always": PURPLE, "threshold": ORANGE}


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
    front = report_statistics.front(document)
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
    percent_axis(axes.yaxis)
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
    """Reliability of the final U of one policy: the MDP's if it has them, else the first with histories."""
    rows = sorted(document.get("rows", []), key=lambda row: row["policy"])
    groups = {
        name: report_statistics.final_confidence(group)
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
    bins = report_statistics.reliability(pairs)
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
        percent_axis(axis)
    return figure
