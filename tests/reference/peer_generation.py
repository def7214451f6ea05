#!/usr/bin/env python3
"""How fast other engines generate on a CPU: what `scripts/llm-bench --peers` measures relmpi against.

  peer_generation.py --engine openvino|llama.cpp --model FILE.gguf --dtype fp32|bf16 --threads N

Reads a line {"prompt":tokens,"new":tokens,"batch":sequences,"seed":n} at a time and answers each with a line
{"way":..,"prefill_tokens_per_s":x,"decode_tokens_per_s":x,"ttft_s":x}, as plain_generation.py does; all by the wall clock,
the first token and the rest apart. Greedy, no stop before `new` tokens. A seed gives other ids: an engine may keep what a
prompt left behind.

OpenVINO GenAI computes in fp32 or with its bf16 hint, whatever the file holds; llama.cpp computes in what the file holds.
Runs in a virtual environment of its own, with openvino-genai, xllamacpp and numpy.
"""

import argparse
import json
import sys
import threading
import time

import numpy


def seconds_since(begin):
    return time.perf_counter() - begin


class OpenVino:
    def __init__(self, arguments):
        import openvino
        import openvino_genai

        self.genai, self.tensor = openvino_genai, openvino.Tensor
        hint = {"fp32": "f32", "bf16": "bf16"}[arguments.dtype]
        self.way = f"OpenVINO GenAI {openvino_genai.__version__}, {hint}"
        self.pipeline = openvino_genai.LLMPipeline(
            arguments.model, "CPU", INFERENCE_PRECISION_HINT=hint, INFERENCE_NUM_THREADS=arguments.threads)

    def generate(self, ids, new_tokens):
        config = self.genai.GenerationConfig(max_new_tokens=new_tokens, ignore_eos=True, do_sample=False)
        inputs = self.genai.TokenizedInputs(self.tensor(ids), self.tensor(numpy.ones_like(ids)))
        begin = time.perf_counter()
        self.pipeline.generate(inputs, config)
        return seconds_since(begin)

    def measure(self, make_ids, new_tokens):
        """The first token's time and that of all: two runs, since several texts cannot be watched token by token."""
        return self.generate(make_ids(0), 1), self.generate(make_ids(1), new_tokens)


class LlamaCpp:
    def __init__(self, arguments):
        import xllamacpp

        self.way = f"llama.cpp (xllamacpp {xllamacpp.__version__})"
        parameters = xllamacpp.CommonParams()
        parameters.model.path = arguments.model
        parameters.n_ctx = arguments.texts * arguments.context
        parameters.n_parallel = arguments.texts
        parameters.n_gpu_layers = 0
        parameters.cache_prompt = False
        parameters.verbosity = -1
        for part in (parameters.cpuparams, parameters.cpuparams_batch):
            part.n_threads = arguments.threads
        self.server = xllamacpp.Server(parameters)

    def generate(self, ids, new_tokens):
        """Seconds to the first token of the last text, and to the last of all."""
        begin = time.perf_counter()
        firsts, errors = [], []

        def one(row):
            seen = []

            def take(chunk):
                if "error" in chunk:
                    errors.append(chunk)
                seen.append(seconds_since(begin))
                return False

            request = {"prompt": row.tolist(), "n_predict": new_tokens, "temperature": 0, "ignore_eos": True,
                       "cache_prompt": False, "stream": True, "return_tokens": True}
            self.server.handle_completions(request, take)
            firsts.append(seen[0])

        threads = [threading.Thread(target=one, args=(row,)) for row in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise RuntimeError(f"llama.cpp: {errors[0]}")
        return max(firsts), seconds_since(begin)

    def measure(self, make_ids, new_tokens):
        return self.generate(make_ids(0), new_tokens)


ENGINES = {"openvino": OpenVino, "llama.cpp": LlamaCpp}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--model", required=True, metavar="FILE.gguf")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=8, help="most texts at a time, for llama.cpp (default 8)")
    parser.add_argument("--context", type=int, default=2304, help="most tokens of a text, for llama.cpp (default 2304)")
    arguments = parser.parse_args()
    engine = ENGINES[arguments.engine](arguments)
    for line in sys.stdin:
        shape = json.loads(line)
        length, new_tokens, texts = shape["prompt"], shape["new"], shape["batch"]

        def make_ids(run):
            random = numpy.random.default_rng([shape["seed"], run, length, texts])
            return random.integers(1000, 40000, (texts, length))

        first, whole = engine.measure(make_ids, new_tokens)
        print(json.dumps({
            "way": engine.way,
            "ttft_s": first,
            "prefill_tokens_per_s": texts * length / first,
            "decode_tokens_per_s": texts * (new_tokens - 1) / (whole - first),
        }), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
