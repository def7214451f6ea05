#!/usr/bin/env python3
"""Model folders travel between relmpi and Hugging Face transformers, both ways, without changing a bit or a logit.

  transformers_roundtrip.py [PROGRAM] [--folder DIR]...

PROGRAM is the program of dgca_parity.py; it must also know --save DIR (write the model that it opened, as relmpi saves
models). --folder names further folders that relmpi saved, for example RUN/model of a training run. Exits 77 (skipped)
if transformers is not installed.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import transformers
    from transformers import BertForMaskedLM
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from dgca_reference import Reference
from random_case import VOCABULARY, write_random_model
from safetensors_file import read_safetensors

TOLERANCE = 2e-5  # relative, float32 against float32


class Mismatch(Exception):
    pass


def open_with_transformers(folder):
    return BertForMaskedLM.from_pretrained(folder, local_files_only=True, attn_implementation="eager").eval()


def demand_close(what, actual, expected):
    error = float((actual - expected).abs().max() / expected.abs().max())
    if not error <= TOLERANCE:
        raise Mismatch(f"{what}: largest difference {error:.1e} of the greatest magnitude, allowed {TOLERANCE:.0e}")


def check_opens_in_transformers(folder):
    """Every bert.* and cls.* tensor arrives bit for bit, nothing is missing, and plain logits equal the reference's."""
    model, info = BertForMaskedLM.from_pretrained(
        folder, local_files_only=True, attn_implementation="eager", output_loading_info=True
    )
    foreign = [name for name in info["unexpected_keys"] if not name.startswith("dgca.")]
    if info["missing_keys"] or info["mismatched_keys"] or foreign:
        raise Mismatch(
            f"{folder}: transformers finds missing {sorted(info['missing_keys'])}, unexpected {foreign}, "
            f"of another shape {sorted(map(str, info['mismatched_keys']))}"
        )
    theirs = model.state_dict()
    ours = {
        name: tensor
        for name, tensor in read_safetensors(folder / "model.safetensors").items()
        if not name.startswith("dgca.")
    }
    for name, tensor in ours.items():
        if name not in theirs or not torch.equal(theirs[name], tensor):
            raise Mismatch(f"{folder}: {name} is not what transformers has after opening it")
    reference = Reference(folder, torch.float32)
    if reference.config.layer_norm == "post":  # transformers knows no other
        ids = torch.randint(reference.config.vocab_size, (3, 17), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            demand_close("plain logits", reference.plain_logits(ids), model.eval()(ids).logits)


def save_with_transformers(folder, out):
    """A folder as transformers writes it; vocab.txt, which the model class does not write, is copied."""
    open_with_transformers(folder).save_pretrained(out)
    shutil.copyfile(folder / "vocab.txt", out / "vocab.txt")


def check_reference_opens_theirs(folder):
    model, reference = open_with_transformers(folder), Reference(folder, torch.float32)
    ids = torch.randint(VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        demand_close("logits of a folder that transformers saved", reference.plain_logits(ids), model(ids).logits)


def run_program(program, folder, batch, *more):
    out = folder / "out.safetensors"
    (folder / "batch.json").write_text(json.dumps(batch))
    command = [program, "--model", str(folder), "--batch", str(folder / "batch.json"), "--out", str(out), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Mismatch(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return read_safetensors(out)


def check_program_opens_theirs(program, folder):
    """Plain ReLM (no prompts, no heads of ours) in C++ equals transformers on [CLS] x [SEP] [MASK]*n."""
    model, special = open_with_transformers(folder), Reference(folder).special
    source = [[7, 9, 30, 12], [40, 41, 42, 43, 44, 45, 46]]
    batch = {"source": source, "target": source, "masked": [[0] * len(row) for row in source]}
    logits = run_program(program, folder, batch)["target_logits"]
    for row, ids in enumerate(source):
        line = torch.tensor([[special.cls, *ids, special.sep, *[special.mask] * len(ids)]])
        with torch.no_grad():
            expected = model(line).logits[0, -len(ids) :]
        demand_close(f"target_logits of row {row}", logits[row, : len(ids)], expected)


def check_program_saves_ours(program, folder, out):
    """What the program opens and saves again has the same tensors, bit for bit, and opens in transformers."""
    source = [[7, 9, 30]]
    run_program(program, folder, {"source": source, "target": source, "masked": [[0, 0, 0]]}, "--save", str(out))
    before, after = (read_safetensors(where / "model.safetensors") for where in (folder, out))
    for name in before.keys() | after.keys():
        if name not in before or name not in after or not torch.equal(before[name], after[name]):
            raise Mismatch(f"{out}: {name} changed when the program saved {folder}")
    if (folder / "vocab.txt").read_bytes() != (out / "vocab.txt").read_bytes():
        raise Mismatch(f"{out}: vocab.txt changed when the program saved {folder}")
    check_opens_in_transformers(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="the C++ test program")
    parser.add_argument(
        "--folder", type=pathlib.Path, action="append", default=[], help="a model folder that relmpi saved"
    )
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        write_random_model(root / "full", 1)
        write_random_model(root / "plain", 2, ablation="baseline", prompt_length=0)
        save_with_transformers(root / "plain", root / "theirs")
        for out in ("full-saved", "plain-saved"):
            (root / out).mkdir()
        checks = [
            (check_opens_in_transformers, root / "full"),
            (check_opens_in_transformers, root / "plain"),
            (check_reference_opens_theirs, root / "theirs"),
        ]
        checks += [(check_opens_in_transformers, folder) for folder in arguments.folder]
        if arguments.program:
            checks += [
                (check_program_opens_theirs, arguments.program, root / "theirs"),
                (check_program_saves_ours, arguments.program, root / "full", root / "full-saved"),
                (check_program_saves_ours, arguments.program, root / "plain", root / "plain-saved"),
            ]
        for check, *values in checks:
            try:
                check(*values)
            except Mismatch as mismatch:
                print(f"FAIL  {check.__name__}: {mismatch}")
                return 1
            print(f"ok    {check.__name__} {values[-1].name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
