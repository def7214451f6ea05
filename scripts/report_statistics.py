"""What report.py computes from the rows and summaries of `relmpi-eval strategies`."""

import math
import re

from report_data import finite


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


def adjusted_p(row):
    """p after Holm; plain p in files that have none; else None."""
    return next((row[name] for name in ("p_holm", "p") if finite(row.get(name))), None)


def pair(document, a, b):
    """The comparison of a with b, turned round if it was written the other way."""
    for row in document.get("comparisons", []):
        if (row["a"], row["b"]) == (a, b):
            return row
        if (row["a"], row["b"]) == (b, a):
            turned = row | {"a": a, "b": b, "only_a": row.get("only_b"), "only_b": row.get("only_a")}
            if finite(row.get("accuracy_difference")):
                turned["accuracy_difference"] = -row["accuracy_difference"]
            if row.get("difference_ci"):
                turned["difference_ci"] = [-bound for bound in reversed(row["difference_ci"])]
            turned["cost_ratio"] = 1 / row["cost_ratio"] if row.get("cost_ratio") else None
            return turned
    return None


def is_fixed(name):
    """A policy that takes the same steps whatever U is: fixed-k or retrieve-k."""
    return re.fullmatch(r"(fixed|retrieve)-\d+", name) is not None


def best_fixed(document):
    """The fixed-k policy that is right most often; of equals, the cheapest."""
    fixed = [policy for policy in document["policies"] if is_fixed(policy["name"])]
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
    found = []
    for row in document.get("comparisons", []):
        other, p = named.get(row["b"]), adjusted_p(row)
        if row["a"] != "mdp" or row["b"] == "oracle" or not other or p is None or p >= 0.05:
            continue
        if other["accuracy"] <= named["mdp"]["accuracy"] or other["cost_tokens"] > named["mdp"]["cost_tokens"]:
            continue
        found.append(other)
    return found


def _by_item(document):
    """{policy: [(right, cost) by rising item]} of the MDP and the fixed policies, if all ran over the same items."""
    items = {}
    for row in document.get("rows", []):
        if (row["policy"] == "mdp" or is_fixed(row["policy"])) and finite(row.get("cost_tokens")):
            items.setdefault(row["policy"], {})[row["item"]] = (int(row["correct"]), row["cost_tokens"])
    if "mdp" not in items or len(items) < 2 or any(found.keys() != items["mdp"].keys() for found in items.values()):
        return {}
    return {name: [found[item] for item in sorted(found)] for name, found in items.items()}


def _mean(values):
    return sum(values) / len(values)


def at_equal_cost(document):
    """The MDP against the best that fixed policies reach at its cost, item by item.

    One fixed policy that costs no more, or two of which a share w of the items takes the dearer one, so that the mean
    cost is the MDP's. w is estimated from the same items; the interval allows for it by the delta method: with the
    slope s = (accuracy of the dearer - of the cheaper) / (cost of the dearer - of the cheaper), an item adds
    (its difference in right) - s (its difference in cost). {} if there are no rows to compare; without "difference"
    if no fixed policy is as cheap.
    """
    rows = _by_item(document)
    if not rows:
        return {}
    mdp = rows.pop("mdp")
    accuracy = {name: _mean([right for right, _ in found]) for name, found in rows.items()}
    cost = {name: _mean([tokens for _, tokens in found]) for name, found in rows.items()}
    budget = _mean([tokens for _, tokens in mdp])
    names = sorted(rows, key=lambda name: (cost[name], name))
    best = None
    for i, low in enumerate(names):
        for high in names[i:]:
            mixed = low != high and cost[low] < budget < cost[high]
            if cost[low] > budget or (low != high and not mixed):
                continue
            share = (budget - cost[low]) / (cost[high] - cost[low]) if mixed else 0.0
            reached = (1 - share) * accuracy[low] + share * accuracy[high]
            if best is None or reached > best[0] + 1e-12:
                best = (reached, share, low, high)
    found = {"items": len(mdp), "cost": budget, "cheapest": names[0], "cheapest_cost": cost[names[0]]}
    if best is None:
        return found
    reached, share, low, high = best
    slope = (accuracy[high] - accuracy[low]) / (cost[high] - cost[low]) if share else 0.0
    parts = [
        (m[0] - (1 - share) * a[0] - share * b[0]) - slope * (m[1] - (1 - share) * a[1] - share * b[1])
        for m, a, b in zip(mdp, rows[low], rows[high])
    ]
    difference = _mean([right for right, _ in mdp]) - reached
    centre = _mean(parts)
    half = 1.96 * math.sqrt(sum((part - centre) ** 2 for part in parts)) / len(parts)
    return found | {
        "difference": difference,
        "difference_ci": [difference - half, difference + half],
        "low": low,
        "high": high,
        "share": share,
    }
