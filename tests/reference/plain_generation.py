#!/usr/bin/env python3
"""How fast transformers generates: what `scripts/llm-bench` measures relmpi against.

  plain_generation.py --model FOLDER --dtype fp32|bf16|fp16 --threads N [--device cuda] [--compile]

Reads a line {"prompt":tokens,"new":tokens,"batch":sequences,"best":field,"seed":of the ids} at a time and answers each with a line
{"way":..,"prefill_tokens_per_s":x,"decode_tokens_per_s":x,"ttft_s":x,"tried":{way:x}}. Of the ways
below, the one measured is that whose `best` (prefill_tokens_per_s or decode_tokens_per_s) is greatest when each is tried
twice, at the first line of a shape.
--compile adds one: the loop over a static cache with the decoding step compiled, on a GPU as a CUDA graph.
Greedy, sdpa attention, inference mode, the head at the last prompt position only, no stop before `new` tokens.
"""

import argparse
import functools
import json
import os
import sys
import time

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}

import torch
from transformers import AutoModelForCausalLM, DynamicCache, StaticCache, StoppingCriteria, StoppingCriteriaList

TRIAL_TOKENS = 16


def wait_for(tensor):
    """Until it is there: on a GPU a call returns before its work is done."""
    if tensor.is_cuda:
        torch.cuda.synchronize()


class Clock(StoppingCriteria):
    """Never stops; notes when each new token is there."""

    def __init__(self):
        self.times = []

    def __call__(self, input_ids, scores, **_):
        wait_for(input_ids)
        self.times.append(time.perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def by_generate(model, ids, new_tokens, capacity):
    clock = Clock()
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        min_new_tokens=new_tokens,
        max_new_tokens=new_tokens,
        stopping_criteria=StoppingCriteriaList([clock]),
    )
    return clock.times


def by_loop(model, ids, new_tokens, cache, decode=None):
    """As few operations around the model as can be."""
    times = []
    length = ids.shape[1]
    step = ids
    for i in range(new_tokens):
        position = torch.arange(length, device=ids.device) if i == 0 else position[-1:] + 1
        out = (model if i == 0 or not decode else decode)(step, past_key_values=cache, cache_position=position, use_cache=True, logits_to_keep=1)
        step = out.logits[:, -1].argmax(-1, keepdim=True)
        wait_for(step)
        times.append(time.perf_counter())
    return times


def by_dynamic_cache(model, ids, new_tokens, capacity):
    return by_loop(model, ids, new_tokens, DynamicCache(config=model.config))


def by_static_cache(model, ids, new_tokens, capacity):
    return by_loop(model, ids, new_tokens, StaticCache(config=model.config, max_cache_len=capacity))


@functools.cache
def compiled(model):
    return torch.compile(model.forward, mode="reduce-overhead")


@functools.cache
def kept_cache(model, batch, capacity):
    """One for all rounds of a shape: a CUDA graph holds its addresses."""
    return StaticCache(config=model.config, max_cache_len=capacity)


def by_compiled_step(model, ids, new_tokens, capacity):
    cache = kept_cache(model, len(ids), capacity)
    if cache.is_initialized:
        cache.reset()
    return by_loop(model, ids, new_tokens, cache, compiled(model))


WAYS = {"generate": by_generate, "loop, DynamicCache": by_dynamic_cache, "loop, StaticCache": by_static_cache}


def measure(model, way, prompt, new_tokens, batch, capacity, seed):
    ids = torch.randint(model.config.vocab_size, (batch, prompt), generator=torch.Generator().manual_seed(seed))
    ids = ids.to(model.device)
    wait_for(ids)
    begin = time.perf_counter()
    times = WAYS[way](model, ids, new_tokens, capacity)
    first = times[0] - begin
    return {
        "way": way,
        "ttft_s": first,
        "prefill_tokens_per_s": batch * prompt / first,
        "decode_tokens_per_s": batch * (new_tokens - 1) / (times[-1] - times[0]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", choices=("fp32", "bf16", "fp16"), required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compile", action="store_true", help="try the compiled step too")
    arguments = parser.parse_args()
    if arguments.compile:
        WAYS["loop, StaticCache, compiled"] = by_compiled_step
    torch.set_num_threads(arguments.threads)
    model = AutoModelForCausalLM.from_pretrained(
        arguments.model,
        dtype={"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[arguments.dtype],
        attn_implementation="sdpa",
        local_files_only=True,
    ).eval().to(arguments.device)
    best = {}
    for line in sys.stdin:
        shape = json.loads(line)
        key = (shape["prompt"], shape["batch"], shape["new"])
        capacity = shape["prompt"] + shape["new"]
        with torch.inference_mode():
            if key not in best:
                tried = {way: 0.0 for way in WAYS}
                for way in [*WAYS, *WAYS]:
                    found = measure(model, way, shape["prompt"], min(TRIAL_TOKENS, shape["new"]), shape["batch"], capacity, shape.get("seed", 1))
                    tried[way] = max(tried[way], found[shape["best"]])
                best[key] = max(tried, key=tried.get), tried
            way, tried = best[key]
            answer = measure(model, way, shape["prompt"], shape["new"], shape["batch"], capacity, shape.get("seed", 1))
        print(json.dumps(answer | {"tried": tried}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
