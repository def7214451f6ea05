#!/usr/bin/env python3
"""Runs relmpi-eval as a program: documents, exit codes, and what stderr says.   eval_cli_test.py PROGRAM"""
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import mdp_golden  # noqa: E402

PROGRAM = ""


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)


class Case(unittest.TestCase):
    def document(self, *arguments):
        done = run(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *arguments, naming):
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, arguments)
        self.assertEqual(done.stdout, "", arguments)
        self.assertIn(naming, done.stderr)

    def file(self, text, name="file.tsv"):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, name)
        with open(path, "wb") as stream:
            stream.write(text.encode() if isinstance(text, str) else text)
        return path


class Mdp(Case):
    def test_defaults_are_the_base_set(self):
        explicit = ["--delta-retrieve", .15, "--delta-reason", .08, "--success", .7, "--cost-retrieve", .2,
                    "--cost-reason", .1, "--mu", .6, "--gamma", 1, "--grid", 100, "--reward", "linear",
                    "--projection", "linear", "--tolerance", 1e-6]
        document = self.document("mdp")
        self.assertEqual(document, self.document("mdp", *explicit))
        self.assertEqual(set(document), {"value_at_0", "theta_continue", "theta_star", "bands", "threshold_form",
                                         "threshold_policy_value", "regret", "iterations", "fixed_k", "policy"})
        self.assertEqual(len(document["policy"]), 100)
        self.assertEqual(len(document["fixed_k"]), 9)

    def test_equals_the_reference_on_random_options(self):
        rng = random.Random(11)
        for _ in range(6):  # a start of the program takes half a second; mdp_golden.json has the many cases
            case = {name: str(round(rng.uniform(0, top), 2)) for name, top in
                    dict(delta_retrieve=.5, delta_reason=.3, success=1, cost_retrieve=.4, cost_reason=.2, mu=1).items()}
            case.update(gamma=rng.choice(["1", "1", ".95", ".3"]), grid=rng.choice([2, 3, 10, 31, 60]),
                        reward=rng.choice(["linear", "sqrt", "saturating", "sigmoid"]),
                        reward_k=rng.choice(["0.5", "5", "20"]), projection=rng.choice(["linear", "nearest"]))
            found = self.document("mdp", *[x for k, v in case.items() for x in ("--" + k.replace("_", "-"), v)])
            wanted = mdp_golden.solve(case)
            wanted["policy"] = [action for action, count in wanted["policy"] for _ in range(count)]
            for name in ("bands", "threshold_form", "policy"):
                self.assertEqual(found[name], wanted[name], case)
            for name in ("value_at_0", "theta_continue", "theta_star", "threshold_policy_value", "regret"):
                self.assertAlmostEqual(found[name], wanted[name], 10, case)

    def test_wrong_values_name_the_option(self):
        wrong = {"--success": ["-0.1", "much"], "--gamma": ["0", "nan"], "--grid": ["1", "2.5"],
                 "--delta-retrieve": ["-0.1"], "--delta-reason": ["nan"], "--mu": ["-1"], "--cost-retrieve": ["-0.2"],
                 "--cost-reason": ["inf"], "--reward": ["cubic"], "--projection": ["cosine"], "--reward-k": ["0"],
                 "--tolerance": ["0"]}
        for option, values in wrong.items():
            for value in values:
                self.refused("mdp", option, value, "--json", naming=option)
        self.refused("mdp", "--gamma=1.1", naming="--gamma")
        self.refused("mdp", "--speed", "3", naming="--speed")

    def test_text_and_help(self):
        text = run("mdp", "--reward", "sigmoid", "--reward-k", "20").stdout
        self.assertIn("theta*", text)
        self.assertIn("|", text)
        help_text = run("mdp", "--help")
        self.assertEqual(help_text.returncode, 0)
        for word in ("--delta-retrieve", "1 - exp(-k U)", "Example:"):
            self.assertIn(word, help_text.stdout)


class Score(Case):
    def test_counts(self):
        path = self.file("我 座\t我 坐\t我 坐\n我座\t我坐\t我做\n我座\t我坐\t我座\n我坐\t我坐\t你坐\n我坐\t我坐\t我坐\n")
        document = self.document("score", "--triples", path)
        self.assertEqual((document["sentences"], document["tokens"]), (5, 10))
        correction, detection = document["correction"], document["detection"]
        self.assertEqual([correction[k] for k in ("tp", "fp", "fn", "wp")], [1, 1, 1, 1])
        self.assertEqual([detection[k] for k in ("tp", "fp", "fn", "wp")], [2, 1, 1, 0])
        self.assertAlmostEqual(correction["precision"], 1 / 3)
        self.assertAlmostEqual(correction["fpr"], 1 / 2)
        self.assertAlmostEqual(detection["f1"], 2 / 3)
        self.assertGreaterEqual(document["seconds"], 0)
        self.assertIn("correction", run("score", "--triples", path).stdout)

    def test_wrong_files(self):
        self.refused("score", naming="--triples")
        self.refused("score", "--triples", "/no/such/file", naming="/no/such/file")
        self.refused("score", "--triples", self.file(""), naming="empty")
        for line in ("我\t我", "我们\t我\t我", "\t\t", ""):
            path = self.file(f"我\t我\t我\n{line}\n")
            self.refused("score", "--triples", path, "--json", naming=path + ":2:")
        path = self.file(b"\xff\t\xff\t\xff\n")
        self.refused("score", "--triples", path, naming=path + ":1:")


class Compare(Case):
    def results(self, **policies):
        rows = [{"policy": name, "item": item, "correct": int(letter), "cost_tokens": tokens}
                for name, (letters, tokens) in policies.items() for item, letter in enumerate(letters)]
        return self.file(json.dumps({"header": {}, "rows": rows}), "results.json")

    def test_two_files(self):
        a = self.results(mdp=("111110", 10), other=("000000", 1))
        b = self.results(fixed=("100001", 40))
        document = self.document("compare", a, b)
        self.assertEqual([document[k] for k in ("a", "b", "only_a", "only_b")], ["mdp", "fixed", 4, 1])
        self.assertAlmostEqual(document["p"], 2 * (1 + 5) / 32)
        self.assertAlmostEqual(document["p_holm"], document["p"])
        self.assertAlmostEqual(document["accuracy_difference"], 0.5)
        self.assertAlmostEqual(document["cost_ratio"], 0.25)
        low, high = document["difference_ci"]
        self.assertTrue(-1 <= low < 0.5 < high <= 1)
        self.assertEqual(document, self.document("compare", a, b))
        self.assertEqual(self.document("compare", a, a, "--a", "other", "--b", "mdp")["only_b"], 5)
        self.assertIn("fixed", run("compare", a, b).stdout)

    def test_wrong_use(self):
        a = self.results(mdp=("10", 1), other=("11", 1))
        self.refused("compare", a, self.results(mdp=("101", 1)), naming="has item 2")
        self.refused("compare", a, a, "--b", "third", naming="mdp, other")
        self.refused("compare", a, self.results(x=("10", 1), y=("10", 1)), naming="--b")
        self.refused("compare", a, self.file("{}", "x.json"), naming="rows")
        self.refused("compare", a, self.file("{", "x.json"), naming="not a JSON document")
        self.refused("compare", a, naming="B")


class Spelling(Case):
    """What is wrong with the options is said before a model is looked for."""

    def test_wrong_options(self):
        csc = ["csc", "--model", "/no/such/model", "--data", "/no/such/data"]
        strategies = ["strategies", *csc[1:], "--calibration", "/no/such/calibration"]
        in_the_way = self.file("")
        for option, value in {"--passes": 0, "--batch": 0, "--limit": -1}.items():
            self.refused(*csc, option, value, naming=option)
        for command in (csc, strategies):
            self.refused(*command, "--out", in_the_way, naming=in_the_way)


class Program(Case):
    def test_use(self):
        self.refused(naming="subcommand")
        self.refused("mpd", naming="subcommand")
        self.assertEqual(run("--help").returncode, 0)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
