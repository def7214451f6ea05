#!/usr/bin/env python3
"""What scripts/report.py says of results: its sentences, its numbers, the comparison at equal cost."""

import math
import pathlib
import random
import sys
import unittest

from report_records import strategies

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import report_statistics  # noqa: E402
import report_words  # noqa: E402


class Findings(unittest.TestCase):
    def test_says_when_the_difference_is_not_significant(self):
        text = report_words.strategy_finding(strategies())
        self.assertIn(
            "not significant (−0.2 points, 95 % interval −1.0 to +0.6; exact McNemar, p = 0.71 after Holm)", text
        )
        self.assertIn("fixed-2", text)  # as right as fixed-3, and cheaper
        self.assertIn("costs 0.39 times as much: less than fixed-2", text)
        self.assertIn("69.4 %", text)  # the oracle's bound

    def test_says_when_it_is_significant_and_which_way(self):
        self.assertIn("significantly less accurate", report_words.strategy_finding(strategies(-0.05, 0.001)))
        self.assertIn("significantly more accurate", report_words.strategy_finding(strategies(0.05, 0.0001)))
        self.assertIn("p < 0.001", report_words.strategy_finding(strategies(0.05, 0.0001)))

    def test_names_a_policy_that_beats_the_mdp_in_both(self):
        document = strategies(-0.05, 0.001)  # the MDP right on 61.8 %, at 71 tokens
        self.assertNotIn("threshold beats the MDP", report_words.strategy_finding(document))  # 74 tokens
        document["policies"][[p["name"] for p in document["policies"]].index("threshold")]["cost_tokens"] = 70
        self.assertIn("threshold beats the MDP in both: 66.5 % at 70 tokens", report_words.strategy_finding(document))
        self.assertNotIn("oracle beats", report_words.strategy_finding(document))
        for row in document["comparisons"]:
            row["p_holm"] = 0.2
        self.assertNotIn("threshold beats the MDP", report_words.strategy_finding(document))

    def test_turns_a_comparison_round(self):
        document = strategies()
        straight = report_statistics.pair(document, "mdp", "fixed-2")
        turned = report_statistics.pair(document, "fixed-2", "mdp")
        self.assertEqual((turned["only_a"], turned["only_b"]), (straight["only_b"], straight["only_a"]))
        self.assertAlmostEqual(turned["cost_ratio"] * straight["cost_ratio"], 1)
        self.assertEqual(turned["difference_ci"], [-straight["difference_ci"][1], -straight["difference_ci"][0]])

    def test_claims_nothing_without_a_comparison(self):
        document = strategies() | {"comparisons": []}
        self.assertIn("nothing is said about significance", report_words.strategy_finding(document))

    def test_reliability_bins_hold_all_items(self):
        bins = report_statistics.reliability([(k / 100, int(k >= 50)) for k in range(100)])
        self.assertEqual(sum(row[4] for row in bins), 100)
        self.assertEqual([row[1] for row in bins], [0.0] * 5 + [1.0] * 5)
        self.assertTrue(all(row[2] <= row[1] <= row[3] for row in bins[1:-1]))


class Numbers(unittest.TestCase):
    def test_p_has_no_exponent(self):
        self.assertEqual(
            [report_words.p_text(p) for p in (1.36e-112, 0.0009, 0.001, 0.0522, 0.71, 1.0)],
            ["< 0.001", "< 0.001", "0.001", "0.052", "0.71", "1.00"],
        )
        self.assertEqual(report_words.p_value(1.36e-112), "p < 0.001")

    def test_measures_have_three_digits_and_counts_all_of_theirs(self):
        self.assertEqual(
            [report_words.number(value) for value in (0.0, 0.0304, 1.0, 12.02, 99.96, 13214.4, 7, 1668)],
            ["0", "0.0304", "1.00", "12.0", "100", "13,214", "7", "1,668"],
        )
        self.assertEqual([report_words.points(value) for value in (-0.002, 0.0415, -1e-9)], ["−0.2", "+4.2", "+0.0"])
        self.assertEqual([report_words.duration(s) for s in (8.2, 80, 7980)], ["8 s", "1 min 20 s", "2 h 13 min"])


def decided(mdp, cheap, dear, cost=2):
    """mdp at `cost` tokens, fixed-0 at 1 and fixed-1 at 3, right as the lists say."""
    lists = (("mdp", mdp, cost), ("fixed-0", cheap, 1), ("fixed-1", dear, 3))
    return {
        "policies": [
            {"name": name, "accuracy": sum(right) / len(right), "cost_tokens": tokens} for name, right, tokens in lists
        ],
        "rows": [
            {"policy": name, "item": item, "correct": value, "cost_tokens": tokens}
            for name, right, tokens in lists
            for item, value in enumerate(right)
        ],
    }


class EqualCost(unittest.TestCase):
    def test_mixes_two_fixed_policies_to_the_same_cost(self):
        found = report_statistics.at_equal_cost(decided([1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]))
        self.assertEqual((found["low"], found["high"], found["share"]), ("fixed-0", "fixed-1", 0.5))
        self.assertAlmostEqual(found["difference"], 0.75 - (0.25 + 0.5) / 2)
        # item by item 0, 0.5, 1, 0: mean 0.375, sum of squares about it 0.6875
        half = 1.96 * math.sqrt(0.6875) / 4
        self.assertAlmostEqual(found["difference_ci"][0], 0.375 - half)
        self.assertAlmostEqual(found["difference_ci"][1], 0.375 + half)

    def test_takes_a_cheaper_policy_that_no_mixture_beats(self):
        found = report_statistics.at_equal_cost(decided([1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]))
        self.assertEqual((found["low"], found["share"]), ("fixed-0", 0))
        self.assertAlmostEqual(found["difference"], 0.25)

    def test_interval_is_that_of_a_bootstrap_that_estimates_the_mixture_anew(self):
        numbers = random.Random(3)
        items = [
            [(int(numbers.random() < share), tokens * numbers.uniform(0.2, 1.8)) for share, tokens in
             ((0.6, 2), (0.4, 1), (0.7, 3))]
            for _ in range(400)
        ]  # fmt: skip
        names = ("mdp", "fixed-0", "fixed-1")
        rows = [
            {"policy": name, "item": i, "correct": item[k][0], "cost_tokens": item[k][1]}
            for i, item in enumerate(items)
            for k, name in enumerate(names)
        ]
        found = report_statistics.at_equal_cost({"policies": [], "rows": rows})
        draws = []
        for _ in range(1000):
            drawn = numbers.choices(items, k=len(items))
            right, cost = ([sum(item[k][j] for item in drawn) / len(drawn) for k in range(3)] for j in range(2))
            share = (cost[0] - cost[1]) / (cost[2] - cost[1])
            draws.append(right[0] - (1 - share) * right[1] - share * right[2])
        draws.sort()
        self.assertAlmostEqual(found["difference_ci"][0], draws[25], delta=0.01)
        self.assertAlmostEqual(found["difference_ci"][1], draws[974], delta=0.01)

    def test_answers_in_words(self):
        better, same = [1] * 30 + [0] * 10, [1, 0] * 20
        self.assertEqual(report_words.answer(decided(better, same, same))[0], "Yes: deciding is more often right.")
        self.assertEqual(report_words.answer(decided(same, same, same))[0], "No difference shown.")
        worse = report_words.answer(decided([0] * 40, same, same))
        self.assertEqual(worse[0], "No: deciding is less often right.")
        self.assertIn("−50.0 points (95 % interval", worse[1])
        free = report_words.answer(decided(same, same, same, cost=0))
        self.assertEqual(free[0], "No comparison: no fixed policy is as cheap.")
        self.assertIn("Not known", report_words.answer(decided(same, same, same) | {"rows": []})[0])


if __name__ == "__main__":
    unittest.main()
