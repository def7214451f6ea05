#!/usr/bin/env python3
"""Data and model folders that are damaged or do not belong together, and real data from text to score.   FOLDER-OF-PROGRAMS"""

import json
import pathlib
import shutil
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402


class Shards(testing.ProgramCase):
    def copy(self, name):
        out = self.path(name)
        shutil.copytree(self.corpus / "train", out)
        return out

    def refused_everywhere(self, data, *naming):
        """Training, evaluation and inspection all name the damage; nothing is written."""
        run = self.path("run")
        self.assert_refused(testing.run("relmpi-train", *self.training(run, "--steps", 1, "--data", data)), *naming)
        self.assertFalse(run.exists())
        done = testing.run("relmpi-eval", "csc", "--model", testing.shared_corrector(), "--data", data, "--out", run, "--json")
        self.assert_refused(done, *naming)
        self.assertEqual(done.stdout, "")
        self.assertFalse(run.exists())

    def test_truncated_shard(self):
        data = self.copy("data")
        shard = data / "shard-00001.h5"
        shard.write_bytes(shard.read_bytes()[:-100])
        self.refused_everywhere(data, shard)
        self.assert_refused(testing.run("relmpi-data", "inspect", data, "--json"), shard)

    def test_one_flipped_bit(self):
        for place in (0.01, 0.6):
            data = self.copy(f"data-{place}")
            shard = data / "shard-00000.h5"
            testing.flip_bit(shard, place)
            self.refused_everywhere(data, shard, "XXH3-128", "damaged")

    def test_missing_parts(self):
        for part in ("manifest.json", "shard-00000.h5"):
            data = self.copy(f"no-{part}")
            (data / part).unlink()
            self.refused_everywhere(data, data / part)
        data = self.copy("manifest")
        testing.write(data / "manifest.json", '{"shards": [')
        self.refused_everywhere(data, data / "manifest.json")

    def test_damage_ends_every_rank(self):
        data = self.copy("data")
        testing.flip_bit(data / "shard-00000.h5")
        run = self.path("run")
        self.assert_refused(testing.run("relmpi-train", *self.training(run, "--steps", 1, "--data", data), ranks=2),
                            data / "shard-00000.h5")
        self.assertFalse(run.exists())

    def test_no_sentences(self):
        empty = testing.write(self.path("pairs.tsv"), "\n\n")
        done = testing.run("relmpi-data", "shard", "--pairs", empty, "--vocab", self.corpus.vocab, "--out", self.path("shards"))
        self.assert_refused(done, empty)
        self.assertFalse(self.path("shards").exists())

    def test_pairs_that_are_none(self):
        text = "我们看书\t我们看书\n我们看\t我们看书\n\n没有制表符\n学生\t学声\n".encode() + b"\xff\xfe\t\xff\xfe\n"
        pairs = testing.write(self.path("pairs.tsv"), text)
        words = ["shard", "--pairs", pairs, "--vocab", self.corpus.vocab, "--json"]
        done = testing.run("relmpi-data", *words, "--out", self.path("shards"))
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual((document["read"], document["written"]), (6, 2))
        self.assertEqual(document["skipped"]["unequal_length"], 2)  # one has no TAB
        self.assertEqual(document["skipped"]["invalid_utf8"], 1)
        self.assertEqual(document["skipped"]["empty"], 1)
        self.assertEqual(sum(document["skipped"].values()), 4)
        self.assertEqual(sorted(one["line"] for one in document["examples"]), [2, 3, 4, 6])
        self.assertTrue(all(one["file"] == str(pairs) for one in document["examples"]))
        strict = testing.run("relmpi-data", *words, "--out", self.path("strict"), "--strict")
        self.assert_refused(strict, f"{pairs}:2")
        self.assertFalse(self.path("strict").exists())


class ModelFolders(testing.ProgramCase):
    """What is wrong with a model folder is said with file and tensor, by relmpi-eval and relmpi-train alike."""

    def copy(self, name):
        out = self.path(name)
        shutil.copytree(testing.shared_corrector(), out)
        return out

    def refused(self, model, *naming):
        run = self.path("run")
        done = testing.run("relmpi-eval", "csc", "--model", model, "--data", self.corpus / "few", "--out", run, "--json")
        self.assert_refused(done, *naming)
        self.assertEqual(done.stdout, "")
        done = testing.run("relmpi-train", "--model", model, "--data", self.corpus / "train", "--out", run, "--steps", 1,
                           "--global-batch", 8)
        self.assert_refused(done, *naming)
        self.assertFalse(run.exists())

    def with_tensors(self, name, change):
        model = self.copy(name)
        header, data = testing.read_safetensors(model / "model.safetensors")
        testing.write_safetensors(model / "model.safetensors", *change(header, data))
        return model

    def test_a_tensor_is_missing(self):
        for tensor in ("bert.encoder.layer.1.output.dense.weight", "dgca.gate.weight",
                       "bert.embeddings.word_embeddings.weight"):
            def without(header, data):
                begin, end = header.pop(tensor)["data_offsets"]
                for one in header.values():
                    if "data_offsets" in one and one["data_offsets"][0] >= end:
                        one["data_offsets"] = [offset - (end - begin) for offset in one["data_offsets"]]
                return header, data[:begin] + data[end:]

            with self.subTest(tensor):
                model = self.with_tensors(tensor, without)
                self.refused(model, model / "model.safetensors", tensor)

    def test_a_tensor_has_another_shape(self):
        tensor = "bert.embeddings.position_embeddings.weight"

        def reshaped(header, data):
            header[tensor]["shape"].reverse()
            return header, data

        model = self.with_tensors("model", reshaped)
        self.refused(model, model / "model.safetensors", tensor, "128", "64")

    def test_a_weight_is_not_a_number(self):
        for name, value in (("nan", float("nan")), ("inf", float("-inf"))):
            tensor = "bert.encoder.layer.1.attention.output.dense.weight"

            def poisoned(header, data):
                struct.pack_into("<f", data, header[tensor]["data_offsets"][0] + 40, value)
                return header, data

            with self.subTest(name):
                model = self.with_tensors(name, poisoned)
                self.refused(model, model / "model.safetensors", tensor)

    def test_a_candidate_out_of_the_vocabulary(self):
        def poisoned(header, data):
            struct.pack_into("<i", data, header["dgca.candidates"]["data_offsets"][0] + 4, 99999)
            return header, data

        model = self.with_tensors("model", poisoned)
        self.refused(model, model / "model.safetensors", "dgca.candidates", 99999)

    def test_files_cut_short(self):
        for size in (4, 100, -8):
            model = self.copy(f"model{size}")
            file = model / "model.safetensors"
            file.write_bytes(file.read_bytes()[:size])
            self.refused(model, file)

    def test_config_and_vocabulary(self):
        model = self.copy("vocabulary")
        with (model / "vocab.txt").open("a") as stream:
            stream.write("龘\n")
        self.refused(model, model, "vocab_size")
        model = self.copy("config")
        config = json.loads((model / "config.json").read_text())
        for field, value, naming in (("hidden_size", 48, "hidden_size"), ("hidden_size", "many", "hidden_size"),
                                     ("num_hidden_layers", 3, "bert.encoder.layer.2."), ("model_type", "gpt2", "gpt2"),
                                     ("hidden_act", "relu", "relu"), ("vocab_size", 50, "vocab_size")):
            with self.subTest(field, value=value):
                testing.write(model / "config.json", json.dumps({**config, field: value}))
                self.refused(model, model, *([naming] if field != "hidden_size" or value == "many" else []))
        testing.write(model / "config.json", "{")
        self.refused(model, model / "config.json")
        (model / "config.json").unlink()
        self.refused(model, model / "config.json")

    def test_weights_as_a_pickle_or_none(self):
        model = self.copy("model")
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        self.refused(model, model, "pytorch_model.bin", "safe_serialization=True")
        (model / "pytorch_model.bin").unlink()
        self.refused(model, model, "model.safetensors")

    def test_options_of_csc(self):
        model = testing.shared_corrector()
        for option, value in (("--passes", "0"), ("--batch", "0"), ("--detect-threshold", "1.5"), ("--gate-threshold", "-1"),
                              ("--precision", "fp8"), ("--device", "cuda"), ("--device", "gpu"), ("--limit", "-3"),
                              ("--unheard-of", "1")):
            with self.subTest(option, value=value):
                done = testing.run("relmpi-eval", "csc", "--model", model, "--data", self.corpus / "few", "--out",
                                   self.path("out"), f"{option}={value}")
                self.assert_refused(done, value)
                self.assertFalse(self.path("out").exists())
        # Before the model is opened, which may take long.
        done = testing.run("relmpi-eval", "csc", "--model", "nowhere", "--data", "nowhere", "--precision", "fp8")
        self.assert_refused(done, "fp8")


class Tokenize(testing.ProgramCase):
    TOKENIZER = {"added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                 "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}}

    def tokenize(self, lines, *options):
        return testing.run("relmpi-data", "tokenize", *options, input="".join(line + "\n" for line in lines))

    def test_a_language_models_tokenizer(self):
        folder = self.path("model")
        testing.write(folder / "tokenizer.json", json.dumps(self.TOKENIZER))
        done = self.tokenize(["ab a", "a?é"], "--tokenizer", folder)
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()],
                         [{"ids": [2, 3, 0], "tokens": ["ab", "Ġ", "a"]}, {"ids": [0], "tokens": ["a"]}])
        self.assertIn("stdin:2: 3 bytes have no token", done.stderr)
        self.assertIn("0x3f at 1, 0xc3 at 2, 0xa9 at 3", done.stderr)
        self.assertNotIn("stdin:1:", done.stderr)
        done = self.tokenize(["[2,3,0]", "[]"], "--tokenizer", folder / "tokenizer.json", "--decode", "--json")
        self.assertEqual(json.loads(done.stdout), ["ab a", ""])
        self.assert_refused(self.tokenize(["[2]", "[4]"], "--tokenizer", folder, "--decode"), "stdin:2", "no token has the id 4")
        self.assert_refused(self.tokenize(["a"], "--tokenizer", folder, "--chat"), "no chat template", "plain text")
        testing.write(folder / "chat_template.jinja", "{{ '[INST]' | escape }}")
        self.assert_refused(self.tokenize(["a"], "--tokenizer", folder, "--chat"), folder / "chat_template.jinja")

    def test_one_of_two_tokenizers(self):
        self.assert_refused(self.tokenize(["a"]), "--vocab", "--tokenizer")
        self.assert_refused(self.tokenize(["a"], "--vocab", self.corpus.vocab, "--tokenizer", "x"), "--vocab")
        self.assert_refused(self.tokenize(["a"], "--vocab", self.corpus.vocab, "--chat"), "--chat")
        self.assert_refused(self.tokenize(["a"], "--tokenizer", self.path("none")), self.path("none"))
        broken = testing.write(self.path("tokenizer.json"), json.dumps(self.TOKENIZER).replace("BPE", "Unigram"))
        self.assert_refused(self.tokenize(["a"], "--tokenizer", broken), broken, "Unigram")


class RealData(testing.ProgramCase):
    """ECSpell from text to score; one line of train_odw is bad on purpose."""

    def test_ecspell(self):
        pairs, vocab = testing.SHARED_DATA / "ecspell/train_odw.txt", testing.SHARED_DATA / "bert-base-chinese/vocab.txt"
        if not pairs.exists() or not vocab.exists():
            self.skipTest(f"{pairs} or {vocab} is not there (RELMPI_SHARED_DATA)")
        lines = pairs.read_text().rstrip("\n").split("\n")
        bad = [number for number, line in enumerate(lines, 1)
               if len({len("".join(side.split())) for side in line.split("\t")}) != 1]
        self.assertEqual(len(bad), 1)
        confusion, data = self.path("confusion.json"), self.path("data")
        folder = testing.SHARED_DATA / "confusion"
        self.corpus.make("confusion", "--import-same", folder / "pinyin_sam.json", "--import-similar",
                         folder / "pinyin_sim.json", "--import-shape", folder / "stroke.json", "--import-frequent",
                         folder / "word_freq.txt", "--out", confusion)
        done = testing.run("relmpi-data", "shard", "--pairs", pairs, "--vocab", vocab, "--out", data, "--split",
                           "0.9,0.05,0.05", "--max-length", 60, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual(document["skipped"]["unequal_length"], 1)
        self.assertIn({"file": str(pairs), "line": bad[0], "kind": "unequal_length"},
                      [{name: one[name] for name in ("file", "line", "kind")} for one in document["examples"]])
        self.assertEqual(document["read"], document["written"] + sum(document["skipped"].values()))
        run, out = self.path("run"), self.path("out")
        self.train(run, "--data", data / "train", "--vocab", vocab, "--confusion", confusion, "--steps", 4)
        done = testing.run("relmpi-eval", "csc", "--model", run / "model", "--data", data / "test", "--out", out, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        known = {tuple("".join(side.split()) for side in line.split("\t")) for line in lines}
        rows = testing.read_rows(out / "rows.jsonl")
        self.assertEqual(len(rows), json.loads(done.stdout)["sentences"])
        for row in rows:
            self.assertIn((row["source"], row["target"]), known)  # restored exactly, whatever the vocabulary lacks


if __name__ == "__main__":
    testing.main()
