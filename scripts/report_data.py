"""Reads a run's records for report.py, and says in words what they show."""

import json
import math


class ReportError(Exception):
    """What the caller can mend."""


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ReportError(f"{path} is not JSON: {error}") from error


def read_metrics(path):
    """(training rows, evaluation rows) by rising step. Of a step logged twice, by a resumed run, the last counts."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ReportError(
            f"cannot read {path}: {error.strerror}. --run takes the folder that relmpi-train wrote."
        ) from error
    training, evaluations = {}, {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            step = int(row["step"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # the run was killed while it wrote
            raise ReportError(f"{path}:{number}: not an object with a step ({error})") from error
        if "evaluation" in row:
            evaluations[step] = row["evaluation"] | {"step": step}
        else:
            training[step] = row
    return [training[step] for step in sorted(training)], [evaluations[step] for step in sorted(evaluations)]


def finite(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def series(rows, name):
    """(steps, values) where the value is a number."""
    found = [(row["step"], row[name]) for row in rows if finite(row.get(name))]
    return [step for step, _ in found], [value for _, value in found]


def check_strategies(document, path):
    policies = document.get("policies") if isinstance(document, dict) else None
    if not isinstance(policies, list) or not policies:
        raise ReportError(f'{path} has no "policies": it is not what `relmpi-eval strategies` writes')
    for policy in policies:
        for field in ("name", "accuracy", "cost_tokens"):
            if field not in policy:
                raise ReportError(f"{path}: the policy {policy.get('name', '?')} has no \"{field}\"")
    return document


def final_confidence(rows):
    """[(U at the end, right or not)] of every row that has a history."""
    return [
        (row["history"][-1]["u_after"], int(row["correct"]))
        for row in rows
        if row.get("history") and finite(row["history"][-1].get("u_after"))
    ]


def reliability(pairs, bins=10):
    """Bins of equal counts: [(mean U, share right, low, high, n)], with 95 % Wilson intervals."""
    pairs = sorted(pairs)
    found = []
    for k in range(bins):
        part = pairs[k * len(pairs) // bins : (k + 1) * len(pairs) // bins]
        if part:
            n, share = len(part), sum(right for _, right in part) / len(part)
            z2 = 1.96**2
            centre = (share + z2 / (2 * n)) / (1 + z2 / n)
            half = 1.96 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
            found.append((sum(u for u, _ in part) / n, share, centre - half, centre + half, n))
    return found


# --- findings ---


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


def points(value):
    return f"{100 * value:+.1f}".replace("-", "−")


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def p_value(p):
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def pair(document, a, b):
    """The comparison of a with b, turned round where it was written the other way."""
    for row in document.get("comparisons", []):
        if (row["a"], row["b"]) == (a, b):
            return row
        if (row["a"], row["b"]) == (b, a):
            low, high = row["difference_ci"]
            return row | {
                "a": a,
                "b": b,
                "only_a": row["only_b"],
                "only_b": row["only_a"],
                "accuracy_difference": -row["accuracy_difference"],
                "difference_ci": [-high, -low],
                "cost_ratio": 1 / row["cost_ratio"] if row.get("cost_ratio") else None,
            }
    return None


def best_fixed(document):
    """The fixed-k policy that is right most often; of equals, the cheapest."""
    fixed = [policy for policy in document["policies"] if policy["name"].startswith("fixed-")]
    return min(fixed, key=lambda policy: (-policy["accuracy"], policy["cost_tokens"])) if fixed else None


def front(document):
    """Names of the policies that none beats in both accuracy and cost; the oracle, which knows the answers, aside."""
    rivals = [policy for policy in document["policies"] if policy["name"] != "oracle"]
    return {
        a["name"]
        for a in rivals
        if not any(
            b["accuracy"] >= a["accuracy"]
            and b["cost_tokens"] <= a["cost_tokens"]
            and (b["accuracy"], b["cost_tokens"]) != (a["accuracy"], a["cost_tokens"])
            for b in rivals
        )
    }


def cheaper_and_better(document, named):
    """Policies that need not know the answers and beat the MDP in cost and, significantly, in accuracy."""
    rows = [row for row in document.get("comparisons", []) if row["a"] == "mdp" and row["b"] != "oracle"]
    beaten = [row for row in rows if row["accuracy_difference"] < 0 and row.get("p_holm", row["p"]) < 0.05]
    return [named[row["b"]] for row in beaten if named[row["b"]]["cost_tokens"] <= named["mdp"]["cost_tokens"]]


def strategy_finding(document):
    """Whether the MDP differs from the best fixed-k, and what each costs, in two or three sentences."""
    named = {policy["name"]: policy for policy in document["policies"]}
    mdp, fixed = named.get("mdp"), best_fixed(document)
    if not mdp or not fixed:
        best = min(document["policies"], key=lambda policy: (-policy["accuracy"], policy["cost_tokens"]))
        return (
            f"Of {len(named)} policies {best['name']} is right most often: {percent(best['accuracy'])} of the items at "
            f"{number(best['cost_tokens'])} tokens an item."
        )
    ratio = mdp["cost_tokens"] / fixed["cost_tokens"] if fixed["cost_tokens"] else math.nan
    text = (
        f"The MDP is right on {percent(mdp['accuracy'])} of {mdp.get('items', 0):,} items at "
        f"{number(mdp['cost_tokens'])} tokens an item; the best fixed number of retrievals, {fixed['name']}, on "
        f"{percent(fixed['accuracy'])} at {number(fixed['cost_tokens'])} tokens. "
    )
    found = pair(document, "mdp", fixed["name"])
    if not found:
        return text + "The two were not compared item by item, so nothing is said about significance."
    low, high = found["difference_ci"]
    p = found.get("p_holm", found["p"])
    evidence = (
        f"({points(found['accuracy_difference'])} points, 95 % interval {points(low)} to {points(high)}; exact "
        f"McNemar, {p_value(p)} after Holm)"
    )
    if p >= 0.05:
        text += f"The difference in accuracy is not significant {evidence}"
    else:
        text += f"The MDP is significantly {'more' if found['accuracy_difference'] > 0 else 'less'} accurate {evidence}"
    if math.isfinite(ratio):
        side = "less than" if ratio < 0.995 else "more than" if ratio > 1.005 else "the same as"
        text += f", and it costs {ratio:.2f} times as much: {side} {fixed['name']}."
    else:
        text += "."
    text += f" {fixed['name']} was picked as the best on these very items, which favours it."
    for better in cheaper_and_better(document, named):
        text += (
            f" {better['name']} beats the MDP in both: {percent(better['accuracy'])} at "
            f"{number(better['cost_tokens'])} tokens, significant after Holm."
        )
    oracle = named.get("oracle")
    if oracle:
        text += (
            f" Knowing the answers, stopping at the right moment would reach {percent(oracle['accuracy'])} at "
            f"{number(oracle['cost_tokens'])} tokens."
        )
    return text


def training_finding(training, evaluations, scores):
    """What came out of training, in one or two sentences; "" where nothing is known."""
    text = ""
    steps, losses = series(training, "loss")
    if losses:
        text += f"After {steps[-1]:,} steps the training loss is {losses[-1]:.3g} (it began at {losses[0]:.3g}). "
    f1_steps, f1 = series(evaluations, "f1")
    if f1:
        best = max(range(len(f1)), key=lambda i: f1[i])
        text += f"On the validation set the best sentence-level F1 is {percent(f1[best])}, at step {f1_steps[best]:,}. "
    for name, score in scores:
        correction = score["correction"]
        text += (
            f"On {name}, {score['sentences']:,} sentences: correction F1 {percent(correction['f1'])} (precision "
            f"{percent(correction['precision'])}, recall {percent(correction['recall'])}); of the sentences without "
            f"errors {percent(correction['fpr'])} were changed. "
        )
    return text.strip()
