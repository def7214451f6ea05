#!/usr/bin/env python3
"""Compares the decoder LLM engine with Hugging Face transformers in fp32: logits of every layer and greedy text.

  llm_parity.py FOLDER-OF-PROGRAMS --models tiny      random Llama, Qwen2 and Qwen3 folders of scripts/make-tiny-llm
  llm_parity.py FOLDER-OF-PROGRAMS --models smollm2   SmolLM2-135M-Instruct of scripts/get-smollm2
  llm_parity.py --self-check                          the reference alone

dump_llm is the program: ragged batches and single sequences, each position and layer within 1e-4 of transformers (a few
1e-4 where SmolLM2's logits are large), the same greedy text in a batch, one by one, and without the cache; relmpi-eval
decode answers SmolLM2's prompts alike. Folders that were damaged on purpose must show. Exits 1 at a difference,
77 (skipped) where transformers or SmolLM2 cannot be had.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    import llm_cases
    from llm_reference import Reference
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TOLERANCE = 1e-4
# SmolLM2's logits reach 200 after the embeddings and 90 inside, and its first position carries hidden values of thousands
# that later layers take away again: transformers in fp32 is up to 1.3e-4 from its own fp64, and so may relmpi be to the
# other side. Beside the tolerance the largest difference may grow with the layer's largest logit; what is wrong, rather
# than rounded, shows in the mean.
RELATIVE = 3e-6
MEAN = 2e-5
CLEAR = 1e-3  # a gap between the two best logits that rounding cannot close
THREADS = 1  # as ctest runs tests side by side


class Mismatch(Exception):
    pass


def demand(condition, text):
    if not condition:
        raise Mismatch(text)


def run(*words):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    demand(done.returncode == 0, f"{' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Program:
    """dump_llm, with one file of ids in and one file out; and relmpi-eval decode as users run it."""

    def __init__(self, folder, scratch):
        self.folder, self.scratch, self.calls = folder, scratch, 0

    def call(self, verb, folder, sequences, suffix, *more):
        self.calls += 1
        ids, out = self.scratch / f"{self.calls}.ids.json", self.scratch / f"{self.calls}.{suffix}"
        ids.write_text(json.dumps(sequences))
        run(self.folder / "dump_llm", verb, "--model", folder, "--ids", ids, "--out", out, *more)
        return out

    def decode(self, folder, rows, new_tokens, *more):
        """Prompts in one batch, as the rows of decode.json."""
        prompts = self.scratch / "prompts.jsonl"
        prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
        said = run(self.folder / "relmpi-eval", "decode", "--model", folder, "--dtype", "fp32", "--prompts", prompts, "--batch", len(rows),
                   "--max-new-tokens", new_tokens, "--threads", THREADS, "--json", *more)
        return json.loads(said)["methods"][0]["requests"]

    def logits(self, folder, sequences, *more):
        """An open safetensors file: logits.B (T, V) and, with --layers all, layer.L.B."""
        return safe_open(self.call("logits", folder, sequences, "safetensors", "--dtype", "fp32", *more), "pt")

    def generate(self, folder, sequences, new_tokens, *more):
        out = self.call("generate", folder, sequences, "json", "--max-new-tokens", new_tokens, *more)
        found = json.loads(out.read_text())["output_ids"]
        demand(len(found) == len(sequences), f"{len(sequences)} prompts in, {len(found)} outputs")
        return found


def difference(where, found, wanted, relative=0.0):
    """The largest difference, which must be within the tolerance at every position."""
    demand(found.shape == wanted.shape, f"{where}: shape {tuple(found.shape)}, not {tuple(wanted.shape)}")
    demand(found.dtype == torch.float32, f"{where}: {found.dtype}, not float32")
    error = (found - wanted).abs().amax(-1)  # (T)
    limit = TOLERANCE + relative * float(wanted.abs().max())
    mean = float((found - wanted).abs().mean())
    demand(mean <= MEAN, f"{where}: on average {mean:.1e} from transformers, allowed {MEAN:.0e}")
    worst = float(error.max())
    at = int(error.argmax())
    demand(worst <= limit, f"{where}: position {at} is {worst:.1e} from transformers, allowed {limit:.1e}")
    return worst


def compare_layers(program, folder, reference, sequences, relative=0.0):
    """A ragged batch, every layer and position, against transformers one sequence at a time. Returns the worst."""
    worst = 0.0
    file = program.logits(folder, sequences, "--layers", "all")
    for b, ids in enumerate(sequences):
        for layer, wanted in reference.layer_logits(ids):
            is_last = layer == reference.layers
            where = f"{folder.name}, sequence {b} of {len(ids)} tokens, layer {layer}"
            worst = max(worst, difference(where, file.get_tensor(f"layer.{layer}.{b}"), wanted, relative))
            if is_last:
                worst = max(worst, difference(f"{where} (logits)", file.get_tensor(f"logits.{b}"), wanted, relative))
    return worst


def compare_singles(program, folder, sequences):
    """The same logits whether a sequence is alone or in a ragged batch with others."""
    together = program.logits(folder, sequences)
    worst = 0.0
    for b, ids in enumerate(sequences):
        alone = program.logits(folder, [ids]).get_tensor("logits.0")
        worst = max(worst, difference(f"{folder.name}, sequence {b} in a batch", together.get_tensor(f"logits.{b}"), alone))
    return worst


def same_text(where, reference, found, wanted):
    for b, (ours, theirs) in enumerate(zip(found, wanted)):
        ours = reference.without_end(ours)
        at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), min(len(ours), len(theirs)))
        demand(ours == theirs, f"{where}: prompt {b} differs at new token {at}: {ours[at:at + 5]}, not {theirs[at:at + 5]}")


def clear_prompts(reference, prompts, new_tokens):
    """Those whose greedy text does not hang on a rounding, with that text."""
    answers = [reference.greedy(ids, new_tokens) for ids in prompts]
    clear = [(ids, text) for ids, (text, gap) in zip(prompts, answers) if gap >= CLEAR]
    return [ids for ids, _ in clear], [text for _, text in clear]


def check_tiny(program, maker, root, name):
    folder = llm_cases.make_tiny(maker, root, name)
    reference = Reference(folder)
    worst = compare_layers(program, folder, reference, llm_cases.random_ids(reference, [7, 64, 1, 33, 2]))
    return f"{worst:.1e}"


def check_batch(program, maker, root, name):
    folder = llm_cases.make_tiny(maker, root, name)
    return f"{compare_singles(program, folder, llm_cases.random_ids(Reference(folder), [12, 3, 40, 1])):.1e}"


def check_generation(program, maker, root, name):
    """In a batch, one by one, without the cache; then again with a list of ends that the texts do reach."""
    plain = llm_cases.make_tiny(maker, root, name)
    prompts = llm_cases.random_ids(Reference(plain), [5, 11, 1, 23, 8, 3, 17, 2, 30, 6], seed=3)
    free = [text for text, _ in (Reference(plain).greedy(ids, 40) for ids in prompts)]
    # Two ids that occur late and early, in different texts.
    ends = sorted({next(text[12:13] for text in free if len(text) > 12)[0], free[-1][3]})
    ended = 0
    for folder in (plain, llm_cases.with_ends(plain, root / f"{name}-ends", ends)):
        reference = Reference(folder)
        chosen, wanted = clear_prompts(reference, prompts, 40)
        demand(len(chosen) >= 5, f"{folder.name}: only {len(chosen)} prompts have clear answers: take another seed")
        ended += sum(len(text) < 40 for text in wanted)
        for options in ([], ["--batch"], ["--no-cache"], ["--no-cache", "--batch"]):
            found = program.generate(folder, chosen, 40, *options)
            same_text(f"{folder.name} {' '.join(options)}", reference, found, wanted)
    demand(ended > 1, f"{name}: only {ended} texts came to an end")
    return f"{ended} texts ended early"


def damaged(folder, out, damage):
    """A copy with one tensor changed, or one word of the configuration."""
    shutil.copytree(folder, out)
    for name, value in damage.items():
        if name.startswith("model.") or name.startswith("lm_head."):
            tensors = load_file(out / "model.safetensors")
            tensors[name].fill_(value)
            save_file(tensors, out / "model.safetensors", {"format": "pt"})
        else:
            config = json.loads((out / "config.json").read_text())
            (out / "config.json").write_text(json.dumps(config | {name: value}))
    return out


DAMAGE = {
    "llama-untied": [{"model.layers.1.input_layernorm.weight": 1}, {"rope_theta": 20000.0}, {"model.norm.weight": 1},
                     {"tie_word_embeddings": True}],
    "llama-llama3": [{"rope_scaling": None}],
    "llama-yarn": [{"rope_scaling": None}],
    "qwen2-tied": [{f"model.layers.2.self_attn.{part}_proj.bias": 0} for part in "qkv"],
    "qwen3-tied": [{f"model.layers.2.self_attn.{part}_norm.weight": 1} for part in "qk"] + [{"rms_norm_eps": 0.01}],
}


def check_notices(program, maker, root, name):
    """The comparison fails if the program is given a damaged copy of what transformers reads."""
    folder = llm_cases.make_tiny(maker, root, name)
    reference = Reference(folder)
    sequences = llm_cases.random_ids(reference, [20])
    for i, damage in enumerate(DAMAGE[name]):
        broken = damaged(folder, root / f"{name}-damaged-{i}", damage)
        try:
            compare_layers(program, broken, reference, sequences)
        except Mismatch as mismatch:
            demand("from transformers" in str(mismatch), f"{damage}: {mismatch}")
            continue
        raise Mismatch(f"{damage} was not noticed")
    return f"{len(DAMAGE[name])} noticed"


def question_of(text):
    return [{"role": "user", "content": text}]


def smollm2_prompts(reference):
    """Twenty lists of ids: ten plain texts and ten questions in the model's chat form."""
    prompts = [reference.tokenizer(text).input_ids for text in llm_cases.PLAIN]
    for question in llm_cases.CHAT:
        prompts.append(reference.tokenizer.apply_chat_template(question_of(question), add_generation_prompt=True))
    return prompts


def check_smollm2_layers(program, folder, reference):
    return f"{compare_layers(program, folder, reference, [reference.tokenizer(t).input_ids for t in llm_cases.TEXTS], RELATIVE):.1e}"


def check_smollm2_long(program, folder, reference):
    """Some 250 tokens, last layer."""
    text = "\n\n".join([*llm_cases.PLAIN, *llm_cases.CHAT, *llm_cases.TEXTS])
    ids = reference.tokenizer(text).input_ids
    found = program.logits(folder, [ids]).get_tensor("logits.0")
    return f"{difference(f'{len(ids)} tokens', found, reference.logits(ids), RELATIVE):.1e}"


def check_smollm2_text(program, folder, reference):
    """Greedy text is right when each token is what transformers would choose after those before it: one pass over the
    whole text says so, where generating it again takes 64. Two prompts are generated nevertheless."""
    prompts = smollm2_prompts(reference)
    found = program.generate(folder, prompts, 64)
    wanted = [reference.continued(ids, text, 64) for ids, text in zip(prompts, found)]
    for b in (0, len(prompts) - 1):
        text, _ = reference.greedy(prompts[b], 64)
        same_text(f"SmolLM2, generated prompt {b}", reference, [found[b]], [text])
    least = min(gap for _, gap in wanted)
    wanted = [text for text, _ in wanted]
    same_text("SmolLM2", reference, found, wanted)
    demand(least >= CLEAR, f"the two best logits come as close as {least:.1e}: take another prompt")
    answers = [*program.decode(folder, [{"prompt": text} for text in llm_cases.PLAIN], 64),
               *program.decode(folder, [{"messages": question_of(text)} for text in llm_cases.CHAT], 64, "--chat")]
    demand([row["prompt_ids"] for row in answers] == prompts, "relmpi-eval decode: other ids of the prompts")
    same_text("SmolLM2, relmpi-eval decode", reference, [row["output_ids"] for row in answers], wanted)
    # Each new token costs the whole text: fewer of them.
    few = [text[:16] for text in wanted[:10:3]]
    same_text("SmolLM2 --no-cache", reference, program.generate(folder, prompts[:10:3], 16, "--no-cache"), few)
    return f"{sum(map(len, wanted))} tokens, gaps of {least:.1e} or more"


def self_check_tiny(maker, root, name):
    """transformers finds every tensor; each of them matters; hidden states are what this file takes them for."""
    reference = Reference(llm_cases.make_tiny(maker, root, name))
    missing = [key for kind in ("missing_keys", "unexpected_keys") for key in reference.info[kind]]
    demand(not missing, f"{name}: {missing}")
    text = llm_cases.TEXTS[1]
    demand(reference.tokenizer.decode(reference.tokenizer(text).input_ids) == text, f"{name}: the tokenizer loses text")
    (ids,) = llm_cases.random_ids(reference, [40])
    seen = []
    for module in [reference.model.model.embed_tokens, *reference.model.model.layers]:
        module.register_forward_hook(lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out))
    logits = reference.logits(ids)
    hooked = [reference.model.lm_head(reference.model.model.norm(state))[0].detach() for state in seen]
    for layer, wanted in reference.layer_logits(ids):
        demand(torch.equal(wanted, hooked[layer]), f"{name}: layer {layer} is not norm and head of that layer's output")
    demand(torch.equal(wanted, logits), f"{name}: the last layer is not the logits")
    least = 1e9
    for key, parameter in reference.model.named_parameters():
        kept = parameter.data.clone()
        parameter.data.fill_(1 if "norm" in key else 0)
        moved = float((reference.logits(ids) - logits).abs().max())
        parameter.data.copy_(kept)
        demand(moved > 1000 * TOLERANCE, f"{name}: without {key} the logits move by {moved:.1e} only")
        least = min(least, moved)
    exact = float((Reference(root / name, torch.float64).logits(ids) - logits).abs().max())
    demand(exact < TOLERANCE / 2, f"{name}: fp32 is {exact:.1e} from fp64")
    return f"least effect of a tensor {least:.2f}; {exact:.1e} from fp64"


def self_check_smollm2(folder, reference):
    """No greedy text of the test hangs on a rounding, and `continued` gives back what transformers generates."""
    gaps = []
    for b, ids in enumerate(smollm2_prompts(reference)):
        text, gap = reference.greedy(ids, 64)
        gaps.append(gap)
        same_text(f"continued prompt {b}", reference, [text], [reference.continued(ids, text, 64)[0]])
    at = gaps.index(min(gaps))
    demand(gaps[at] >= CLEAR, f"{folder}: prompt {at}: the best logits are as close as {gaps[at]:.1e}: take another prompt")
    return f"least gap of {len(gaps)} greedy texts {min(gaps):.1e}"


def checks_of(arguments, program, root):
    """(name, check, arguments) in order."""
    maker = llm_cases.tiny_maker()
    if arguments.self_check:
        for name in llm_cases.TINY:
            yield f"self-check {name}", self_check_tiny, (maker, root, name)
    elif arguments.models == "tiny":
        for name in llm_cases.TINY:
            yield f"layers {name}", check_tiny, (program, maker, root, name)
        for name in ("llama-tied", "qwen2-untied", "qwen3-yarn"):
            yield f"batch {name}", check_batch, (program, maker, root, name)
            yield f"generation {name}", check_generation, (program, maker, root, name)
        for name in DAMAGE:
            yield f"damage {name}", check_notices, (program, maker, root, name)
    if arguments.self_check or arguments.models == "smollm2":
        folder = llm_cases.smollm2()
        reference = Reference(folder)
        if arguments.self_check:
            yield "self-check smollm2", self_check_smollm2, (folder, reference)
        else:
            for check in (check_smollm2_layers, check_smollm2_long, check_smollm2_text):
                yield check.__name__.removeprefix("check_"), check, (program, folder, reference)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="?", type=pathlib.Path, help="the folder of dump_llm and relmpi-eval")
    parser.add_argument("--models", choices=("tiny", "smollm2"), default="tiny")
    parser.add_argument("--only", default="", metavar="WORDS", help="only checks with one of these in their name, comma-separated")
    parser.add_argument("--self-check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.self_check and not (arguments.programs and (arguments.programs / "dump_llm").exists()):
        parser.error("the folder that holds dump_llm is needed, or --self-check")
    torch.set_num_threads(THREADS)
    failed = ran = 0
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        program = None if arguments.self_check else Program(arguments.programs.resolve(), root)
        try:
            for name, check, values in checks_of(arguments, program, root):
                if not any(word in name for word in arguments.only.split(",")):
                    continue
                start, ran = time.monotonic(), ran + 1
                try:
                    print(f"ok    {name}: {check(*values)} ({time.monotonic() - start:.1f} s)", flush=True)
                except Mismatch as mismatch:
                    failed += 1
                    print(f"FAIL  {name}: {mismatch}", flush=True)
                for path in root.glob("*.safetensors"):
                    path.unlink()
        except llm_cases.Unavailable as reason:
            print(f"skipped: {reason}")
            return 77 if not ran else int(failed > 0)
    print(f"{ran} checks, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
