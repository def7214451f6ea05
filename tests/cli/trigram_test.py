#!/usr/bin/env python3
"""scripts/trigram.py: a language model that sums to one, errors that it mends, input that it refuses."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import trigram  # noqa: E402

LINES = ["今天天气很好。", "今天天气不好。", "昨天天气很好。", *["我们今天去公园。"] * 4]
CONFUSION = {
    "same_sound": {"气": ["器", "起"], "园": ["员", "圆"], "今": ["金"]},
    "similar_sound": {"好": ["号"]},
    "similar_shape": {"天": ["夭", "大"]},
    "counts": {"器": 9, "起": 4, "大": 16},
}


class Trigram(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "text.txt").write_text("\n".join(LINES), encoding="utf-8")
        (self.folder / "confusion.json").write_text(json.dumps(CONFUSION), encoding="utf-8")
        (self.folder / "validation.tsv").write_text("今天天器很好。\t今天天气很好。\n昨天天气很好。\t昨天天气很好。\n")

    def run_script(self, pairs):
        (self.folder / "pairs.tsv").write_text(pairs, encoding="utf-8")
        words = [sys.executable, SCRIPTS / "trigram.py", "--out", self.folder / "out.tsv"]
        for option, name in (("text", "text.txt"), ("confusion", "confusion.json"), ("validation", "validation.tsv"),
                             ("pairs", "pairs.tsv")):
            words += [f"--{option}", self.folder / name]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def test_every_context_sums_to_one(self):
        model = trigram.Trigrams(LINES)
        characters = set("".join(LINES)) | {trigram.EDGE, "龘"}  # all that were seen, and one for all that were not
        for context in ("今天", "天天", "\n\n", "公园", "龘龘", "。昨"):
            self.assertAlmostEqual(sum(model.probability(context + c) for c in characters), 1.0, places=12, msg=context)

    def test_channel_is_a_distribution_over_what_was_written(self):
        channel = trigram.read_channel(self.folder / "confusion.json", [0.5, 0.2, 0.3])
        meant = {}
        for x, found in channel.items():
            for y, log_p in found:
                meant.setdefault(y, {})[x] = 2.718281828459045**log_p
        self.assertEqual(set(meant), set("气园今好天"))
        for y, written in meant.items():
            self.assertAlmostEqual(sum(written.values()), 1.0, places=9, msg=y)
        self.assertAlmostEqual(meant["气"]["器"], 3 / 5)  # sqrt(9) beside sqrt(4)

    def test_beam_search_finds_the_best_of_all(self):
        model = trigram.Trigrams(LINES)
        channel = trigram.read_channel(self.folder / "confusion.json", [0.5, 0.2, 0.3])
        for source in ("今天夭器很号。", "金天天起不好。", "我们今大去公圆。"):
            found = trigram.correct(source, model, channel, 0.1)
            everything = [(0.0, "\n\n")]
            for x in source:
                choices = [(x, trigram.math.log(0.9))] + [(y, trigram.math.log(0.1) + p) for y, p in channel.get(x, ())]
                everything = [(score + cost + model.log_probability(text[-2:] + y), text + y)
                              for score, text in everything for y, cost in choices]
            best = max((score + model.log_probability(text[-2:] + "\n"), text) for score, text in everything)
            self.assertEqual(found, best[1][2:])

    def test_mends_and_writes_triples(self):
        done = self.run_script("昨天天器很好。\t昨天天气很好。\n我们今天去公员。\t我们今天去公园。\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.folder / "out.tsv").read_text(encoding="utf-8"),
                         "昨天天器很好。\t昨天天气很好。\t昨天天气很好。\n"
                         "我们今天去公员。\t我们今天去公园。\t我们今天去公园。\n")

    def test_bad_pairs_name_file_and_line(self):
        done = self.run_script("今天\t今天\n今天\t今\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("pairs.tsv:2", done.stderr)
        self.assertFalse((self.folder / "out.tsv").exists())


if __name__ == "__main__":
    unittest.main()
