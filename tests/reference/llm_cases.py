"""The folders and texts that llm_parity.py compares on."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]

# name -> options of scripts/make-tiny-llm
TINY = {
    "llama-tied": ["--family", "llama", "--tied"],
    "llama-untied": ["--family", "llama", "--untied"],
    "llama-llama3": ["--family", "llama", "--rope-scaling", "llama3"],
    "llama-yarn": ["--family", "llama", "--untied", "--rope-scaling", "yarn"],
    "llama-bf16": ["--family", "llama", "--dtype", "bf16"],
    "llama-one-head": ["--family", "llama", "--kv-heads", 1, "--head-dim", 24],
    "qwen2-tied": ["--family", "qwen2", "--tied"],
    "qwen2-untied": ["--family", "qwen2", "--untied", "--rope-theta", 1000000],
    "qwen2-yarn": ["--family", "qwen2", "--rope-scaling", "yarn"],
    "qwen2-fp16": ["--family", "qwen2", "--untied", "--dtype", "fp16"],
    "qwen3-tied": ["--family", "qwen3", "--tied"],
    "qwen3-untied": ["--family", "qwen3", "--untied", "--rope-theta", 1000000],
    "qwen3-llama3": ["--family", "qwen3", "--rope-scaling", "llama3"],
    "qwen3-yarn": ["--family", "qwen3", "--rope-scaling", "yarn"],
    "qwen3-sharded": ["--family", "qwen3", "--untied", "--sharded", 3],
}

PLAIN = [
    "The capital of France is",
    "Once upon a time, in a small village near the sea,",
    "Water boils at 100 degrees Celsius, while it freezes at",
    "def fibonacci(n):\n    \"\"\"Returns the n-th Fibonacci number.\"\"\"\n",
    "The three primary colours are",
    "In 1969, the first human being walked on",
    "A list of fruits: apple, banana,",
    "Dear Sir or Madam,\n\nI am writing to",
    "The largest planet in the solar system is",
    "Q: How many legs does a spider have?\nA:",
]
CHAT = [
    "What is the capital of Italy?",
    "Write a short poem about the rain.",
    "Explain in one sentence why the sky is blue.",
    "What is 12 + 30?",
    "Name three animals that live in the sea.",
    "How do I boil an egg?",
    "Translate 'good morning' into French.",
    "Give me a title for a story about a lost key.",
    "Who wrote Romeo and Juliet?",
    "What should I pack for a week in the mountains?",
]
TEXTS = [
    "A language model assigns a probability to each sequence of tokens. It reads the tokens from left to right and, at each "
    "position, gives a distribution over the token that comes next.",
    "In 2024 the bill came to 1,299.50 \u20ac; in 2025, 7 % more \u2014 caf\u00e9 included.",
]


def tiny_maker():
    """scripts/make-tiny-llm as a module: one import of transformers for all folders."""
    path = SOURCE / "scripts/make-tiny-llm"
    sys.path.append(str(path.parent))
    loader = importlib.machinery.SourceFileLoader("make_tiny_llm", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def make_tiny(maker, root, name, seed=1):
    folder = root / name
    if not folder.exists():
        maker.create(maker.parse([str(word) for word in [*TINY[name], "--out", folder, "--seed", seed]]))
    return folder


def random_ids(reference, lengths, seed=1):
    draw = random.Random(seed)
    size = reference.model.config.vocab_size
    return [[draw.randrange(size) for _ in range(length)] for length in lengths]


def with_ends(folder, out, ends):
    """A copy whose generation ends at these ids and, by config.json, at another, which must not count."""
    shutil.copytree(folder, out)
    path = out / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": ends}))
    return out


class Unavailable(Exception):
    """Why SmolLM2 cannot be had here."""


def smollm2():
    """The folder that scripts/get-smollm2 makes, kept from run to run; RELMPI_SMOLLM2 names another."""
    if os.environ.get("RELMPI_SMOLLM2"):
        return pathlib.Path(os.environ["RELMPI_SMOLLM2"])
    folder = SOURCE / "runs/models/SmolLM2-135M-Instruct"
    command = [SOURCE / "scripts/get-smollm2", "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        raise Unavailable(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(f"scripts/get-smollm2 ended with {done.returncode}: {done.stderr[-1000:]}")
    return folder
