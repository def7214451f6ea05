#!/usr/bin/env python3
"""Fetches free Chinese documentation and prepares it as text for training: one sentence a line.

The text comes from five Debian packages of translated manuals (GPL, GFDL, MPL: see `licences` in DIR/corpus.json), the
list of common characters and the material for a confusion set from the Unicode character database. Needs apt-get and
dpkg, but no root: packages are downloaded and unpacked, never installed.

  scripts/corpus.py --out DIR            writes DIR/{train,validation,test}.txt, DIR/unihan/ and DIR/corpus.json
  scripts/corpus.py --out DIR --max-sentences 5000 --packages-dir ~/.cache/relmpi

The three parts are split by document, so that no test sentence has its neighbours among the training sentences.
Running it again with the same settings does nothing. Exit codes: 0 done, 1 failed, 2 wrong use or no download.
"""

import argparse
import bz2
import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import corpus_text

# package -> (what it holds, files in it, licence by its copyright file)
PACKAGES = {
    "manpages-zh": ("usr/share/man/zh_CN/**/*.gz", "GFDL-1.2+, some GPL-2+, BSD, CC0"),
    "libreoffice-help-zh-cn": ("usr/share/libreoffice/help/zh-CN/text/**/*.html", "MPL-2.0"),
    "debian-reference-zh-cn": ("usr/share/debian-reference/*.html", "GPL-2+"),
    "debian-faq-zh-cn": ("usr/share/doc/debian/FAQ/zh-cn/*.html", "own copyleft notice: derived works under the same"),
    "maint-guide-zh-cn": ("usr/share/doc/maint-guide-zh-cn/html/*.html", "GPL-2+"),
}
UNICODE_PACKAGE = "unicode-data"
UNICODE_LICENCE = "Unicode-DFS-2016"
COMMON_HAN = 6500  # of the 8,105 characters of the table of general standard characters (kTGH); levels 1 and 2
PARTS = (("train", 94), ("validation", 2), ("test", 4))  # per cent of the documents


class CorpusError(Exception):
    """What the caller can fix."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def hash_of(text):
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def find_package(folder, package):
    found = sorted(folder.glob(f"{package}_*.deb"))
    return found[-1] if found else None


def fetch(package, folder):
    """The package's .deb in `folder`, downloaded if it is not there."""
    found = find_package(folder, package)
    if found:
        return found
    say(f"downloading {package}")
    remedy = (
        f"Run `apt-get update` (as root) and try again, or put {package}_*.deb from any Debian or Ubuntu mirror "
        f"into {folder} and pass --packages-dir {folder}."
    )
    if not shutil.which("apt-get"):
        raise CorpusError(f"cannot download the package {package}: there is no apt-get here. {remedy}")
    with tempfile.TemporaryDirectory(dir=folder) as partial:  # a broken download leaves nothing behind
        done = subprocess.run(
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package],
            cwd=partial,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        file = find_package(pathlib.Path(partial), package)
        if done.returncode != 0 or not file:
            reason = [line for line in done.stdout.splitlines() if line.startswith("E:")] or done.stdout.splitlines()
            raise CorpusError(
                f"apt-get download {package} failed: {' '.join(reason[-1:]) or 'no reason given'}\n{remedy}"
            )
        os.replace(file, folder / file.name)
        return folder / file.name


def unpack(deb, folder):
    """Unpacks once; the marker keeps a half-unpacked folder from being taken for a whole one."""
    marker = folder / ".unpacked"
    if marker.exists() and marker.read_text() == deb.name:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(["dpkg", "-x", str(deb), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CorpusError(f"cannot unpack {deb}: {done.stderr.strip()}\nDelete the file and run again.")
    marker.write_text(deb.name)


def write_unihan(source, folder):
    """The Unihan tables, unpacked. Returns the set of common Han characters."""
    folder.mkdir(parents=True, exist_ok=True)
    common = set()
    tables = sorted((source / "usr/share/unicode").glob("Unihan_*.txt*"))
    for table in tables:
        text = (bz2.decompress(table.read_bytes()) if table.suffix == ".bz2" else table.read_bytes()).decode()
        write_atomic(folder / table.name.removesuffix(".bz2"), text)
        for code, rank in re.findall(r"^U\+([0-9A-F]+)\tkTGH\t2013:(\d+)", text, re.M):
            if int(rank) <= COMMON_HAN:
                common.add(chr(int(code, 16)))
    if len(common) != COMMON_HAN:
        raise CorpusError(
            f"{UNICODE_PACKAGE} has {len(common)} characters with kTGH 2013:1..{COMMON_HAN} and not "
            f"{COMMON_HAN}: version 15 or later is needed."
        )
    return common


def write_atomic(path, text):
    temporary = path.with_name(f"{path.name}.tmp.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def part_of(document):
    bucket, end = hash_of(document) % 100, 0
    for name, share in PARTS:
        end += share
        if bucket < end:
            return name
    raise AssertionError("the shares add up to 100")


def read_package(package, folder, common_han, seen, rejected):
    """(document, sentence) of all new clean sentences; `seen` holds the Han-only form of those met so far."""
    pattern = PACKAGES[package][0]
    files = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())
    if not files:
        raise CorpusError(
            f"the package {package} has no file {pattern}: its layout differs from Debian 12's. "
            f"Put {package}_*.deb of Debian 12 into the folder given by --packages-dir."
        )
    found = []
    for path in files:
        document = f"{package}/{path.relative_to(folder)}"
        for paragraph in corpus_text.paragraphs_of(path):
            for sentence in corpus_text.sentences_of(paragraph):
                reason = corpus_text.rejection(sentence, common_han)
                key = corpus_text.han_only(sentence)
                if reason is None and key in seen:
                    reason = "repeated"
                if reason:
                    rejected[reason] += 1
                else:
                    seen.add(key)
                    found.append((document, sentence))
    return found, len(files)


def prepare(arguments, debs, work, stamp):
    out = arguments.out
    for package, deb in debs.items():
        unpack(deb, work / package)
    common_han = write_unihan(work / UNICODE_PACKAGE, out / "unihan")
    rows, seen, rejected, packages = [], set(), collections.Counter(), {}
    for package, (_, licence) in PACKAGES.items():
        found, documents = read_package(package, work / package, common_han, seen, rejected)
        packages[package] = {
            "file": debs[package].name,
            "licence": licence,
            "documents": documents,
            "sentences": len(found),
        }
        rows += found
        say(f"{package:24} {documents:5} documents {len(found):6} sentences   {licence}")
    if arguments.max_sentences and len(rows) > arguments.max_sentences:
        kept = sorted(range(len(rows)), key=lambda i: hash_of(rows[i][1]))[: arguments.max_sentences]
        rows = [rows[i] for i in sorted(kept)]
    parts = {name: [] for name, _ in PARTS}
    for document, sentence in rows:
        parts[part_of(document)].append(sentence)
    for name, sentences in parts.items():
        write_atomic(out / f"{name}.txt", "".join(f"{sentence}\n" for sentence in sentences))
    return {
        "stamp": stamp,
        "sentences": {name: len(part) for name, part in parts.items()},
        "characters": sum(len(s.replace(" ", "")) for part in parts.values() for s in part),
        "packages": packages,
        "unihan": {"file": debs[UNICODE_PACKAGE].name, "licence": UNICODE_LICENCE},
        "rejected": dict(rejected),
    }


def up_to_date(out, stamp):
    try:
        return json.loads((out / "corpus.json").read_text())["stamp"] == stamp and all(
            (out / f"{name}.txt").exists() for name, _ in PARTS
        )
    except (OSError, ValueError, KeyError):
        return False


def run(arguments):
    if arguments.max_sentences < 0:
        raise CorpusError(f"--max-sentences {arguments.max_sentences}: give a number >= 0 (0 = all).")
    start = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cache = arguments.packages_dir or arguments.out / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    debs = {package: fetch(package, cache.resolve()) for package in (*PACKAGES, UNICODE_PACKAGE)}
    code = b"".join(pathlib.Path(file).read_bytes() for file in (__file__, corpus_text.__file__))
    stamp = {
        "code": hashlib.blake2b(code, digest_size=8).hexdigest(),
        "max_sentences": arguments.max_sentences,
        "packages": sorted(deb.name for deb in debs.values()),
    }
    if up_to_date(arguments.out, stamp):
        say(f"{arguments.out} is up to date")
        return
    summary = prepare(arguments, debs, cache / "unpacked", stamp)
    write_atomic(arguments.out / "corpus.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    counts = ", ".join(f"{name} {count:,}" for name, count in summary["sentences"].items())
    say(f"{sum(summary['sentences'].values()):,} sentences, {summary['characters']:,} characters: {counts}")
    say(f"left out: {', '.join(f'{count:,} {reason}' for reason, count in summary['rejected'].items())}")
    say(f"written to {arguments.out} in {time.monotonic() - start:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR", help="where the corpus goes")
    parser.add_argument(
        "--max-sentences",
        type=int,
        default=0,
        metavar="N",
        help="keep N sentences, spread over all documents (default: all)",
    )
    parser.add_argument(
        "--packages-dir",
        type=pathlib.Path,
        metavar="DIR",
        help="where .deb files are kept and looked for (default: OUT/packages)",
    )
    arguments = parser.parse_args()
    try:
        run(arguments)
    except CorpusError as error:
        say(f"corpus.py: {error}")
        return 2
    except (OSError, subprocess.SubprocessError) as error:
        say(f"corpus.py: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
