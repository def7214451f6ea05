#!/usr/bin/env python3
"""A baseline to judge a trained corrector by: a character trigram model and the confusion set, no neural network.

Reads what somebody wrote, x, as the noisy form of what was meant, y, and finds the y with the highest
log P(y) + log P(x | y) by beam search (Kernighan, Church, Gale 1990). P(y) is an interpolated Kneser-Ney trigram over
the training sentences; P(x | y) is `1 - e` if nothing changed and else e times the noise channel of
`relmpi-data noise`. e is chosen on the validation pairs by sentence-level correction F1.

  scripts/trigram.py --text train.txt --confusion confusion.json --validation validation.tsv --pairs test.tsv \\
                     --out predictions.tsv

writes `source TAB target TAB prediction` lines, which `relmpi-eval score` reads. Exit codes: 0 done, 2 bad input.
"""

import argparse
import collections
import json
import math
import pathlib
import sys

BEAM = 8
DISCOUNT = 0.75  # absolute discounting, all orders
KINDS = ("same_sound", "similar_sound", "similar_shape")
ERROR_RATES = (0.01, 0.03, 0.1, 0.2)
EDGE = "\n"


class Trigrams:
    """log P(c | a b), interpolated Kneser-Ney."""

    def __init__(self, lines):
        self.three = collections.Counter()
        for line in lines:
            text = EDGE + EDGE + line + EDGE
            self.three.update(text[i : i + 3] for i in range(len(text) - 2))
        two = collections.Counter(abc[1:] for abc in self.three)  # in how many contexts a pair is seen
        one = collections.Counter(bc[1] for bc in two)
        self.pairs = two
        self.three_total, self.three_kinds = totals(self.three, 2)
        self.two_total, self.two_kinds = totals(two, 1)
        self.one = one
        self.one_total = sum(one.values())
        self.characters = len(one) + 1
        self.known = {}

    def log_probability(self, abc):
        found = self.known.get(abc)
        if found is None:
            found = self.known[abc] = math.log(self.probability(abc))
        return found

    def probability(self, abc):
        discounted = len(self.one) * DISCOUNT / self.one_total
        p = max(self.one[abc[2]] - DISCOUNT, 0) / self.one_total + discounted / self.characters
        p = interpolate(self.pairs[abc[1:]], self.two_total[abc[1]], self.two_kinds[abc[1]], p)
        return interpolate(self.three[abc], self.three_total[abc[:2]], self.three_kinds[abc[:2]], p)


def totals(counts, context):
    total, kinds = collections.Counter(), collections.Counter()
    for gram, count in counts.items():
        total[gram[:context]] += count
        kinds[gram[:context]] += 1
    return total, kinds


def interpolate(count, total, kinds, lower):
    return (max(count - DISCOUNT, 0) + DISCOUNT * kinds * lower) / total if total else lower


def read_channel(path, mix):
    """{x: [(y, log P(x | y))]} for y != x, by the shares and weights of relmpi-data noise (no frequent characters)."""
    confusion = json.loads(path.read_text(encoding="utf-8"))
    shares, counts = dict(zip(KINDS, mix)), confusion["counts"]
    meant = collections.defaultdict(collections.Counter)
    for y in set().union(*(confusion[kind] for kind in KINDS)):
        lists = {k: confusion[k][y] for k in KINDS if shares[k] > 0 and confusion[k].get(y)}
        whole = sum(shares[k] for k in lists)
        for kind, characters in lists.items():
            weights = [math.sqrt(max(1, counts.get(x, 1))) for x in characters]
            for x, weight in zip(characters, weights):
                meant[x][y] += shares[kind] / whole * weight / sum(weights)
    return {x: [(y, math.log(p)) for y, p in found.items()] for x, found in meant.items()}


def correct(source, trigrams, channel, rate):
    stay, err = math.log1p(-rate), math.log(rate)
    beam = [(0.0, EDGE + EDGE)]
    for x in source:
        choices = [(x, stay)] + [(y, err + p) for y, p in channel.get(x, ())]
        best = {}
        for score, text in beam:
            context = text[-2:]
            for y, cost in choices:
                total = score + cost + trigrams.log_probability(context + y)
                state = context[1] + y
                if state not in best or total > best[state][0]:
                    best[state] = (total, text + y)
        beam = sorted(best.values(), reverse=True)[:BEAM]
    return max((score + trigrams.log_probability(text[-2:] + EDGE), text) for score, text in beam)[1][2:]


def read_pairs(path):
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.replace(" ", "").split("\t")
        if len(fields) != 2 or len(fields[0]) != len(fields[1]):
            raise ValueError(f"{path}:{number}: `source TAB target` of equal lengths is needed")
        pairs.append(fields)
    return pairs


def correction_f1(pairs, predictions):
    changed = sum(s != p for (s, _), p in zip(pairs, predictions))
    wrong = sum(s != t for s, t in pairs)
    right = sum(s != t and p == t for (s, t), p in zip(pairs, predictions))
    return 2 * right / max(1, changed + wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=pathlib.Path, required=True, help="right sentences, one a line")
    parser.add_argument("--confusion", type=pathlib.Path, required=True, help="from relmpi-data confusion")
    parser.add_argument("--validation", type=pathlib.Path, required=True, help="source TAB target lines, to choose e")
    parser.add_argument("--pairs", type=pathlib.Path, required=True, help="source TAB target lines to correct")
    parser.add_argument("--mix", default=".55,.15,.30", help="shares of same sound, similar sound, similar shape")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        trigrams = Trigrams(arguments.text.read_text(encoding="utf-8").splitlines())
        channel = read_channel(arguments.confusion, [float(share) for share in arguments.mix.split(",")])
        validation, pairs = read_pairs(arguments.validation), read_pairs(arguments.pairs)
    except (OSError, ValueError, KeyError) as error:
        print(f"trigram.py: {error}", file=sys.stderr)
        return 2
    tried = {}
    for rate in ERROR_RATES:
        predictions = [correct(source, trigrams, channel, rate) for source, _ in validation]
        tried[rate] = correction_f1(validation, predictions)
    rate = max(tried, key=tried.get)
    lines = [f"{s}\t{t}\t{correct(s, trigrams, channel, rate)}\n" for s, t in pairs]
    arguments.out.write_text("".join(lines), encoding="utf-8")
    print(f"error rate {rate:g}, F1 on the validation pairs {tried[rate]:.3f}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
