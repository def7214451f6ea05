#!/usr/bin/env python3
"""Compares the C++ model with the PyTorch reference, tensor by tensor, by name.

  dgca_parity.py PROGRAM [--precision fp32] [--cases full,pre] [--keep DIR]
  dgca_parity.py --self-check        tests the reference and this harness themselves, without a program

For each case a model folder and batch.json {"source":[[id]],"target":[[id]],"masked":[[0|1]]} are written, and

  PROGRAM --model DIR --batch batch.json --out out.safetensors --precision fp32|bf16|fp16 [--micro-batch m]

has to write: the scalars loss, correction, detection, rank, aux; d and alpha (B, n), target_logits and p (B, n, V), with
zeros in the padding; grad.<tensor name> for every parameter. Exits 1 when a tensor is missing, unasked for or too far.
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import torch

from dgca_reference import Reference
from random_case import random_batch, write_random_model
from safetensors_file import read_safetensors

SCALARS = ("loss", "correction", "detection", "rank", "aux")

# Largest error by kind of tensor. fp32: greatest difference over the tensor's greatest magnitude in the float64
# reference. bf16, fp16: norm of the difference over the norm, about twice the worst that PyTorch's own autocast of the
# reference shows on these cases (printed by --self-check), so that a wrong formula stands out and rounding does not.
# The prompt network is the end of the longest chain, and its gradients are the smallest.
TOLERANCE = {
    "fp32": {"scalar": 1e-5, "probability": 1e-5, "logits": 1e-5, "gradient": 1e-5, "prompt_gradient": 1e-5},
    "bf16": {"scalar": 1e-2, "probability": 3e-2, "logits": 2e-2, "gradient": 1e-1, "prompt_gradient": 3e-1},
    "fp16": {"scalar": 2e-3, "probability": 4e-3, "logits": 3e-3, "gradient": 2e-2, "prompt_gradient": 2e-1},
}
# The softmax over keys does not change when all its scores move together, so the true gradient is exactly zero and
# what a program has there is rounding.
LEFT_OUT = "attention.self.key.bias"


def kind_of(name):
    if name in SCALARS:
        return "scalar"
    if name.startswith("grad.dgca.prompt."):
        return "prompt_gradient"
    if name.startswith("grad."):
        return "gradient"
    return "logits" if name == "target_logits" else "probability"


def error_of(name, actual, expected, precision):
    """Of one tensor, relative; against zeros, the magnitude itself."""
    difference = actual.double() - expected[name].double()
    if not torch.isfinite(difference).all():
        return float("inf")
    measure = torch.Tensor.norm if precision != "fp32" else lambda tensor: tensor.abs().max()
    scale = float(measure(expected[name].double()))
    if name.endswith(".bias") and expected[name].numel() == 1:
        # One number, a sum of both signs that may cancel: its scale is that of the layer, whose last input is a 1.
        scale = max(scale, float(measure(expected[name.removesuffix("bias") + "weight"].double())))
    return float(measure(difference)) / (scale or 1.0)


def compare(actual, expected, precision):
    """[(name, what is wrong)] of the tensors that fail, and the worst error by kind."""
    failures, worst = [], {}
    for name in sorted(set(actual) | set(expected)):
        if name.endswith(LEFT_OUT):
            continue
        if name not in actual or name not in expected:
            failures.append((name, "missing" if name in expected else "not a tensor of this model"))
        elif actual[name].numel() != expected[name].numel() or (
            expected[name].dim() and actual[name].shape != expected[name].shape
        ):
            failures.append((name, f"shape {list(actual[name].shape)}, expected {list(expected[name].shape)}"))
        else:
            kind = kind_of(name)
            error = error_of(name, actual[name].reshape(expected[name].shape), expected, precision)
            worst[kind] = max(worst.get(kind, 0.0), error)
            if not error <= TOLERANCE[precision][kind]:
                failures.append((name, f"error {error:.2e}, allowed {TOLERANCE[precision][kind]:.0e}"))
    return failures, worst


def cases():
    """name -> (model settings, batch settings, micro-batch)."""
    found = {}
    for ablation, positions, layer_norm in itertools.product(
        ("full", "detector-only", "candidate-only", "baseline"), ("sequential", "aligned"), ("post", "pre")
    ):
        settings = {"ablation": ablation, "positions": positions, "layer_norm": layer_norm}
        found[f"{ablation}/{positions}/{layer_norm}"] = (settings, {}, 0)
    for ablation, output in itertools.product(("full", "candidate-only"), ("mixture", "candidates")):
        found[f"{ablation}/{output}/unmasked"] = ({"ablation": ablation, "output": output}, {"mask_rate": 0.0}, 0)
        found[f"{ablation}/{output}/micro-batch"] = ({"ablation": ablation, "output": output}, {"rows": 5}, 2)
        found[f"{ablation}/{output}/as-published"] = (
            {"ablation": ablation, "output": output, "candidate_source": "as-published"},
            {"rows": 6},
            0,
        )
    for name, batch in {
        "all-masked": {"mask_rate": 1.0},
        "all-right": {"error_rate": 0.0},
        "all-wrong": {"error_rate": 1.0},
        "one-row": {"rows": 2, "longest": 1},
        "long": {"rows": 3, "longest": 29},
    }.items():
        found[f"full/{name}"] = ({}, batch, 0)
    found["full/no-prompt"] = ({"prompt_length": 0}, {}, 0)
    found["full/one-prompt"] = ({"prompt_length": 1, "positions": "aligned"}, {}, 0)
    found["full/one-candidate"] = ({"candidates": 1}, {}, 0)
    found["full/pre/aligned/candidates/micro-batch"] = (
        {"layer_norm": "pre", "positions": "aligned", "output": "candidates"},
        {"rows": 5},
        1,
    )
    return found


def write_case(folder, seed, settings, batch_settings):
    write_random_model(folder, seed, **settings)
    candidates = read_safetensors(folder / "model.safetensors")["dgca.candidates"]
    batch = random_batch(seed, candidates, **batch_settings)
    (folder / "batch.json").write_text(json.dumps(batch))
    return batch


def run_program(program, folder, precision, micro_batch):
    """The tensors that the program wrote, or the text of its failure."""
    out = folder / "out.safetensors"
    command = [
        program,
        "--model",
        str(folder),
        "--batch",
        str(folder / "batch.json"),
        "--out",
        str(out),
        "--precision",
        precision,
    ]
    if micro_batch:
        command += ["--micro-batch", str(micro_batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"exit code {done.returncode}: {' '.join(done.stderr.strip().splitlines()[-1:])}"
    return read_safetensors(out)


def run_case(name, number, arguments, parent):
    folder = parent / name.replace("/", "_")
    settings, batch_settings, micro_batch = cases()[name]
    bad = 0
    for seed in range(arguments.seeds):
        batch = write_case(folder, 100 * number + seed, settings, batch_settings)
        expected = Reference(folder, torch.float64).step(**batch)
        for precision in arguments.precision:
            actual = run_program(arguments.program, folder, precision, micro_batch)
            if isinstance(actual, str):
                failures, worst = [(arguments.program, actual)], {}
            else:
                failures, worst = compare(actual, expected, precision)
            bad += bool(failures)
            summary = "  ".join(f"{kind} {error:.1e}" for kind, error in sorted(worst.items()))
            print(f"{'FAIL' if failures else 'ok  '}  {name:42} seed {seed} {precision}  {summary}", flush=True)
            for tensor, why in failures:
                print(f"        {tensor:60} {why}", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="the C++ test program")
    parser.add_argument(
        "--precision", action="append", choices=tuple(TOLERANCE), help="may be repeated (default: fp32)"
    )
    parser.add_argument("--cases", default="", help="only cases whose name has one of these words, comma-separated")
    parser.add_argument("--seeds", type=int, default=2, help="random models per case (default: 2)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="write the cases here and leave them")
    parser.add_argument("--self-check", action="store_true", help="test the reference and this harness")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or ["fp32"]
    torch.set_num_threads(1)
    if arguments.self_check:
        import self_check

        return self_check.run()
    if not arguments.program:
        parser.error("give PROGRAM or --self-check")
    words = [word for word in arguments.cases.split(",") if word]
    chosen = [name for name in cases() if not words or any(word in name for word in words)]
    if not chosen:
        parser.error(f"--cases {arguments.cases}: no case has such a name; there are {', '.join(cases())}")
    with tempfile.TemporaryDirectory() as temporary:
        parent = arguments.keep or pathlib.Path(temporary)
        bad = sum(run_case(name, list(cases()).index(name), arguments, parent) for name in chosen)
    total = len(chosen) * arguments.seeds * len(arguments.precision)
    print(f"{total - bad} of {total} runs agree with the reference")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
