#!/usr/bin/env python3
"""Writes tests/eval/statistics_golden.json: cases of eval/decisions/statistics.h and eval/decisions/calibration.h by definition, in exact
fractions and without any of the shortcuts of the C++: McNemar by summing binomial terms, AUROC over all pairs, isotonic
regression by its max-min formula, the bootstrap on a re-implementation of base/random.h.

    python3 tests/reference/statistics_golden.py > tests/eval/statistics_golden.json

With --check it also compares with scipy and scikit-learn if they are installed.
"""
import json
import math
import random
import sys
from fractions import Fraction as F

MASK = (1 << 64) - 1


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def purpose_of(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def draws(seed, purpose, index, bound, count):
    state = mix64(mix64(seed ^ purpose_of(purpose)) ^ index)
    result = []
    while len(result) < count:
        product = mix64(state) * bound
        state = (state + 1) & MASK
        if (product & MASK) >= (1 << 64) % bound:
            result.append(product >> 64)
    return result


def quantile(values, q):
    values = sorted(values)
    position = q * (len(values) - 1)
    lower = position.numerator // position.denominator
    upper = min(lower + 1, len(values) - 1)
    return values[lower] + (position - lower) * (values[upper] - values[lower])


def bootstrap_mean(values, seed, purpose):
    means = [F(sum(values[i] for i in draws(seed, purpose, r, len(values), len(values))), len(values))
             for r in range(2000)]
    return [float(quantile(means, F(1, 40))), float(quantile(means, F(39, 40)))]


def mcnemar(b, c):
    n = b + c
    tail = sum(F(math.comb(n, k), 2 ** n) for k in range(min(b, c) + 1))
    return float(min(F(1), 2 * tail))


def holm(p):
    """The least level at which the step-down procedure rejects each hypothesis."""
    count = len(p)
    order = sorted(range(count), key=lambda i: p[i])
    return [float(max(min(F(1), (count - rank) * p[order[rank]]) for rank in range(order.index(i) + 1)))
            for i in range(count)]


def auroc(scores, labels):
    pairs = [(s, t) for s, y in zip(scores, labels) if y for t, z in zip(scores, labels) if not z]
    return float(sum(F(1) if s > t else F(1, 2) if s == t else F(0) for s, t in pairs) / len(pairs))


def ece(probabilities, labels, bins=15):
    total = F(0)
    for b in range(bins):
        inside = [(F(p), y) for p, y in zip(probabilities, labels)
                  if F(b, bins) <= F(p) < F(b + 1, bins) or (b == bins - 1 and p == 1)]
        if inside:
            accuracy, confidence = F(sum(y for _, y in inside), len(inside)), sum(p for p, _ in inside) / len(inside)
            total += F(len(inside), len(labels)) * abs(accuracy - confidence)
    return float(total)


def isotonic(scores, labels):
    """At each distinct score: max over lower ends of the min over upper ends of the mean between them."""
    levels = sorted(set(scores))
    sums = [sum(y for s, y in zip(scores, labels) if s == level) for level in levels]
    counts = [scores.count(level) for level in levels]
    fitted = [max(min(F(sum(sums[a:b + 1]), sum(counts[a:b + 1])) for b in range(i, len(levels)))
                  for a in range(i + 1)) for i in range(len(levels))]
    return levels, [float(x) for x in fitted]


def pareto(cost, accuracy):
    points = range(len(cost))
    def beats(i, j):
        return cost[i] <= cost[j] and accuracy[i] >= accuracy[j] and (cost[i] < cost[j] or accuracy[i] > accuracy[j])
    return [j for j in points if not any(beats(i, j) for i in points)]


def cases():
    rng = random.Random(20)
    discordant = [(0, 0), (0, 1), (1, 0), (0, 6), (5, 5), (3, 9), (10, 2), (40, 61), (150, 260), (700, 650), (1, 2000)]
    families = [[F(1, 2)], [F(1, 100), F(4, 100), F(3, 100)], [F(1, 50)] * 4,
                [F(rng.randrange(1, 400), 1000) for _ in range(9)]]
    samples = []
    for size in (4, 30, 200):
        for coarse in (True, False):
            scores = [rng.randrange(8) / 8 if coarse else rng.random() for _ in range(size)]
            labels = [int(rng.random() < s) for s in scores]
            labels[0], labels[1] = 0, 1
            levels, fitted = isotonic(scores, labels)
            samples.append(dict(scores=scores, labels=labels, auroc=auroc(scores, labels), ece=ece(scores, labels),
                                levels=levels, isotonic=fitted))
    resampled = []
    for size, seed in ((1, 0), (7, 3), (30, 2**63 + 5)):
        values = [rng.randrange(-1, 2) for _ in range(size)]
        resampled.append(dict(values=values, seed=seed, purpose="accuracy difference",
                              interval=bootstrap_mean(values, seed, "accuracy difference")))
    fronts = []
    for _ in range(6):
        cost = [rng.randrange(5) for _ in range(9)]
        accuracy = [rng.randrange(5) for _ in range(9)]
        fronts.append(dict(cost=cost, accuracy=accuracy, front=pareto(cost, accuracy)))
    return dict(mcnemar=[dict(only_a=b, only_b=c, p=mcnemar(b, c)) for b, c in discordant],
                holm=[dict(p=[float(x) for x in p], adjusted=holm(p)) for p in families],
                samples=samples, bootstrap=resampled, pareto=fronts)


def check(data):
    from scipy.stats import binomtest
    from sklearn.isotonic import isotonic_regression
    from sklearn.metrics import roc_auc_score
    for case in data["mcnemar"]:
        if case["only_a"] + case["only_b"]:
            p = binomtest(case["only_a"], case["only_a"] + case["only_b"]).pvalue
            assert abs(p - case["p"]) <= 1e-9 * p, case
    for case in data["samples"]:
        assert abs(roc_auc_score(case["labels"], case["scores"]) - case["auroc"]) < 1e-12
        groups = [[y for s, y in zip(case["scores"], case["labels"]) if s == level] for level in case["levels"]]
        fitted = isotonic_regression([sum(g) / len(g) for g in groups], sample_weight=[len(g) for g in groups])
        assert max(abs(a - b) for a, b in zip(fitted, case["isotonic"])) < 1e-12
    print("scipy and scikit-learn agree", file=sys.stderr)


if __name__ == "__main__":
    golden = cases()
    if "--check" in sys.argv[1:]:
        check(golden)
    print(json.dumps(golden, separators=(",", ":")).replace('},{', '},\n{'))
