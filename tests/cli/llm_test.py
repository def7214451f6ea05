#!/usr/bin/env python3
"""Decoder LLMs at the command line: answers, likelihoods, device maps, ranks, and what is refused.   FOLDER-OF-PROGRAMS

Needs transformers for the tiny models of scripts/make-tiny-llm; skipped without.
"""

import functools
import json
import math
import pathlib
import shutil
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "reference")]
import llm_cases  # noqa: E402
import testing  # noqa: E402

try:
    import transformers  # noqa: F401
except ImportError:
    print("skipped: transformers is not installed in this Python")
    sys.exit(77)

PROMPTS = ["the first prompt", "another one, somewhat longer than the first", "three", '{"prompt": "as JSON"}', "five five"]


@functools.cache
def shared_models():
    """A folder of each family, for all test cases."""
    maker = llm_cases.tiny_maker()
    folders = {family: testing.shared_folder() / family for family in ("llama", "qwen2", "qwen3")}
    for family, folder in folders.items():
        maker.create(maker.parse(["--family", family, "--out", str(folder), "--layers", "3"]))
    return folders


class LlmCase(testing.FolderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = shared_models()
        cls.prompts = testing.write(cls.folder / "prompts.txt", "\n".join(PROMPTS) + "\n\n")

    def decode(self, *options, ranks=None, code=0, model="qwen3"):
        defaults = ["--model", self.models[model], "--max-new-tokens", 12, "--threads", 1]
        words = testing.options(defaults, options)
        done = testing.run("relmpi-eval", "decode", *words, "--json", ranks=ranks)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 else done

    def answers(self, *options, **how):
        return [row["output_ids"] for row in self.decode(*options, **how)["methods"][0]["requests"]]


class Decode(LlmCase):
    def test_the_document_is_as_other_programs_read_it(self):
        out = self.path("out")
        document = self.decode("--prompts", self.prompts, "--batch", 2, "--out", out)
        self.assertEqual(json.loads((out / "decode.json").read_text()), document)
        (method,) = document["methods"]
        self.assertEqual(method["method"], "plain")
        self.assertEqual(method["total_requests"], len(PROMPTS))
        rows = method["requests"]
        self.assertEqual(method["total_tokens"], sum(len(row["output_ids"]) for row in rows))
        self.assertAlmostEqual(method["overall_throughput"], method["total_tokens"] / method["total_duration"])
        for name in ("ttft", "latency"):
            self.assertAlmostEqual(method[f"avg_{name}"], sum(row[name] for row in rows) / len(rows))
        for row in rows:
            self.assertTrue(0 < row["ttft"] <= row["latency"] <= method["total_duration"])
            self.assertEqual((row["drafted"], row["accepted"], row["target_calls"]), (0, 0, len(row["output_ids"])))
            self.assertIn(row["finish_reason"], ("end", "length"))

    def test_batches_ranks_and_logical_devices_give_the_same_answers(self):
        for model in self.models:
            alone = self.answers("--prompts", self.prompts, model=model)
            self.assertGreater(len({tuple(answer) for answer in alone}), 2, "prompts make no difference")
            self.assertEqual(self.answers("--prompts", self.prompts, "--batch", 4, model=model), alone)
            self.assertEqual(self.answers("--prompts", self.prompts, "--batch", 2, model=model, ranks=2), alone)
            self.assertEqual(self.answers("--prompts", self.prompts, model=model, ranks=3), alone)
            several = self.decode("--prompts", self.prompts, "--rehearse", "--max-memory", "0=500kB,1=500kB,cpu=1GB", model=model)
            self.assertGreater(len(set(several["header"]["device_map"].values())), 1, several["header"])
            self.assertEqual([row["output_ids"] for row in several["methods"][0]["requests"]], alone)

    def test_random_choices_depend_on_seed_and_number_alone(self):
        warm = ["--prompts", self.prompts, "--temperature", 1.2, "--top-p", 0.95]
        first = self.answers(*warm, "--seed", 3)
        self.assertEqual(self.answers(*warm, "--seed", 3, "--batch", 5), first)
        self.assertNotEqual(self.answers(*warm, "--seed", 4), first)

    def test_a_person_sees_the_text_and_the_speed(self):
        done = testing.run("relmpi-eval", "decode", "--model", self.models["llama"], "--chat", "--prompt", "hello", "--max-new-tokens", 5)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tokens/s", done.stderr)
        self.assertTrue(done.stdout.endswith("\n"))

    def test_prompts_are_read_as_their_files_have_them(self):
        plain = self.answers("--prompt", "Hello", "--prompt", "World")
        for name, content in (("list.json", b'["Hello",\n "World"]'), ("windows.txt", b"\xef\xbb\xbfHello\r\nWorld\r\n"),
                              ("rows.jsonl", b'{"prompt": "Hello"}\r\n"World"\r\n')):
            file = self.path(name)
            file.write_bytes(content)
            self.assertEqual(self.answers("--prompts", file), plain, name)
        bare = testing.write(self.path("bare.jsonl"), '[{"role": "user", "content": "Hello"}]\n')
        self.assertEqual(self.answers("--chat", "--prompts", bare), self.answers("--chat", "--prompt", "Hello"))

    def test_the_models_own_sampling_is_taken_if_wanted(self):
        folder = self.path("suggests")
        shutil.copytree(self.models["qwen3"], folder)
        testing.write(folder / "generation_config.json",
                      json.dumps({"do_sample": True, "temperature": 0.5, "top_k": 7, "eos_token_id": 0, "num_beams": 2}))
        done = testing.run("relmpi-eval", "decode", "--model", folder, "--prompt", "a", "--max-new-tokens", 2, "--json")
        self.assertEqual(json.loads(done.stdout)["header"]["sampling"]["temperature"], 0)
        self.assertIn("num_beams=2 temperature=0.5 top_k=7", done.stderr)
        done = testing.run("relmpi-eval", "decode", "--model", folder, "--prompt", "a", "--max-new-tokens", 2, "--json",
                           "--apply-generation-config", "--top-k", 3)
        sampling = json.loads(done.stdout)["header"]["sampling"]
        self.assertEqual((sampling["temperature"], sampling["top_k"]), (0.5, 3))
        self.assertIn("num_beams=2", done.stderr)
        self.assertNotIn("top_k=7", done.stderr)

    def test_what_is_wrong_is_named(self):
        model = self.models["qwen3"]
        empty = testing.write(self.path("empty.txt"), "\n\n")
        long = testing.write(self.path("long.txt"), "a b c " * 5000)
        bad = testing.write(self.path("bad.jsonl"), '{"prompt": 3}\n')
        message = '"messages": [{"role": "user", "content": "hello"}]'
        talk = testing.write(self.path("talk.jsonl"), f"{{{message}}}\n")
        both = testing.write(self.path("both.jsonl"), f'{{{message}, "prompt": "a"}}\n')
        role = testing.write(self.path("role.jsonl"), '{"messages": [{"content": "a"}]}\n')
        other = testing.write(self.path("other.jsonl"), '{"prompt": "a", "max_words": 3}\n')
        latin = self.path("latin.txt")
        latin.write_bytes(b"a\ncaf\xe9\n")
        result = self.path("result/decode.json")
        result.mkdir(parents=True)
        for words, naming in (
            (["--prompts", self.path("none.txt")], "none.txt"),
            (["--prompts", empty], "no prompt"),
            (["--prompts", bad], "bad.jsonl:1"),
            (["--prompts", long], "long.txt:1"),
            (["--prompts", long], "max_position_embeddings"),
            (["--prompts", talk], "needs --chat"),
            (["--prompts", both], "both.jsonl:1"),
            (["--prompts", role, "--chat"], "role.jsonl:1"),
            (["--prompts", other], "\"max_words\""),
            (["--prompts", latin], "latin.txt:2"),
            (["--prompts", latin], "ISO-8859-1"),
            (["--prompt", "a", "--thinking", "off"], "need --chat"),
            (["--prompt", ""], "empty"),
            ([], "--prompt"),
            (["--prompt", "a", "--model", self.path("nowhere")], "nowhere"),
            (["--prompt", "a", "--dtype", "int4"], "int4"),
            (["--prompt", "a", "--temperature", -1], "--temperature"),
            (["--prompt", "a", "--top-p", 0], "--top-p"),
            (["--prompt", "a", "--max-new-tokens", 0], "--max-new-tokens"),
            (["--prompt", "a", "--batch", 0], "--batch"),
            (["--prompt", "a", "--methods", "magic"], "magic"),
            (["--prompt", "a", "--device-map", "cuda:0"], "cuda:0"),
            (["--prompt", "a", "--max-memory", "cpu=many"], "many"),
            (["--prompt", "a", "--max-memory", "cpu=10kB"], "disk"),
            (["--prompt", "a", "--max-memory", "0=1GB"], "--rehearse"),
            (["--prompt", "a", "--max-new-tokens", 2**40], "--max-new-tokens"),
            (["--prompt", "a", "--max-new-tokens", 10**20], "out of range"),
            (["--prompt", "a", "--top-k", ""], "--top-k is empty"),
            (["--prompt", "a", "--threads", 100000], "--threads"),
            (["--prompt", "a", "--collective-timeout", "nan"], "--collective-timeout"),
            (["--prompt", "a", "--out", bad], "bad.jsonl"),
            (["--prompt", "a", "--out", result.parent], "is a folder"),
        ):
            with self.subTest(naming):
                defaults = ["--model", model, "--threads", 1]
                self.assert_refused(testing.run("relmpi-eval", "decode", *testing.options(defaults, words)), naming)

    def test_damaged_folders_are_refused(self):
        for name, damage, naming in (
            ("cut", lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-100]), "truncated"),
            ("header", lambda f: (f / "model.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}"), "header claims"),
            ("gone", lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
            ("tokens", lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer.json"),
            ("config", lambda f: (f / "config.json").write_text('{"model_type": "gpt2"}'), "gpt2"),
            ("chat", lambda f: [p.unlink() for p in (f / "tokenizer_config.json", f / "chat_template.jinja") if p.exists()], "chat"),
        ):
            with self.subTest(name):
                folder = self.path(name)
                shutil.copytree(self.models["qwen2"], folder)
                damage(folder)
                self.assert_refused(testing.run("relmpi-eval", "decode", "--model", folder, "--chat", "--prompt", "a"), naming)

    def test_prompts_may_come_through_a_pipe(self):
        words = testing.command("relmpi-eval", "decode", "--model", self.models["qwen3"], "--max-new-tokens", 3, "--prompts", "/dev/stdin",
                                "--json")
        done = subprocess.run(words, input="one\ntwo\n", capture_output=True, text=True, env=testing.ENVIRONMENT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["methods"][0]["total_requests"], 2)

    def test_a_full_disk_behind_standard_output_is_an_error(self):
        words = testing.command("relmpi-eval", "decode", "--model", self.models["qwen3"], "--max-new-tokens", 3, "--prompt", "a", "--json")
        with open("/dev/full", "w") as full:
            done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=testing.ENVIRONMENT)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("cannot write to standard output: No space left on device", done.stderr)

    def test_what_generation_config_suggests_is_told(self):
        folder = self.path("suggesting")
        shutil.copytree(self.models["qwen2"], folder)
        (folder / "generation_config.json").write_text('{"top_p": 0.8, "repetition_penalty": 1.05}')
        words = ["--model", folder, "--prompt", "a", "--max-new-tokens", 2]
        done = testing.run("relmpi-eval", "decode", *words)
        self.assertIn("(--apply-generation-config takes the sampling): repetition_penalty=1.05 top_p=0.8", done.stderr)
        done = testing.run("relmpi-eval", "decode", *words, "--top-p", 0.8, "--repetition-penalty", 1.05)
        self.assertNotIn("not taken", done.stderr)


class Likelihood(LlmCase):
    def score(self, rows, ranks=None, code=0):
        items = testing.write(self.path("items.jsonl"), "".join(json.dumps(row) + "\n" for row in rows))
        done = testing.run("relmpi-eval", "likelihood", "--model", self.models["qwen2"], "--items", items, "--threads", 1, "--json", ranks=ranks)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 else done

    def test_probabilities_of_all_next_characters_sum_to_their_mass(self):
        letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        rows = [{"context": "a, b, (", "labels": letters}, {"context": "a, b, (", "continuations": letters, "answer": 2}]
        document = self.score(rows)
        labels, choices = document["rows"]
        self.assertAlmostEqual(sum(labels["probabilities"]), 1, 9)
        self.assertAlmostEqual(sum(math.exp(value) for value in choices["log_likelihood"]), labels["mass"], 5)
        self.assertEqual(labels["best"], choices["best"])
        self.assertEqual(document["answered"], 1)
        self.assertEqual(document["accuracy"], float(choices["best"] == 2))

    def test_ranks_share_the_items(self):
        rows = [{"context": f"item {i}:", "continuations": [" yes", " no, not at all"], "answer": i % 2} for i in range(5)]
        alone = self.score(rows)
        self.assertEqual(self.score(rows, ranks=2)["rows"], alone["rows"])

    def test_what_is_wrong_is_named(self):
        for row, naming in (
            ({"context": "a"}, "continuations"),
            ({"context": "a", "continuations": []}, "continuations"),
            ({"context": "a", "continuations": ["b"], "answer": 1}, "answer"),
            ({"context": "", "continuations": ["b"]}, "empty"),
            ({"context": "a", "continuations": [""]}, "empty"),
            ({"context": "a", "labels": ["two words"]}, "two words"),
            ({"context": "a", "labels": ["b"], "continuations": ["b"]}, "one of them"),
            ({"context": "a" * 3000, "continuations": ["b"]}, "the model's context is"),
            ([], "context"),
        ):
            with self.subTest(naming):
                done = self.score([row], code=2)
                self.assertIn(naming, done.stderr)
                self.assertIn("items.jsonl", done.stderr)


if __name__ == "__main__":
    testing.main()
