"""Are our device maps Accelerate's? Runs Accelerate's own get_balanced_memory and infer_auto_device_map on models without
weights (Llama, Qwen2 and Qwen3 as transformers builds them) and on random trees of modules, and compares limits and maps.

  placement_parity.py --cases build/release/bin/plan_cases --doctor build/release/bin/relmpi-doctor [--seed 6]
"""

import argparse
import collections
import json
import logging
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

SKIPPED = 77
GIB = 1 << 30
BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
STRATEGIES = ["auto", "balanced", "balanced_low_0", "sequential"]
# What Accelerate stumbles over, and what we say then.
ERRORS = {"IndexError": "the tied tensors", "KeyError": "balanced_low_0 counts the GPUs from 0"}

# Published shapes: layers, hidden, intermediate, heads, key and value heads, vocabulary, tied embeddings.
QWEN3 = {"0.6B": (28, 1024, 3072, 16, 8, 151936, True), "1.7B": (28, 2048, 6144, 16, 8, 151936, True),
         "4B": (36, 2560, 9728, 32, 8, 151936, True), "8B": (36, 4096, 12288, 32, 8, 151936, False)}
QWEN25 = {"0.5B": (24, 896, 4864, 14, 2, 151936, True), "1.5B": (28, 1536, 8960, 12, 2, 151936, True),
          "3B": (36, 2048, 11008, 16, 2, 151936, True), "7B": (28, 3584, 18944, 28, 4, 152064, False),
          "14B": (48, 5120, 13824, 40, 8, 152064, False), "32B": (64, 5120, 27648, 40, 8, 152064, False)}
LLAMA = {"SmolLM2-135M": (30, 576, 1536, 9, 3, 49152, True), "SmolLM2-360M": (32, 960, 2560, 15, 5, 49152, True),
         "SmolLM2-1.7B": (24, 2048, 8192, 32, 32, 49152, True), "Llama-3-8B": (32, 4096, 14336, 32, 8, 128256, False)}


def config_of(model_type, shape, **more):
    layers, hidden, inner, heads, kv_heads, vocabulary, tied = shape
    return {"model_type": model_type, "num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": inner,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": vocabulary,
            "tie_word_embeddings": tied, **more}


def all_configs(draw):
    configs = {f"Qwen3-{name}": config_of("qwen3", shape, head_dim=128) for name, shape in QWEN3.items()}
    configs |= {f"Qwen2.5-{name}": config_of("qwen2", shape) for name, shape in QWEN25.items()}
    configs |= {name: config_of("llama", shape) for name, shape in LLAMA.items()}
    for index in range(24):
        kv_heads = draw.choice([1, 2, 4])
        shape = (draw.randint(1, 12), 2 * draw.randint(4, 64), draw.randint(8, 256), kv_heads * draw.choice([1, 2, 4]),
                 kv_heads, draw.choice([17, 300, 5000]), draw.random() < 0.5)
        more = {"head_dim": 2 * draw.randint(2, 16)}
        if draw.random() < 0.5:
            more |= {"attention_bias": True, "mlp_bias": True}
        configs[f"tiny-{index}"] = config_of(draw.choice(["llama", "qwen2", "qwen3"]), shape, **more)
    return configs


def random_limits(draw, sizes, total):
    """Memory for 0 to 8 GPUs: ample, tight, unequal, tiny, none, or to the byte what some modules take."""
    count = draw.choice([0, 1, 1, 2, 2, 2, 3, 4, 4, 8])
    ids = sorted(draw.sample(range(10), count)) if draw.random() < 0.1 else range(count)
    exact = sorted(set(sizes.values()))

    def one(kind):
        if kind == "ample":
            return draw.choice([24, 40, 80]) * GIB
        if kind == "tight":
            return int(total / max(1, count) * draw.uniform(0.5, 1.6))
        if kind == "tiny":
            return draw.randint(0, max(exact[len(exact) // 2], 1))
        if kind == "zero":
            return 0
        # Sums of parts, one byte less or more: where "fits" and "does not fit" meet.
        return max(0, sum(draw.choices(exact, k=draw.randint(1, 6))) + draw.choice([-1, 0, 0, 0, 1]))

    alike = draw.choice(["ample", "tight", "tight", "tight", "exact", None, None])
    kinds = ["ample", "tight", "tight", "tiny", "zero", "exact"]
    limits = {i: one(alike or draw.choice(kinds)) for i in ids}
    if draw.random() < 0.8:
        limits["cpu"] = one(draw.choice(["ample", "tight", "tiny", "zero", "exact"]))
    return limits


def accelerate_answer(model, strategy, limits, no_split, dtype, utils):
    """Accelerate's limits and map, or the name of the error that it ends with."""
    limits = dict(limits)
    try:
        if strategy != "sequential":
            limits = utils.get_balanced_memory(model, limits, no_split_module_classes=no_split, dtype=dtype,
                                               low_zero=strategy == "balanced_low_0")
        found = utils.infer_auto_device_map(model, max_memory=limits, no_split_module_classes=no_split, dtype=dtype)
    except (IndexError, KeyError) as error:
        return {"error": type(error).__name__}
    sizes = utils.compute_module_sizes(model, dtype=dtype)
    return {"max_memory": {str(k): v for k, v in limits.items()}, "device_map": {k: str(v) for k, v in found.items()},
            "bytes": sizes[""]}


class RandomTree:
    """A module of random classes, tensors and ties, and the same as plan_cases reads it."""

    NAMES = ["a", "b", "head", "lm_head", "a_b", "block", "0", "1", "10"]

    def __init__(self, draw, torch, find_tied_parameters):
        self.draw, self.torch = draw, torch
        self.classes = [type(name, (torch.nn.Module,), {}) for name in "ABCDE"]
        self.parameters = []
        self.by_depth = draw.random() < 0.8  # else names repeat further down, which Accelerate's search trips over
        self.model = self.grow(0)
        self.no_split = draw.sample(["A", "B", "C", "D", "E"], draw.randint(0, 2))
        for _ in range(draw.choice([0, 1, 1, 1, 1, 2])):
            if len(self.parameters) >= 2:
                first, *others = draw.sample(self.parameters, min(len(self.parameters), draw.choice([2, 2, 2, 2, 3])))
                for module, name in others:
                    setattr(module, name, getattr(*first))
        # The order of the groups is that of a set: it holds for this process.
        self.tied = find_tied_parameters(self.model)

    def grow(self, depth):
        draw, module = self.draw, self.draw.choice(self.classes)()
        names = draw.sample(self.NAMES, draw.randint(1, 4) if depth < 3 else 0)
        for name in ["weight", "bias", "scale"][: draw.choice([0, 1, 1, 2, 3]) if names else draw.randint(0, 3)]:
            empty = self.torch.empty(draw.randint(0, 60), device="meta")
            if draw.random() < 0.75:
                module.register_parameter(name, self.torch.nn.Parameter(empty))
                if not names:  # Accelerate cannot place a tied parameter that stands beside modules
                    self.parameters.append((module, name))
            else:
                module.register_buffer(name, empty)
        for name in names:
            module.add_module(f"{name}{'xyz'[depth]}" if self.by_depth else name, self.grow(depth + 1))
        return module

    def question(self, module=None):
        module = self.model if module is None else module
        tensors = [[name, t.numel() * 4, "parameter"] for name, t in module._parameters.items()]
        tensors += [[name, t.numel() * 4, "buffer"] for name, t in module._buffers.items()]
        return {"class": type(module).__name__, "tensors": tensors,
                "children": [[name, self.question(child)] for name, child in module.named_children()]}


def check_modules(name, model, dtype, answer):
    """Names, classes, tensors and ties of our tree are the model's."""
    size = BYTES[dtype]
    expected = []
    for path, module in model.named_modules():
        tensors = [[n, t.numel() * size] for n, t in [*module._parameters.items(), *module._buffers.items()] if t is not None]
        expected.append([path, type(module).__name__, tensors])
    ours = [[path, kind, tensors] for path, kind, tensors in answer["modules"]]
    for a, b in zip(expected, ours):
        if a[1] in ("SiLU", "SiLUActivation"):
            a[1] = b[1]
        assert a == b, f"{name}: expected {a}, got {b}"
    assert len(expected) == len(ours), f"{name}: {len(expected)} modules expected, {len(ours)} found"
    assert answer["no_split"] == model._no_split_modules, name


def ask(program, questions):
    text = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([program], input=text.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(questions), f"{len(questions)} questions, {len(answers)} answers"
    return answers


def ask_doctor(program, question):
    limits = ",".join(f"{name}={value}" for name, value in question["limits"].items())
    done = subprocess.run([program, "plan", "--model-config", question["config"], "--dtype", question["dtype"], "--device-map",
                           question["strategy"], "--max-memory", limits, "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode == 2:
        return {"error": done.stderr.decode()}
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    answer["device_map"] = {prefix: str(place) for prefix, place in answer["device_map"].items()}
    return answer


def same(expected, answer):
    if "error" in expected:
        return ERRORS[expected["error"]] in answer.get("error", "")
    return "error" not in answer and all(expected[part] == answer[part] for part in ("max_memory", "device_map", "bytes"))


def report(differences, expected, answer, question):
    differences.append(question)
    if len(differences) <= 5:
        print(f"{json.dumps(question)[:1000]}\n  expected {json.dumps(expected)[:1500]}\n  got      {json.dumps(answer)[:1500]}")


def decoder_cases(draw, folder, count, utils, transformers, torch):
    """Models, questions about them and Accelerate's answers."""
    models, questions, expected = {}, [], []
    for name, config in all_configs(draw).items():
        path = folder / name
        path.mkdir()
        (path / "config.json").write_text(json.dumps(config))
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(path),
                                                                  dtype=torch.float32)
        model.tie_weights()
        models[name] = model
    fixed = [("Qwen3-8B", {0: 24 * GIB, 1: 24 * GIB, "cpu": 64 * GIB}), ("Qwen3-8B", {0: 10 * GIB, "cpu": 64 * GIB}),
             ("Qwen2.5-32B", {i: 24 * GIB for i in range(4)}), ("Qwen2.5-14B", {0: 10 * GIB, "cpu": 8 * GIB}),
             ("SmolLM2-135M", {0: 24 * GIB}), ("Llama-3-8B", {"cpu": 64 * GIB}), ("Llama-3-8B", {0: 0, 1: 80 * GIB})]
    cases = [(name, dtype, strategy, limits) for name, limits in fixed for dtype in ("bf16", "fp32") for strategy in STRATEGIES]
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    sizes = {}
    names = list(models)
    while len(cases) < count:
        name, dtype = names[len(cases) % len(names)], draw.choice(list(BYTES))
        if (name, dtype) not in sizes:
            sizes[name, dtype] = utils.compute_module_sizes(models[name], dtype=dtypes[dtype])
        limits = random_limits(draw, sizes[name, dtype], sizes[name, dtype][""])
        strategy = draw.choice(STRATEGIES)
        if strategy == "sequential" and draw.random() < 0.2:
            limits["disk"] = draw.choice([0, 5, GIB])  # get_balanced_memory does not take one
        cases.append((name, dtype, strategy, limits))
    for name, dtype, strategy, limits in cases:
        model = models[name]
        questions.append({"config": str(folder / name / "config.json"), "dtype": dtype, "strategy": strategy,
                          "limits": {str(k): v for k, v in limits.items()}})
        expected.append(accelerate_answer(model, strategy, limits, model._no_split_modules, dtypes[dtype], utils))
    return models, questions, expected


def tree_cases(draw, count, utils, torch):
    questions, expected = [], []
    while len(questions) < count:
        tree = RandomTree(draw, torch, utils.find_tied_parameters)
        sizes = utils.compute_module_sizes(tree.model)
        if not sizes:
            continue
        for strategy in STRATEGIES[1:]:
            limits = random_limits(draw, sizes, sizes[""])
            answer = accelerate_answer(tree.model, strategy, limits, tree.no_split, None, utils)
            if answer.get("error") == "IndexError" and draw.random() < 0.8:
                continue  # every fifth tree that cannot be placed is enough
            questions.append({"tree": tree.question(), "tied": tree.tied, "no_split": tree.no_split, "strategy": strategy,
                              "limits": {str(k): v for k, v in limits.items()}})
            expected.append(answer)
    return questions, expected


def summary(expected):
    places = collections.Counter()
    for answer in expected:
        if "error" in answer:
            places["errors"] += 1
            continue
        used = set(answer["device_map"].values())
        places["several GPUs"] += len(used - {"cpu", "disk"}) > 1
        places["cpu"] += "cpu" in used
        places["disk"] += "disk" in used
    return ", ".join(f"{number} with {name}" for name, number in sorted(places.items()))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", type=pathlib.Path, required=True)
    arguments.add_argument("--doctor", type=pathlib.Path)
    arguments.add_argument("--seed", type=int, default=6)
    arguments.add_argument("--decoders", type=int, default=400)
    arguments.add_argument("--trees", type=int, default=1200, help="cases of random trees")
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import accelerate
        import torch
        import transformers
        from accelerate.utils import modeling
    except ImportError as error:
        print(f"skipped: no {error.name} in this Python (scripts/setup installs it)")
        return SKIPPED
    if not accelerate.__version__.startswith("1.15."):
        print(f"skipped: Accelerate {accelerate.__version__}; the rules compared are those of 1.15")
        return SKIPPED
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # "Device 3 is not available": no GPU is needed here
    draw = random.Random(chosen.seed)
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        models, questions, expected = decoder_cases(draw, pathlib.Path(folder), chosen.decoders, modeling, transformers, torch)
        lists = [{"config": f"{folder}/{name}/config.json", "dtype": dtype, "list": True} for name in models
                 for dtype in ("bf16", "fp32")]
        for question, answer in zip(lists, ask(chosen.cases, lists)):
            name = pathlib.Path(question["config"]).parent.name
            check_modules(name, models[name], question["dtype"], answer)
            assert answer["tied"] == modeling.find_tied_parameters(models[name]), name
        for question, wanted, answer in zip(questions, expected, ask(chosen.cases, questions)):
            if not same(wanted, answer):
                report(differences, wanted, answer, question)
        print(f"{len(models)} decoders, {len(questions)} cases: {summary(expected)}")
        commands = 0
        if chosen.doctor:
            for question, wanted in list(zip(questions, expected))[3::31]:  # each takes a second
                if question["limits"]:
                    commands += 1
                    answer = ask_doctor(chosen.doctor, question)
                    if not same(wanted, answer):
                        report(differences, wanted, answer, question)
            print(f"{commands} of them by relmpi-doctor plan")
    tree_questions, tree_expected = tree_cases(draw, chosen.trees, modeling, torch)
    for question, wanted, answer in zip(tree_questions, tree_expected, ask(chosen.cases, tree_questions)):
        if not same(wanted, answer):
            report(differences, wanted, answer, question)
    print(f"{len(tree_questions)} cases of random trees: {summary(tree_expected)}")
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
