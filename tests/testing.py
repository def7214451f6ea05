"""What the tests of whole programs share: the programs, mpirun, a small made-up corpus, tiny models, damaged files.

A test file ends with `testing.main()` and is started with the folder of the programs:  train_ranks_test.py build/release/bin
"""

import atexit
import functools
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
SHARED_DATA = pathlib.Path(os.environ.get("RELMPI_SHARED_DATA") or SOURCE / "../shared/data")
PROGRAMS = None  # the folder of the programs, from the command line

# Open MPI refuses root and more ranks than cores unless it is told; ranks that share a core must not spin.
ENVIRONMENT = {
    **os.environ,
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMP_WAIT_POLICY": "passive",
    "CUDA_VISIBLE_DEVICES": "",  # these tests compare numbers of the CPU
}
TIMEOUT = 600  # seconds for one program; what takes longer hangs

# Between a program and the system: who writes a line of RUN/metrics.jsonl waits as long as RUN.hold is there with the
# number of this line or a lower one. Other threads, and signals, go on.
HOLD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static void hold(int descriptor) {
  static const char name[] = "/metrics.jsonl";
  char link[64], path[4096], held[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  const ssize_t folder = length - (ssize_t)strlen(name);
  if (folder <= 0) return;
  path[length] = 0;
  if (strcmp(path + folder, name) != 0) return;
  snprintf(held, sizeof held, "%.*s.hold", (int)folder, path);
  for (FILE* file; (file = fopen(held, "r")) != NULL; usleep(5000)) {
    int from = 0, lines = 0;
    const int read = fscanf(file, "%d", &from);
    fclose(file);
    FILE* metrics = fopen(path, "r");
    for (int c; metrics && (c = getc(metrics)) != EOF;) lines += c == '\n';
    if (metrics) fclose(metrics);
    if (read != 1 || lines < from) return;
  }
}
ssize_t write(int descriptor, const void* data, size_t size) {
  const ssize_t done = ((ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write"))(descriptor, data, size);
  const int error = errno;
  hold(descriptor);
  errno = error;  // a full disk's, say
  return done;
}
ssize_t writev(int descriptor, const struct iovec* data, int count) {
  const ssize_t done = ((ssize_t(*)(int, const struct iovec*, int))dlsym(RTLD_NEXT, "writev"))(descriptor, data, count);
  const int error = errno;
  hold(descriptor);
  errno = error;  // a full disk's, say
  return done;
}
"""

SUBJECTS = "我们 他们 老师 学生 朋友 医生 工人 同事 邻居 弟弟".split()
TIMES = "今天 明天 昨天 早上 晚上 周末 现在 以后".split()
PLACES = "在学校 在公司 在医院 在公园 在图书馆 在车站 在市场 在家里".split()
VERBS = "认真地看 正在做 想要买 已经写完 准备使用 非常喜欢 重新检查 慢慢整理".split()
OBJECTS = "这本书 一份报告 新的电脑 有趣的故事 自己的作业 重要的文件 很多蔬菜 那张地图".split()
SAME_SOUND = "在再 他她它 做作坐座 的地得 师诗失 生声升 有友又 工公功 医一依 事市是 看刊 想响 写血 检见建 书输叔 新心 要药 故顾 图途 园原员".split()
SAME_SHAPE = "己已 末未 土士 天夫 看着 校较 明朋 准淮 脑恼 买卖 慢漫 完宗 车东 早旱 想相".split()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sentence(rng):
    parts = [rng.choice(part) for part in (TIMES, SUBJECTS, PLACES, VERBS, OBJECTS)]
    if rng.random() < 0.4:  # lengths differ, so that batches have padding
        parts += ["，", rng.choice(SUBJECTS), "也", rng.choice(VERBS), rng.choice(OBJECTS)]
    if rng.random() < 0.3:
        del parts[0]
    return "".join(parts) + "。"


def sentences(count, seed):
    rng = random.Random(seed)
    found = dict.fromkeys(sentence(rng) for _ in range(3 * count))
    return list(found)[:count]


def command(program, *arguments, ranks=None):
    """The words of a command line; `ranks` = None starts one process without mpirun."""
    launcher = [] if ranks is None else ["mpirun", "--bind-to", "none", "--oversubscribe", "-np", str(ranks)]
    return [*launcher, str(PROGRAMS / program), *map(str, arguments)]


def run(program, *arguments, ranks=None, **options):
    return subprocess.run(command(program, *arguments, ranks=ranks), capture_output=True, text=True, env=ENVIRONMENT,
                          timeout=TIMEOUT, **options)


def read_rows(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def flip_bit(path, place=0.5):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(bytes(content))


def read_safetensors(path):
    """The header, and the bytes of the data."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:8 + size]), bytearray(content[8 + size:])


def write_safetensors(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


class Corpus:
    """Shards, vocabulary and confusion set of made-up sentences, in `folder`."""

    SIZES = {"train": (52, 1), "validation": (20, 2), "calibration": (40, 3), "test": (37, 4), "few": (3, 5)}

    def __init__(self, folder):
        self.folder = folder
        text = {}
        pool = sentences(sum(count for count, _ in self.SIZES.values()), seed=0)  # no sentence in two sets
        for name, (count, _) in self.SIZES.items():
            text[name] = write(folder / f"{name}.txt", "\n".join(pool[:count]) + "\n")
            del pool[:count]
        self.vocab = folder / "vocab.txt"
        self.confusion = folder / "confusion.json"
        everything = folder / "everything.txt"
        known = "".join(dict.fromkeys("".join(SAME_SOUND + SAME_SHAPE)))
        write(everything, "".join(path.read_text() for path in text.values()) + (known + "\n") * 2)
        lists = {}
        for name, groups in (("same", SAME_SOUND), ("shape", SAME_SHAPE)):
            related = {}
            for group in groups:
                for character in group:
                    related.setdefault(character, []).extend(c for c in group if c != character)
            lists[name] = write(folder / f"{name}.json", json.dumps(related, ensure_ascii=False))
        self.make("vocab", "--text", everything, "--out", self.vocab, "--min-other", 1, "--min-han", 1)
        self.make("confusion", "--text", everything, "--import-same", lists["same"], "--import-shape", lists["shape"],
                  "--out", self.confusion)
        for name, (_, seed) in self.SIZES.items():
            pairs = folder / f"{name}.tsv"
            self.make("noise", "--text", text[name], "--confusion", self.confusion, "--vocab", self.vocab, "--out", pairs,
                      "--seed", seed, "--mean-errors", 2)
            self.make("shard", "--pairs", pairs, "--vocab", self.vocab, "--out", folder, "--folder", name,
                      "--shards", 2 if name == "train" else 1)

    def make(self, *arguments):
        done = run("relmpi-data", *arguments)
        if done.returncode != 0:
            raise AssertionError(f"relmpi-data {arguments}: {done.stderr}")

    def __truediv__(self, name):
        return self.folder / name


SHAPE = ["--layers", 1, "--hidden", 32, "--heads", 2, "--intermediate", 64, "--max-positions", 128]
NO_DROPOUT = ["--dropout", 0, "--attention-dropout", 0, "--head-dropout", 0]
TIMING = ("samples_per_s", "tokens_per_s", "step_ms", "data_wait_ms", "comm_wait_ms")
LOSSES = ("loss", "correction", "detection", "rank", "aux")


def options(defaults, changes):
    """`defaults` (every option with one value) and `changes`, which win; a value None takes an option out."""
    words, changes = [str(word) for word in defaults], list(changes)
    while None in changes:
        at = changes.index(None)
        option = changes[at - 1]
        del changes[at - 1:at + 1]
        del words[words.index(option):words.index(option) + 2]
    for change in changes:
        option = str(change).split("=")[0]
        if option.startswith("--") and option in words:
            at = words.index(option)
            del words[at:at + 2]
    return words + [str(change) for change in changes]


@functools.cache
def shared_folder():
    """One for all test cases of this process."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="relmpi-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def preloaded(name, source):
    """What LD_PRELOAD gets: the library made of this C source."""
    file, library = shared_folder() / f"{name}.c", shared_folder() / f"{name}.so"
    if not library.exists():
        write(file, source)
        built = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, file, "-ldl"], capture_output=True, text=True)
        if built.returncode != 0:
            raise unittest.SkipTest(f"no C compiler: {built.stderr}")
    return str(library)


def holding():
    """Environment of a training that `hold` can stop."""
    return {**ENVIRONMENT, "LD_PRELOAD": preloaded("hold", HOLD)}


def hold(out, lines):
    """The training that writes to `out` will wait with that many lines of metrics (before it starts, or it may be late)."""
    write(out.with_name(f"{out.name}.hold"), f"{lines}\n")


def let_go(out):
    out.with_name(f"{out.name}.hold").unlink()


@functools.cache
def shared_corpus():
    return Corpus(shared_folder() / "corpus")


@functools.cache
def shared_corrector():
    """A model that has learned something, so that its corrections are right, wrong and missing. Seconds."""
    run_folder = shared_folder() / "corrector"
    ProgramCase.corpus = shared_corpus()
    ProgramCase.train(run_folder, *NO_DROPOUT, "--steps", 150, "--hidden", 64, "--layers", 2, "--lr", 3e-3,
                      "--global-batch", 16, "--log-every", 50)
    return run_folder / "model"


class FolderCase(unittest.TestCase):
    """A test case with a folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = shared_folder() / cls.__name__
        cls.folder.mkdir()

    def path(self, name):
        return self.folder / f"{self.id().rsplit('.', 1)[-1]}-{name}"

    def assert_refused(self, done, *naming, code=2):
        self.assertEqual(done.returncode, code, done.stderr)
        for words in naming:
            self.assertIn(str(words), done.stderr)
        self.assertNotIn("terminate called", done.stderr)


class ProgramCase(FolderCase):
    """A test case with the corpus and a folder of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.corpus = shared_corpus()

    @classmethod
    def training(cls, out, *more):
        """Options of a short training from nothing, 7 steps an epoch (the last one of 4 sentences), and `more`, which win."""
        usual = [*SHAPE, "--data", cls.corpus / "train", "--vocab", cls.corpus.vocab, "--confusion", cls.corpus.confusion,
                 "--global-batch", 8, "--lr", 1e-3, "--log-every", 1, "--device", "cpu", "--threads", 1, "--out", out]
        return options(usual, more)

    @classmethod
    def train(cls, out, *more, ranks=None, code=0):
        done = run("relmpi-train", *cls.training(out, *more), ranks=ranks)
        if done.returncode != code:
            raise AssertionError(f"exit code {done.returncode}, not {code}: {done.stderr}")
        return done

    def steps(self, out):
        return [row for row in read_rows(out / "metrics.jsonl") if "evaluation" not in row]

    def assert_same_losses(self, found, wanted, tolerance=1e-5):
        self.assertEqual([row["step"] for row in found], [row["step"] for row in wanted])
        for a, b in zip(found, wanted):
            for name in LOSSES:
                self.assertTrue(math.isclose(a[name], b[name], rel_tol=tolerance, abs_tol=tolerance * 1e-2),
                                f"step {b['step']}: {name} is {a[name]}, not {b[name]}")


def wait_for(what, happens, seconds=300):
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {seconds} s")
        time.sleep(0.005)


class Started:
    """A training that goes on by itself; its folder may be held. What it says goes to a file, to be read meanwhile."""

    def __init__(self, case, words, out, ranks=None):
        self.out, self.said = out, out.with_name(f"{out.name}.stderr")
        with open(self.said, "w") as errors:
            self.process = subprocess.Popen(command("relmpi-train", *words, ranks=ranks), env=holding(),
                                            stdout=subprocess.DEVNULL, stderr=errors)
        case.addCleanup(lambda: self.process.poll() is None and self.process.kill())

    def wait_for(self, what, happens):
        """Fails at once if the run ends before."""
        wait_for(what, lambda: happens() or self.process.poll() is not None)
        if self.process.poll() is not None and not happens():
            raise AssertionError(f"the run ended by itself before {what}: {self.said.read_text()}")

    def wait_for_lines(self, lines):
        self.wait_for(f"line {lines} of {self.out}", lambda: lines_of(self.out / "metrics.jsonl") >= lines)

    def wait_for_words(self, words):
        self.wait_for(f"'{words}' of {self.out}", lambda: words in self.said.read_text())

    def end(self):
        """Exit code, and what it said."""
        return self.process.wait(timeout=TIMEOUT), self.said.read_text()


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ranks_of(process):
    """Process ids of the ranks that an mpirun has started."""
    def command_line(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return ""

    try:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in children if "relmpi" in command_line(child)]


def runs(pid):
    """Whether the process is there and no zombie (where nobody waits for orphans, those stay)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def main():
    global PROGRAMS
    if len(sys.argv) < 2 or not (pathlib.Path(sys.argv[1]) / "relmpi-train").exists():
        sys.exit(f"usage: {sys.argv[0]} FOLDER-OF-PROGRAMS [test names]")
    PROGRAMS = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
