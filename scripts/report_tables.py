"""The tables, the bar of a step's time and the list of a run's facts, as HTML."""

import html
import re

from report_data import finite, series, time_shares, training_seconds
from report_statistics import front
from report_words import duration, hundredths, number, p_text, percent, points

ABSENT = "–"
INTERVAL = "[95\u00a0%\u00a0interval]"  # stays on one line of a head


def cell(value, form=number):
    return form(value) if finite(value) else None


def interval(value, bounds, form):
    if not finite(value):
        return None
    low_high = bounds if isinstance(bounds, list) and len(bounds) == 2 else None
    return form(value) + (f" [{form(low_high[0])}, {form(low_high[1])}]" if low_high else "")


def table(caption, columns, strong=()):
    """`columns`: {head: cells}; None stands for a value that the file does not have. A column without any value is left
    out and named under the table. `strong`: numbers of the rows that stand out."""
    shown = {head: cells for head, cells in columns.items() if any(text is not None for text in cells)}
    lines = [f"<div class=scroll><table><caption>{html.escape(caption)}</caption><thead><tr>"]
    lines += [f"<th scope=col>{html.escape(head)}</th>" for head in shown]
    lines.append("</tr></thead><tbody>")
    for i, row in enumerate(zip(*shown.values())):
        first, *others = (html.escape(ABSENT if text is None else str(text)) for text in row)
        lines.append(f"<tr{' class=strong' if i in strong else ''}><th scope=row>{first}</th>")
        lines += [f"<td>{text}</td>" for text in others] + ["</tr>"]
    lines.append("</tbody></table></div>")
    absent = "; ".join(head for head in columns if head not in shown)
    if absent:
        lines.append(f"<p class=note>Not in this file: {html.escape(absent)}.</p>")
    return "".join(lines)


def score_table(scores):
    rows = [(name, level, score) for name, score in scores for level in ("correction", "detection")]
    values = [score[level] if isinstance(score.get(level), dict) else {} for _, level, score in rows]
    columns = {"set and level": [f"{name}, {level}" for name, level, _ in rows]}
    for key, head in (
        ("precision", "precision, %"),
        ("recall", "recall, %"),
        ("f1", "F1, %"),
        ("f2", "F2, %"),
        ("fpr", "false alarms, %"),
        ("wpr", "wrong corrections, %"),
    ):
        columns[head] = [cell(value.get(key), hundredths) for value in values]
    return table(
        "Scores by sentence: one counts as right only if all of it is. Precision: of the changed sentences, those now "
        "right. Recall: of the sentences with errors, those now right. F1 weighs the two alike, F2 recall more. False "
        "alarms: of the sentences without errors, those changed. Wrong corrections: of those with errors, those "
        "changed to something wrong. Detection asks only for the places of the errors.",
        columns,
    )


def policy_table(document):
    policies = document["policies"]
    on_front = front(document)
    columns = {
        "policy": [policy["name"] for policy in policies],
        f"right, % {INTERVAL}": [interval(p["accuracy"], p.get("accuracy_ci"), hundredths) for p in policies],
        "F1, %": [cell(policy.get("f1"), hundredths) for policy in policies],
    }
    for key, head in (
        ("cost_tokens", "tokens"),
        ("cost_ms", "time, ms"),
        ("iterations", "steps"),
        ("retrievals", "retrieves"),
        ("reasons", "reasons"),
    ):
        columns[head] = [cell(policy.get(key)) for policy in policies]
    columns["Pareto front"] = ["yes" if policy["name"] in on_front else "" for policy in policies]
    items = next((f" of {policy['items']:,} items" for policy in policies if finite(policy.get("items"))), "")
    return table(
        f"The policies: share{items} that end right, and the mean cost of an item. The oracle is not on the front.",
        columns,
        [i for i, policy in enumerate(policies) if policy["name"] == "mdp"],
    )


def comparison_table(document):
    rows = document.get("comparisons", [])
    if not rows:
        return '<p class=note>This file has no "comparisons": the policies were not tested in pairs.</p>'
    differences = [(row.get("accuracy_difference"), row.get("difference_ci")) for row in rows]
    columns = {
        "pair": [f"{row['a']} − {row['b']}" for row in rows],
        f"difference, points {INTERVAL}": [interval(value, bounds, points) for value, bounds in differences],
        "only first right": [cell(row.get("only_a")) for row in rows],
        "only second right": [cell(row.get("only_b")) for row in rows],
        "p": [cell(row.get("p"), p_text) for row in rows],
        "p after Holm": [cell(row.get("p_holm"), p_text) for row in rows],
        "cost ratio": [cell(row.get("cost_ratio"), "{:.2f}".format) for row in rows],
    }
    strong = [i for i, row in enumerate(rows) if finite(row.get("p_holm")) and row["p_holm"] < 0.05]
    return table(
        "The pairs, item by item: items that only one of the two gets right, exact McNemar test, cost of the first "
        f"over that of the second ({ABSENT}: the second costs nothing). Bold: significant after Holm.",
        columns,
        strong,
    )


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
        values = sorted(series(training, name)[1])
        if values:
            rows.append((label, *(number(float(v)) for v in (values[len(values) // 2], values[0], values[-1]))))
    heads = ("quantity", "median", "least", "greatest")
    return table("Speed, over the logged steps.", dict(zip(heads, zip(*rows)))) if rows else ""


def time_bar(training, ranks):
    """The shares of a mean step as one bar, with its legend in words."""
    shares = [(what, ms) for what, ms in time_shares(training) if ms or what == "computing"]
    if not shares:
        return ""
    step = sum(ms for _, ms in shares)
    bars, legend = [], []
    for i, (what, ms) in enumerate(shares):
        share = percent(ms / step, 0 if ms / step >= 0.1 else 1)
        inside = share if ms / step >= 0.08 else ""
        bars.append(f'<span class="part p{i}" style="width:{100 * ms / step:.2f}%">{inside}</span>')
        legend.append(f'<span class=key><span class="box p{i}"></span>{what} {number(ms)} ms ({share})</span>')
    words = ", ".join(f"{what} {percent(ms / step)}" for what, ms in shares)
    whose = f"{ranks} ranks, as rank 0 measured it" if ranks > 1 else "one rank"
    return (
        f"<figure><figcaption class=title>Where the {number(step)} ms of a mean step go: {whose}</figcaption>"
        f'<div class=bar role=img aria-label="{words}">{"".join(bars)}</div>'
        f"<p class=legend>{''.join(legend)}</p></figure>"
    )


def facts(records, training):
    """The list of what was run: data, model, steps, ranks, versions, time."""
    config, environment, log = records
    found = [(name, form(config, environment, log, training)) for name, form in FACTS]
    lines = [f"<div><dt>{name}</dt><dd>{html.escape(text or 'not recorded')}</dd></div>" for name, text in found]
    return f"<dl class=facts>{''.join(lines)}</dl>"


def _counted(log, *names):
    return [f"{log[name]:,} {name}" for name in names if name in log]


def _data(config, _, log, __):
    paths = [f"{config[name]}" for name in ("data",) if config.get(name)]
    if config.get("validation"):
        paths.append(f"validation {config['validation']}")
    return "; ".join([", ".join(_counted(log, "sentences", "characters"))] * bool(log) + paths)


def _model(config, _, log, __):
    sizes = [f"{config[key]} {name}" for key, name in (("layers", "layers"), ("hidden", "hidden")) if key in config]
    start = [f"from {config['model']}"] if config.get("model") else sizes
    return ", ".join(_counted(log, "parameters") + start)


def _steps(config, _, __, training):
    text = f"{training[-1]['step']:,}" if training else "none logged yet"
    if isinstance(config.get("steps"), int) and config["steps"]:
        text += f" of {config['steps']:,}"
    parts = [f"{config['global-batch']:,} sentences a step"] if isinstance(config.get("global-batch"), int) else []
    parts += [f"{config[key]}" for key in ("precision",) if key in config]
    return ", ".join([text, *parts, *(f"{key} {config[key]}" for key in ("lr", "seed") if key in config)])


def _ranks(_, environment, __, ___):
    ranks = [rank for rank in environment.get("ranks") or [] if isinstance(rank, dict)] if environment else []
    size = environment.get("size", len(ranks))
    if not size:
        return ""
    hosts = {rank.get("host") for rank in ranks}
    kinds = {str(rank.get("device", "")).split(":")[0] for rank in ranks} - {""}
    text = f"{size} on {len(hosts)} host{'s' * (len(hosts) > 1)}" if hosts else f"{size}"
    gpus = [gpu.get("name") for gpu in environment.get("devices") or [] if isinstance(gpu, dict)]
    text += "".join(f", {kind}" for kind in sorted(kinds))
    text += f" ({', '.join(sorted({str(name) for name in gpus if name}))})" if any(gpus) and "cuda" in kinds else ""
    threads = {rank.get("threads") for rank in ranks} - {None}
    if len(threads) == 1:
        count = threads.pop()
        text += f", {count} CPU thread{'s' * (count != 1)} each"
    return text + "".join(f", {key} {environment[key]}" for key in ("backend", "launcher") if environment.get(key))


VERSIONS = (
    ("libtorch", "libtorch "),
    ("mpi", ""),
    ("nccl", "NCCL "),
    ("cuda_runtime", "CUDA "),
    ("cuda_driver", "driver for CUDA "),
)


def _versions(_, environment, __, ___):
    versions = environment.get("versions")
    if not isinstance(versions, dict):
        return ""
    # An MPI's text goes on about its package, build and date.
    texts = {key: re.split(r"[,\n\0]", str(text))[0] for key, text in versions.items() if text}
    return ", ".join(name + texts[key] for key, name in VERSIONS if key in texts)


def _time(_, __, log, training):
    seconds = training_seconds(training)
    parts = [f"{duration(seconds)} in {training[-1]['step']:,} steps"] if seconds else []
    return "; ".join(parts + ([f"log from {log['first']} to {log['last']}"] if "first" in log else []))


FACTS = (
    ("Data", _data),
    ("Model", _model),
    ("Steps", _steps),
    ("Ranks", _ranks),
    ("Versions", _versions),
    ("Time", _time),
)
