#!/usr/bin/env python3
"""Writes tests/eval/mdp_golden.json: cases of `relmpi-eval mdp`, solved by another method in 60-digit decimals.

No step leads downwards, so the last grid point is solved first and each one below it in closed form:
V = max(sigma, (reward + gamma * what other points give) / (1 - gamma * P(stay))). No sweeps, no linear algebra, no
binary fractions: where a step ends on the grid, and what is a tie, is decided exactly. fixed_k goes through all 2^k
sequences of successes.

    python3 tests/reference/mdp_golden.py > tests/eval/mdp_golden.json
"""
import itertools
import json
from decimal import Decimal as D, ROUND_FLOOR, getcontext

getcontext().prec = 60
TIE = D("1e-9")
ORDER = ("terminate", "reason", "retrieve")
DEFAULTS = dict(delta_retrieve="0.15", delta_reason="0.08", success="0.7", cost_retrieve="0.2", cost_reason="0.1",
                mu="0.6", gamma="1", grid=100, reward="linear", reward_k="5", projection="linear")


def sigma(case, x):
    k = D(case["reward_k"])
    return {"linear": lambda: x,
            "sqrt": lambda: x.sqrt(),
            "saturating": lambda: 1 - (-k * x).exp(),
            "sigmoid": lambda: 1 / (1 + (-k * (x - D("0.5"))).exp())}[case["reward"]]()


def landing(case, j, delta):
    """[(point, weight)] of a move by delta from point j."""
    last = case["grid"] - 1
    position = min(D(j) + delta * last, D(last))
    lower = int(position.to_integral_value(rounding=ROUND_FLOOR))
    fraction = position - lower
    if fraction == 0:
        return [(lower, D(1))]
    if case["projection"] == "nearest":
        return [(lower + (1 if fraction > D("0.5") else 0), D(1))]
    return [(lower, 1 - fraction), (lower + 1, fraction)]


def row(case, action, j):
    if action == "reason":
        return landing(case, j, D(case["delta_reason"]))
    p = D(case["success"])
    return [(point, p * weight) for point, weight in landing(case, j, D(case["delta_retrieve"]))] + [(j, 1 - p)]


def cost(case, action):
    return D(case["mu"]) * D(case["cost_" + action])


def value_of(case, action, j, above):
    """The value of point j where `action` is taken there each time, given the values of the points above."""
    if action == "terminate":
        return sigma(case, D(j) / (case["grid"] - 1))
    gamma, price = D(case["gamma"]), cost(case, action)
    stay = sum((weight for point, weight in row(case, action, j) if point == j), D(0))
    moves = [(point, weight) for point, weight in row(case, action, j) if point != j and weight != 0]
    if not moves and gamma == 1:
        return D("-Infinity") if price > 0 else D(0)
    if any(above[point].is_infinite() for point, _ in moves):
        return D("-Infinity")
    return (-price + gamma * sum((weight * above[point] for point, weight in moves), D(0))) / (1 - gamma * stay)


def look_ahead(case, action, j, value):
    if action == "terminate":
        return value_of(case, action, j, None)
    return -cost(case, action) + D(case["gamma"]) * sum(w * value[point] for point, w in row(case, action, j))


def evaluate(case, policy):
    value = {}
    for j in reversed(range(case["grid"])):
        value[j] = value_of(case, policy[j], j, value)
    return value


def fixed_k(case, k):
    gamma, p = D(case["gamma"]), D(case["success"])
    total = D(0)
    for outcome in itertools.product((False, True), repeat=k):
        u, probability = D(0), D(1)
        for hit in outcome:
            probability *= p if hit else 1 - p
            u = min(u + D(case["delta_retrieve"]), D(1)) if hit else u
        u = min(u + D(case["delta_reason"]), D(1))
        paid = sum((gamma ** t * cost(case, "retrieve") for t in range(k)), D(0)) + gamma ** k * cost(case, "reason")
        total += probability * (gamma ** (k + 1) * sigma(case, u) - paid)
    return total


def number(x):
    return float(x) if x.is_finite() else None


def solve(case):
    n = case["grid"]
    value = {}
    for j in reversed(range(n)):
        value[j] = max(value_of(case, action, j, value) for action in ORDER)
    q = {action: [look_ahead(case, action, j, value) for j in range(n)] for action in ORDER}
    policy = []
    for j in range(n):
        best = max(q[action][j] for action in ORDER)
        policy.append(next(action for action in ORDER if q[action][j] > best - TIE))
    star = next((j for j in range(n) if q["terminate"][j] > max(q["reason"][j], q["retrieve"][j]) - TIE), n - 1)
    onward = next((j for j in range(star) if q["retrieve"][j] < q["reason"][j] - TIE), star)
    two = ["retrieve" if j < onward else "reason" if j < star else "terminate" for j in range(n)]
    two_value = evaluate(case, two)
    return dict(
        value_at_0=number(value[0]), theta_continue=float(D(onward) / (n - 1)), theta_star=float(D(star) / (n - 1)),
        bands=sum(1 for _ in itertools.groupby(policy)),
        threshold_form=policy == sorted(policy, key=ORDER.index, reverse=True),
        threshold_policy_value=number(two_value[0]), regret=number(value[0] - two_value[0]),
        fixed_k=[float(fixed_k(case, k)) for k in range(9)],
        policy=[[action, len(list(run))] for action, run in itertools.groupby(policy)],
        value=[float(value[j]) for j in range(0, n, max(1, n // 7))])


CHANGES = [
    {},
    *[dict(reward=r) for r in ("sqrt", "saturating", "sigmoid")],
    *[dict(reward=r, projection="nearest") for r in ("linear", "sqrt", "saturating", "sigmoid")],
    *[dict(reward=r, gamma="0.95", grid=61) for r in ("linear", "sqrt", "saturating", "sigmoid")],
    dict(gamma="0.5", mu="0.1"), dict(gamma="0.01", reward="sqrt"),
    dict(success="1"), dict(success="0"), dict(success="0.001", cost_retrieve="0.00001"),
    dict(success="0.3", cost_reason="0.2", cost_retrieve="0.05"),
    dict(delta_retrieve="0"), dict(delta_reason="0"), dict(delta_retrieve="0", delta_reason="0"),
    dict(delta_reason="0", cost_reason="0", reward="sigmoid", reward_k="12"),
    dict(mu="0"), dict(mu="0", reward="sigmoid", projection="nearest"), dict(cost_retrieve="0"),
    dict(cost_reason="0"), dict(mu="50"),
    dict(grid=2), dict(grid=2, projection="nearest", delta_retrieve="0.5"), dict(grid=3, delta_reason="0.25"),
    dict(grid=11, projection="nearest", delta_reason="0.05", delta_retrieve="0.15"),
    dict(grid=101, delta_retrieve="0.15", delta_reason="0.07"), dict(grid=101, projection="nearest", success="0.9"),
    dict(delta_retrieve="1", delta_reason="0.5"), dict(delta_retrieve="3", success="0.05", mu="0.2"),
    dict(delta_reason="0.001", cost_reason="0.0005", grid=150), dict(delta_reason="0.001", projection="nearest"),
    dict(reward="sigmoid", reward_k="20", success="0.9", cost_retrieve="0.1"),
    dict(reward="sigmoid", reward_k="15", mu="0.8", delta_retrieve="0.3", success="0.95"),
    dict(reward="sigmoid", reward_k="40", mu="1.2", delta_retrieve="0.25", delta_reason="0.1", success="0.8"),
    dict(reward="sigmoid", reward_k="30", mu="1.5", gamma="0.9", delta_retrieve="0.2", delta_reason="0.2"),
    dict(reward="saturating", reward_k="0.1", mu="0.05"), dict(reward="saturating", reward_k="100", mu="0.2"),
    dict(reward="sqrt", mu="0.3", delta_retrieve="0.4", success="0.85", cost_retrieve="0.3"),
    dict(reward="linear", delta_retrieve="0.3", success="0.6", cost_retrieve="0.2", cost_reason="0.12"),
    dict(reward="linear", delta_retrieve="0.35", success="0.8", cost_retrieve="0.3", projection="nearest", grid=80),
    dict(reward="sqrt", delta_retrieve="0.5", success="0.5", gamma="0.99", mu="0.4"),
    # Found by random search: three and more bands, in and out of the threshold form, with and without regret.
    dict(delta_retrieve="0.09", delta_reason="0.2", success="0.94", cost_retrieve="0.1", cost_reason="0.14",
         mu="0.12", gamma="1", grid=30, reward="sqrt", projection="nearest"),
    dict(delta_retrieve="0.33", delta_reason="0.11", success="0.7", cost_retrieve="0.2", cost_reason="0.08",
         mu="0.99", gamma="1", grid=30, reward="sigmoid", reward_k="3"),
    dict(delta_retrieve="0.08", delta_reason="0.03", success="0.39", cost_retrieve="0.11", cost_reason="0.12",
         mu="0.34", gamma="0.95", grid=101, reward="sigmoid", reward_k="10", projection="nearest"),
    dict(delta_retrieve="0.08", delta_reason="0.14", success="0.5", cost_retrieve="0.07", cost_reason="0.16",
         mu="0.13", gamma="1", grid=30),
    dict(delta_retrieve="0.16", delta_reason="0.07", success="0.68", cost_retrieve="0.19", cost_reason="0.1",
         mu="0.33", gamma="0.9", grid=101, reward="sqrt"),
    dict(delta_retrieve="0.46", delta_reason="0.11", success="0.65", cost_retrieve="0.08", cost_reason="0.08",
         mu="0.21", gamma="1", grid=60, reward="saturating", reward_k="20", projection="nearest"),
    dict(delta_retrieve="0.21", delta_reason="0.07", success="0.8", cost_retrieve="0.36", cost_reason="0.12",
         mu="0.24", gamma="0.95", grid=60, reward="saturating", reward_k="20"),
    dict(delta_retrieve="0.41", delta_reason="0.18", success="0.53", cost_retrieve="0.13", cost_reason="0.19",
         mu="0.74", gamma="1", grid=101, projection="nearest"),
    dict(delta_retrieve="0.36", delta_reason="0.11", success="0.58", cost_retrieve="0.26", cost_reason="0.11",
         mu="0.23", gamma="0.99", grid=30, reward="sigmoid", reward_k="20", projection="nearest"),
    dict(delta_retrieve="0.23", delta_reason="0.04", success="0.56", cost_retrieve="0.28", cost_reason="0.12",
         mu="0.59", gamma="1", grid=101, reward="sigmoid", reward_k="20"),
    dict(delta_retrieve="0.5", delta_reason="0.11", success="0.83", cost_retrieve="0.14", cost_reason="0.14",
         mu="0.34", gamma="0.95", grid=30, projection="nearest"),
    dict(delta_retrieve="0.33", delta_reason="0.03", success="0.65", cost_retrieve="0.35", cost_reason="0.12",
         mu="0.92", gamma="1", grid=60, reward="sigmoid", reward_k="20"),
    dict(delta_retrieve="0.12", delta_reason="0.04", success="0.62", cost_retrieve="0.24", cost_reason="0.17",
         mu="0.7", gamma="0.99", grid=101, reward="sigmoid", reward_k="20"),
    dict(delta_retrieve="0.29", delta_reason="0.1", success="0.72", cost_retrieve="0.1", cost_reason="0.05",
         mu="0.11", gamma="1", grid=30, reward="sqrt"),
    dict(delta_retrieve="0.42", delta_reason="0.12", success="0.39", cost_retrieve="0.2", cost_reason="0.07",
         mu="0.19", gamma="0.9", grid=101, reward="sigmoid", reward_k="20"),
    dict(delta_retrieve="0.26", delta_reason="0.14", success="0.86", cost_retrieve="0.07", cost_reason="0.06",
         mu="0.24", gamma="1", grid=101, reward="sqrt", projection="nearest"),
    dict(delta_retrieve="0.24", delta_reason="0.05", success="0.8", cost_retrieve="0.28", cost_reason="0.07",
         mu="0.16", gamma="0.9", grid=60, reward="sigmoid", reward_k="20", projection="nearest"),
]


def main():
    cases = []
    for change in CHANGES:
        case = {**DEFAULTS, **change}
        cases.append(dict(options=case, expected=solve(case)))
    print("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
