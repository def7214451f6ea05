#!/usr/bin/env python3
"""Evaluations write the same bytes at any number of ranks, and their sums follow from their rows.   FOLDER-OF-PROGRAMS"""

import collections
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

SENTENCE_FILES = ("sents.tp", "sents.fp", "sents.fn", "sents.wp")
POLICIES = "mdp,fixed-k,always-retrieve,always-reason,random,threshold,oracle"
MAX_K = 2
DEPTH = 3  # of the oracle: as many passes as any other policy may make


class EvalRanks(testing.ProgramCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = testing.shared_corrector()

    def csc(self, out, *options, ranks=None):
        words = testing.options(["--model", self.model, "--out", out, "--threads", 1], options)
        done = testing.run("relmpi-eval", "csc", *words, "--json", ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)  # exactly one document, from one rank

    def same_at(self, counts, name, *options):
        wanted = self.csc(self.path(f"{name}-alone"), *options)
        for ranks in counts:
            with self.subTest(name, ranks=ranks):
                out = self.path(f"{name}-{ranks}")
                found = self.csc(out, *options, ranks=ranks)
                self.assertEqual({**found, "seconds": 0}, {**wanted, "seconds": 0})
                for file in ("rows.jsonl", *SENTENCE_FILES):
                    self.assertEqual((out / file).read_bytes(), (self.path(f"{name}-alone") / file).read_bytes(), file)
        return wanted

    def test_csc_rows_do_not_depend_on_the_ranks(self):
        test = ["--data", self.corpus / "test", "--batch", 4]
        one = self.same_at((1, 2, 3, 4, 7), "once", *test)
        self.assertEqual(one["sentences"], 37)
        counts = one["correction"]
        self.assertTrue(counts["tp"] > 0 and counts["fp"] > 0 and counts["wp"] > 0, "the model is no test: " + str(one))
        self.same_at((2,), "tuned", *test, "--tune-thresholds")

    def test_a_second_pass_reads_what_the_first_wrote(self):
        raw = self.path("raw")  # all but random weights: it changes its mind at each pass
        self.train(raw, "--steps", 1, "--initializer-range", 0.5)
        bold = ["--model", raw / "model", "--detect-threshold", 0, "--gate-threshold", 0, "--batch", 8]
        self.same_at((3,), "twice", "--data", self.corpus / "test", "--passes", 2, *bold)
        self.csc(self.path("first"), "--data", self.corpus / "test", *bold)
        first = testing.read_rows(self.path("first") / "rows.jsonl")
        between = testing.write(self.path("between.tsv"), "".join(f"{row['prediction']}\t{row['target']}\n" for row in first))
        self.corpus.make("shard", "--pairs", between, "--vocab", self.corpus.vocab, "--out", self.path("shards"))
        self.csc(self.path("second"), "--data", self.path("shards") / "train", *bold)

        def predictions(name):
            return [row["prediction"] for row in testing.read_rows(self.path(name) / "rows.jsonl")]

        self.assertNotEqual(predictions("twice-alone"), predictions("first"))
        self.assertEqual(predictions("twice-alone"), predictions("second"))

    def test_csc_with_fewer_sentences_than_ranks(self):
        for options in ([], ["--batch", 1]):
            result = self.same_at((4, 7), f"few{len(options)}", "--data", self.corpus / "few", *options)
            self.assertEqual(result["sentences"], 3)

    def test_csc_counts_follow_from_its_rows(self):
        out = self.path("out")
        found = self.csc(out, "--data", self.corpus / "test", ranks=2)
        rows = testing.read_rows(out / "rows.jsonl")
        pairs = [tuple(line.split("\t")) for line in (self.corpus / "test.tsv").read_text().split("\n")[:-1]]
        self.assertEqual(sorted((row["source"], row["target"]) for row in rows), sorted(pairs))
        self.assertEqual([row["sentence"] for row in rows], list(range(37)))
        outcomes = collections.defaultdict(list)
        for row in rows:
            s, t, p = row["source"], row["target"], row["prediction"]
            kind = ("tn" if p == t else "fp") if s == t else "tp" if p == t else "fn" if p == s else "wp"
            outcomes[kind].append(f"{s}\t{t}\t{p}\n")
        for file in SENTENCE_FILES:
            self.assertEqual((out / file).read_text(), "".join(outcomes[file[-2:]]), file)
        n = {kind: len(lines) for kind, lines in outcomes.items()}
        tp, fp, fn, wp = (n.get(kind, 0) for kind in ("tp", "fp", "fn", "wp"))
        precision, recall = tp / (tp + fp + wp), tp / (tp + fn + wp)
        wanted = {"tp": tp, "fp": fp, "fn": fn, "wp": wp, "precision": precision, "recall": recall,
                  "f1": 2 * precision * recall / (precision + recall),
                  "f2": 5 * precision * recall / (4 * precision + recall),
                  "fpr": fp / (fp + n.get("tn", 0)), "wpr": wp / (tp + fn + wp)}
        self.assertEqual(set(found["correction"]), set(wanted))
        for name, value in wanted.items():
            self.assertAlmostEqual(found["correction"][name], value, 12, name)
        self.assertEqual(found["tokens"], sum(len(source) for source, _ in pairs))


class StrategiesRanks(testing.ProgramCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = testing.shared_corrector()
        cls.documents = {}
        for ranks in (None, 1, 2, 3, 4, 7):
            out = cls.folder / f"strategies-{ranks}"
            done = testing.run("relmpi-eval", "strategies", "--environment", "csc", "--model", cls.model, "--data",
                               cls.corpus / "test", "--calibration", cls.corpus / "calibration", "--policies", POLICIES,
                               "--max-k", MAX_K, "--oracle-depth", DEPTH, "--batch", 8, "--out", out, "--threads", 1,
                               "--json", ranks=ranks)
            if done.returncode != 0:
                raise AssertionError(done.stderr)
            cls.documents[ranks] = json.loads((out / "strategies.json").read_text())
            if json.loads(done.stdout) != cls.documents[ranks]:
                raise AssertionError("--json prints something else than strategies.json holds")
        cls.document = cls.documents[2]
        cls.rows = collections.defaultdict(list)
        for row in cls.document["rows"]:
            cls.rows[row["policy"]].append(row)

    def test_rows_do_not_depend_on_the_ranks(self):
        for ranks, document in self.documents.items():
            with self.subTest(ranks=ranks):
                self.assertEqual(document["rows"], self.documents[None]["rows"])
                for part in ("header", "calibration"):
                    self.assertEqual(document[part], self.documents[None][part])

    def test_every_policy_has_every_item_once(self):
        names = ["mdp", "fixed-0", "fixed-1", "fixed-2", "always-retrieve", "always-reason", "random", "threshold", "oracle"]
        self.assertEqual([policy["name"] for policy in self.document["policies"]], names)
        self.assertEqual(set(self.rows), set(names))
        for name, rows in self.rows.items():
            self.assertEqual([row["item"] for row in rows], list(range(37)), name)

    def test_summaries_follow_from_the_rows(self):
        for policy in self.document["policies"]:
            rows = self.rows[policy["name"]]
            self.assertEqual(policy["items"], len(rows))
            for name, field in (("accuracy", "correct"), ("cost_tokens", "cost_tokens"), ("iterations", "iterations"),
                                ("retrievals", "retrievals"), ("reasons", "reasons")):
                self.assertAlmostEqual(policy[name], sum(row[field] for row in rows) / len(rows), 9, (policy["name"], name))
            low, high = policy["accuracy_ci"]
            self.assertTrue(low <= policy["accuracy"] <= high)

    def test_rows_follow_from_their_history(self):
        for row in self.document["rows"]:
            actions = [step["action"] for step in row["history"]]
            self.assertEqual(row["iterations"], len(actions))
            self.assertEqual(row["retrievals"], actions.count("retrieve"))
            self.assertEqual(row["reasons"], actions.count("reason"))
            self.assertEqual(row["cost_tokens"], sum(step["cost_tokens"] for step in row["history"]))
            for before, after in zip(row["history"], row["history"][1:]):
                self.assertEqual(before["u_after"], after["u_before"])
            self.assertTrue(all(0 <= step["u_after"] <= 1 for step in row["history"]))

    def test_policies_do_what_their_names_say(self):
        def actions(name):
            return [[step["action"] for step in row["history"]] for row in self.rows[name]]

        for k in range(MAX_K + 1):
            self.assertEqual(actions(f"fixed-{k}"), [["retrieve"] * k + ["reason"]] * 37)
        self.assertEqual(actions("always-retrieve"), [["retrieve"] * (MAX_K + 1)] * 37)
        self.assertEqual(actions("always-reason"), [["reason"] * (MAX_K + 1)] * 37)
        self.assertTrue(all("reason" not in one for one in actions("threshold")))
        self.assertTrue(all(len(one) <= MAX_K + 1 for name in self.rows for one in actions(name)))

    def test_the_oracle_is_the_best_of_all(self):
        oracle = {row["item"]: row for row in self.rows["oracle"]}
        self.assertGreater(sum(row["correct"] for row in oracle.values()), 0)
        for name, rows in self.rows.items():
            for row in rows:
                if row["correct"]:
                    best = oracle[row["item"]]
                    self.assertTrue(best["correct"], f"{name} gets item {row['item']} right, the oracle does not")
                    self.assertLessEqual(best["cost_tokens"], row["cost_tokens"], f"item {row['item']} of {name}")

    def test_shared_sentences_are_refused(self):
        done = testing.run("relmpi-eval", "strategies", "--model", self.model, "--data", self.corpus / "test",
                           "--calibration", self.corpus / "test", "--out", self.path("out"), ranks=2)
        self.assert_refused(done, "--calibration", "37 of 37")
        self.assertFalse(self.path("out").exists())


if __name__ == "__main__":
    testing.main()
