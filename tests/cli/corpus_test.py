#!/usr/bin/env python3
"""scripts/corpus.py without a network: extraction, cleaning, and what it says when a package cannot be had."""

import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import corpus  # noqa: E402
import corpus_text  # noqa: E402

COMMON = {chr(code) for code in range(0x4E00, 0x9FA6)} - {"龘"}


class Text(unittest.TestCase):
    def test_manual_page(self):
        page = (
            '.\\" comment\n.TH LS 1\n.SH 名称\nls \\- 列出目录内容\n.TP\n\\fB\\-a\\fP, \\fB\\-\\-all\\fP\n不要忽略以\n点号起始的条目。\n'
            ".nf\n代码。\n.fi\n使用\n.BR cat (1)\n命令。\n.PP\n\\(lq引用\\(rq 一词。\n"
        )
        self.assertEqual(
            [text for text in corpus_text.roff_paragraphs(page) if text],
            ["ls - 列出目录内容", "-a, --all", "不要忽略以点号起始的条目。", "使用 cat(1) 命令。", "“引用”一词。"],
        )

    def test_html(self):
        page = (
            "<html><head><title>题</title></head><body><p>甲&amp;乙<b>粗</b>\n体</p><pre>代码</pre><script>x</script>"
            "<ul><li>一<li>二</ul><br/>三</body></html>"
        )
        self.assertEqual([text for text in corpus_text.html_paragraphs(page) if text], ["甲&乙粗体", "一", "二", "三"])

    def test_gzip_and_text(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.txt.gz"
            path.write_bytes(gzip.compress("第一行\n接着。\n\n第二段。\n".encode()))
            self.assertEqual(corpus_text.paragraphs_of(path), ["第一行接着。", "第二段。"])

    def test_normalise(self):
        for given, expected in (
            ("请看,谢谢!", "请看，谢谢！"),
            ("使用 Linux 系统(内核).", "使用Linux系统（内核）。"),
            ("ＡＢＣ　全角", "ABC全角"),
            ("按Enter,然后退出", "按Enter，然后退出"),
            ("共 1,024 个", "共1,024个"),
            ("第 9.5.8 节", "第9.5.8节"),
            ("GNU make 程序", "GNU make程序"),
        ):
            self.assertEqual(corpus_text.normalise(given), expected)

    def test_sentences_keep_closing_quotes(self):
        self.assertEqual(
            corpus_text.sentences_of("他说：“好。”然后走了！真的？是"), ["他说：“好。”", "然后走了！", "真的？", "是"]
        )

    def test_rejection(self):
        right = "这是一个普通的中文句子。"
        self.assertIsNone(corpus_text.rejection(right, COMMON))
        self.assertIsNone(corpus_text.rejection("Debian系统本身是一个变化的事物。", COMMON))  # a name counts once
        for text, reason in (
            ("太短了。", "length"),
            ("长" * 60 + "。", "length"),
            (right[:-1], "no final punctuation"),
            ("请访问://这个网站的首页。", "code or URL"),
            ("其中abcdefghijklmnopqrst是名字。", "too little Han"),
            ("这是一个龘字的中文句子。", "uncommon Han"),
            ("这是（一个普通的中文句子。", "unpaired brackets"),
        ):
            self.assertEqual(corpus_text.rejection(text, COMMON), reason, text)
        self.assertIsNone(corpus_text.rejection("长" * 59 + "。", COMMON))

    def test_documents_go_to_one_part_each_in_the_stated_shares(self):
        parts = [corpus.part_of(f"package/document-{k}") for k in range(10000)]
        for name, share in corpus.PARTS:
            self.assertAlmostEqual(parts.count(name) / 100, share, delta=1)


class Program(unittest.TestCase):
    def run_with(self, apt_get, *arguments):
        """Runs corpus.py with the given script as apt-get (None: there is none)."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "bin").mkdir()
            if apt_get:
                (root / "bin/apt-get").write_text(f"#!/bin/sh\n{apt_get}\n")
                (root / "bin/apt-get").chmod(0o755)
            done = subprocess.run(
                [sys.executable, str(SCRIPTS / "corpus.py"), "--out", str(root / "out"), *arguments],
                env={"PATH": str(root / "bin")},
                capture_output=True,
                text=True,
                check=False,
            )
            return done, sorted(path.name for path in (root / "out").rglob("*") if path.is_file())

    def test_a_failed_download_names_the_package_and_the_remedy(self):
        for apt_get, expected in (
            (None, "no apt-get"),
            ("echo 'E: Unable to locate package'; exit 100", "Unable to locate"),
        ):
            done, files = self.run_with(apt_get)
            self.assertEqual(done.returncode, 2, done.stderr)
            for word in ("manpages-zh", "--packages-dir", "apt-get update", expected):
                self.assertIn(word, done.stderr)
            self.assertEqual(files, [])

    def test_a_wrong_number_is_refused(self):
        done, _ = self.run_with(None, "--max-sentences", "-3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--max-sentences -3", done.stderr)

    @unittest.skipUnless(
        os.environ.get("RELMPI_PACKAGES"), "set RELMPI_PACKAGES to a folder with the .deb files to run it"
    )
    def test_the_whole_corpus(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                str(SCRIPTS / "corpus.py"),
                "--out",
                folder,
                "--packages-dir",
                os.environ["RELMPI_PACKAGES"],
                "--max-sentences",
                "2000",
            ]
            subprocess.run(command, check=True, capture_output=True)
            summary = json.loads((pathlib.Path(folder) / "corpus.json").read_text())
            self.assertEqual(sum(summary["sentences"].values()), 2000)
            again = subprocess.run(command, check=True, capture_output=True, text=True)
            self.assertIn("up to date", again.stderr)


if __name__ == "__main__":
    unittest.main()
