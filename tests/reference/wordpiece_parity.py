#!/usr/bin/env python3
"""Compares `relmpi-data tokenize` with Hugging Face's BertTokenizer (the Python class of transformers 4), id by id.

  wordpiece_parity.py --program build/release/bin/relmpi-data --data DIR   DIR/bert-base-chinese/vocab.txt, DIR/ecspell;
                                                                           RELMPI_SHARED_DATA goes before --data
  wordpiece_parity.py --golden                                             prints the cases of wordpiece_golden.h

Both ways (ids of text, text of ids), with and without --lower-case: real sentences, adversarial strings, and random
strings from the ranges where Unicode is intricate. Exits 1 at a difference, 77 where transformers 4 is missing (ctest
counts that as skipped).
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SKIPPED = 77

ADVERSARIAL = [
    "", " ", "\u3000", "\t\u00a0x\u2003y", "你好，世界！", "hello world", "Unaffable UNAFFABLE", "a.b,c!d",
    "[MASK]", "今天[MASK]天气[SEP]很好", "[mask]", "[MASK][MASK]x", "[MA\u0000SK]", "[MA\u200bSK] x", "[[MASK]]", "[MASK",
    "x[CLS]", "Ａｐｐｌｅ１２３", "①②③", "５０％", "café CAFÉ cafe\u0301", "naïve Ünïcödé", "İstanbul ışık", "ΟΔΥΣΣΕΥΣ ς",
    "Straße STRASSE ẞ", "ﬁﬂ", "\ufb01x", "Å\u212b\u2126\u212a", "가각 한국어", "\u1100\u1161\u11a8", "日本語テスト がぎぐ か\u3099",
    "😀👍🏽👨‍👩‍👧", "\U0001f1e8\U0001f1f3", "𠀀𠀁𪜀𫝀", "𬺰𰀀", "\uf900\uf901\U0002f800", "〇々〆ヶ", "\u2028", "a\u2028b\u2029c",
    "a\u0085b\u000bc\u000cd", "a\u200bb\u200cc\u200dd\ufeffe", "a\u00adb", "\ufffd\u0000\u0007x", "\ue000\ufdd0\U0010ffff",
    "x" * 100, "x" * 101, "中" * 120, "好" + "a" * 101 + "好", "1" * 99 + "中", "a\u0301" * 51, "\u0301\u0302", "中\u0301文\u0308",
    "don't isn't I'm we've they're 's", "¡¿«»„“”‘’", "$+<=>^`|~", "€£¥₿©®™", "x²y₃", "½¾", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "नमस्ते",
    "שָׁלוֹם", "مرحبا", "\u202eabc\u202c", "##a", "a##b", "## #", "http://a.b/c?d=e&f=g", "C:\\x\\y", "\u180e\u1680x\u205f\u202f", "ǅ ǆ Ǆ",
    "\u0345 ᾳ ᾼ", "ΐ Ὰ", "\u1e9e\u0130\u0131", "㍿㎏㈱", "\u3164\u115f", "　全角　空格　", "a" * 50 + "[MASK]" + "b" * 60,
]

# Ranges that random strings are drawn from.
RANGES = [(0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
          (0x5D0, 0x6FF), (0x900, 0x97F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x218F),
          (0x2E80, 0x303F), (0x3040, 0x30FF), (0x3200, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA640, 0xA7FF),
          (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xF900, 0xFAFF), (0xFB00, 0xFFFD), (0x10400, 0x1044F), (0x1D400, 0x1D7FF),
          (0x1F300, 0x1F9FF), (0x20000, 0x2A6DF), (0x2B820, 0x2CEAF), (0x2CEB0, 0x2EBE0), (0x2F800, 0x2FA1D)]


def random_texts(number, seed=20):
    """Lines of mixed characters; none that this Python's Unicode version does not know yet, as ours may be newer."""
    draw = random.Random(seed)
    texts = []
    for _ in range(number):
        ranges = draw.sample(RANGES, draw.randint(1, 4))
        text = ""
        for _ in range(draw.randint(1, 40)):
            if draw.random() < 0.03:
                text += draw.choice(SPECIAL)
                continue
            character = chr(draw.randint(*draw.choice(ranges)))
            if character != "\n" and unicodedata.category(character) not in ("Cn", "Cs"):
                text += character
        texts.append(text)
    return texts


def every_character():
    """Each assigned character once between two letters, forty to a line: each category and case rule is seen. Of the
    largest scripts, where all characters are alike, only the edges."""
    words = [f"a{chr(c)}b" for c in range(0x110000)
             if c != 0x0A and unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co") and not 0x4E00 <= c <= 0x9F00
             and not 0x20100 <= c <= 0x2A600 and not 0xAC80 <= c <= 0xD700]
    return [" ".join(words[i:i + 40]) for i in range(0, len(words), 40)]


def corpus_texts(data, number):
    texts = []
    for path in sorted((data / "ecspell").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            texts += [line, line.replace(" ", "")]
    draw = random.Random(1)
    draw.shuffle(texts)
    return texts[:number]


def run(program, arguments, lines):
    result = subprocess.run([program, "tokenize", *arguments], input=("\n".join(lines) + "\n").encode("utf-8"),
                            stdout=subprocess.PIPE, check=True)
    answers = result.stdout.decode("utf-8").split("\n")[:-1]
    assert len(answers) == len(lines), f"{len(lines)} lines in, {len(answers)} lines out"
    return answers


def compare(program, tokenizer_class, vocabulary, lower_case, texts):
    """Number of differences; the first ten are printed."""
    tokenizer = tokenizer_class(str(vocabulary), do_lower_case=lower_case)
    options = ["--vocab", str(vocabulary)] + (["--lower-case"] if lower_case else [])
    expected_ids, differences = [], 0
    for text, answer in zip(texts, run(program, options, texts)):
        tokens = tokenizer.tokenize(text)
        ids = tokenizer.convert_tokens_to_ids(tokens)
        expected_ids.append(ids)
        ours = json.loads(answer)
        # An unknown word's token is [UNK] in both.
        if ours["ids"] != ids or ours["tokens"] != tokens:
            differences += 1
            if differences <= 10:
                print(f"{text!r} (lower case: {lower_case})\n  expected {tokens}\n  got      {ours['tokens']}")
    draw = random.Random(2)
    expected_ids += [[draw.randrange(len(tokenizer)) for _ in range(12)] for _ in range(1000)]
    # A decoded token may hold U+2028, never "\n": one line each.
    for ids, answer in zip(expected_ids, run(program, options + ["--decode"], [json.dumps(ids) for ids in expected_ids])):
        expected = tokenizer.decode(ids)
        if answer != expected:
            differences += 1
            if differences <= 10:
                print(f"decode {ids}\n  expected {expected!r}\n  got      {answer!r}")
    return differences


def write_small_vocabulary(path):
    """A vocabulary with many pieces, so that the greedy cut is tried: letters, accents, kana, Hangul parts, pieces."""
    tokens = list(SPECIAL)
    pieces = [chr(c) for c in range(0x21, 0x7F)] + list("éüßıςσαοδυςσε가각がぎかー中文好你豈ﬁ²①") + [
        "un", "aff", "able", "ab", "abc", "hello", "world", "ca", "fe", "xx", "xxxx", "\u1100", "\u1161", "\u3099", "\u0301",
        "İ", "i", "\u0307", "don", "'s", "20", "201"]
    for piece in pieces:
        for token in (piece, "##" + piece):
            if token not in tokens:
                tokens.append(token)
    path.write_bytes("".join(token + "\n" for token in tokens).encode("utf-8"))


def c_string(text):
    """A C++ string literal of the text's UTF-8 bytes, in octal where not plain ASCII."""
    plain = set(range(0x20, 0x7F)) - {ord('"'), ord("\\"), ord("?")}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8")) + '"'


def print_golden(tokenizer_class, folder):
    path = pathlib.Path(folder) / "vocab.txt"
    write_small_vocabulary(path)
    tokens = path.read_text(encoding="utf-8").split("\n")[:-1]
    print("#pragma once\n\n// Made by tests/reference/wordpiece_parity.py --golden from Hugging Face's BertTokenizer. Do not edit.\n")
    print("#include <array>\n#include <vector>\n\nnamespace relmpi {\n\nstruct GoldenTokens {\n  const char* text;\n"
          "  std::size_t bytes;  // of the text, which may hold NUL\n  bool lower_case;\n  std::vector<int> ids;\n};\n")
    print("inline const char* const kGoldenVocabulary =")
    print("\n".join("    " + c_string("".join(t + "\n" for t in tokens[i:i + 12])) for i in
                    range(0, len(tokens), 12)) + ";\n")
    print("inline const std::vector<GoldenTokens> kGoldenTokens = {")
    for lower_case in (False, True):
        tokenizer = tokenizer_class(str(path), do_lower_case=lower_case)
        for text in ADVERSARIAL:
            ids = ", ".join(map(str, tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))))
            print(f"    {{{c_string(text)}, {len(text.encode('utf-8'))}, {str(lower_case).lower()}, {{{ids}}}}},")
    print("};\n\n}  // namespace relmpi")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=pathlib.Path)
    arguments.add_argument("--data", type=pathlib.Path)
    arguments.add_argument("--golden", action="store_true")
    chosen = arguments.parse_args()
    try:
        from transformers import BertTokenizer, __version__
    except ImportError:
        print("skipped: no transformers in this Python (pip install 'transformers==4.*')")
        return SKIPPED
    if not __version__.startswith("4."):
        print(f"skipped: transformers {__version__} has no Python BertTokenizer (pip install 'transformers==4.*')")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        if chosen.golden:
            print_golden(BertTokenizer, folder)
            return 0
        data = pathlib.Path(os.environ.get("RELMPI_SHARED_DATA", chosen.data))
        vocabularies = [pathlib.Path(folder) / "vocab.txt"]
        write_small_vocabulary(vocabularies[0])
        if (data / "bert-base-chinese" / "vocab.txt").exists():
            vocabularies.append(data / "bert-base-chinese" / "vocab.txt")
        else:
            print(f"without bert-base-chinese and real sentences: {data} has none")
        texts = ADVERSARIAL + random_texts(3000) + every_character() + corpus_texts(data, 1000)
        differences = sum(compare(chosen.program, BertTokenizer, path, lower_case, texts)
                          for path in vocabularies for lower_case in (False, True))
        runs = 2 * len(vocabularies)
        print(f"{runs * len(texts)} texts and {runs * (len(texts) + 1000)} decodings: {differences} differences")
        return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
