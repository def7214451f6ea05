#!/usr/bin/env python3
"""Whether the training steps that `scripts/bench` compares relmpi with compute DGCA-ReLM: the loss and every gradient of
plain_step.py and strong_step.py, in fp32 and without dropout, against dgca_reference.py in float64."""

import itertools
import pathlib
import sys
import tempfile

import torch

import plain_step
import strong_step
from dgca_parity import compare
from dgca_reference import Reference
from random_case import random_batch, write_random_model
from safetensors_file import read_safetensors
from step_timing import read_border, read_vocabulary

SEEDS = 2
# Rows of different lengths, more of them than the strong script's softmax takes at once; rows without padding.
BATCHES = {"ragged": {"rows": 20}, "equal": {"rows": 12, "longest": 1}}


def relmpi_name(name):
    """Of a parameter of PlainCorrector."""
    module, _, rest = name.partition(".")
    return rest if module == "bert" else f"{plain_step.OURS[module]}.{rest}"


def answer_of(model, batch):
    """The loss and the gradients by relmpi's names."""
    loss = model.eval()(batch)
    loss.backward()
    found = {f"grad.{relmpi_name(name)}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach()} | found


def case(folder, seed, settings):
    """{script: what it answers} and what it should."""
    write_random_model(folder, seed)
    table = read_safetensors(folder / "model.safetensors")["dgca.candidates"]
    batch = random_batch(seed, table, **settings)
    # Only right characters are masked, as in training.
    characters = [zip(*row) for row in zip(batch["source"], batch["target"], batch["masked"])]
    batch["masked"] = [[int(m and x == y) for x, y, m in row] for row in characters]
    rows = list(zip(batch["source"], batch["target"]))
    masks = [[bool(m) for m in row] for row in batch["masked"]]
    expected = Reference(folder, torch.float64).step(**batch)
    expected = {name: value for name, value in expected.items() if name == "loss" or name.startswith("grad.")}
    ids, border = read_vocabulary(folder), read_border(folder)
    width = 2 * border + 2 * max(len(source) for source, _ in rows) + 3
    return {
        "plain_step": answer_of(
            plain_step.PlainCorrector(folder), plain_step.make_batch(rows, masks, width, border, ids)
        ),
        "strong_step": answer_of(
            strong_step.StrongCorrector(folder), strong_step.make_batch(rows, masks, border, ids)
        ),
    }, expected


def main():
    torch.set_num_threads(1)
    bad = 0
    for seed, (kind, settings) in itertools.product(range(SEEDS), BATCHES.items()):
        with tempfile.TemporaryDirectory() as folder:
            answers, expected = case(pathlib.Path(folder), seed, settings)
        for script, actual in answers.items():
            failures, worst = compare(actual, expected, "fp32")
            bad += bool(failures)
            summary = "  ".join(f"{of} {error:.1e}" for of, error in sorted(worst.items()))
            print(f"{'FAIL' if failures else 'ok  '}  {script:12} {kind:7} seed {seed}  {summary}")
            for tensor, why in failures:
                print(f"        {tensor:60} {why}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
