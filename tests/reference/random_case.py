"""Small random models and batches, made to catch what is easy to forget: biases and norms that are not their initial
values, candidate rows that are empty, short or lack the answer, rows of different lengths, special ids out of order."""

import json
import math
import pathlib

import torch

from safetensors_file import write_safetensors

SPECIAL = ["[PAD]", "[UNK]", "[SEP]", "[MASK]", "[CLS]"]  # not BERT's order: ids must come from vocab.txt
VOCABULARY = 60

BERT = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.02,
    "pad_token_id": 0,
}
DGCA = {
    "prompt_length": 3,
    "candidates": 6,
    "max_length": 64,
    "positions": "sequential",
    "layer_norm": "post",
    "ablation": "full",
    "output": "mixture",
    "candidate_source": "source",
    "dropout": 0.0,
}


def parameter_shapes(config):
    """name -> shape of every tensor that a model of this configuration has."""
    h, f, v, p = (
        config["hidden_size"],
        config["intermediate_size"],
        config["vocab_size"],
        config["dgca"]["prompt_length"],
    )
    shapes = {}

    def linear(name, out, into):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, into), (out,)

    def norm(name):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (h,), (h,)

    for kind, count in (
        ("word", v),
        ("position", config["max_position_embeddings"]),
        ("token_type", config["type_vocab_size"]),
    ):
        shapes[f"bert.embeddings.{kind}_embeddings.weight"] = (count, h)
    norm("bert.embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"bert.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{name}.attention.{part}", h, h)
        norm(f"{name}.attention.output.LayerNorm")
        linear(f"{name}.intermediate.dense", f, h)
        linear(f"{name}.output.dense", h, f)
        norm(f"{name}.output.LayerNorm")
    shapes["cls.predictions.bias"] = (v,)
    linear("cls.predictions.transform.dense", h, h)
    norm("cls.predictions.transform.LayerNorm")
    if config["dgca"]["layer_norm"] == "pre":
        norm("dgca.final_norm")
    if p:
        shapes["dgca.prompt.embeddings.weight"] = (2 * p, h)
        for layer, into in ((0, h), (1, 2 * h)):
            for suffix in (f"l{layer}", f"l{layer}_reverse"):
                shapes[f"dgca.prompt.lstm.weight_ih_{suffix}"] = (4 * h, into)
                shapes[f"dgca.prompt.lstm.weight_hh_{suffix}"] = (4 * h, h)
                shapes[f"dgca.prompt.lstm.bias_ih_{suffix}"] = shapes[f"dgca.prompt.lstm.bias_hh_{suffix}"] = (4 * h,)
        linear("dgca.prompt.mlp.0", h, 2 * h)
        linear("dgca.prompt.mlp.2", h, h)
    if config["dgca"]["ablation"] in ("full", "detector-only"):
        linear("dgca.detector.dense", h, h)
        linear("dgca.detector.classifier", 1, h)
    if config["dgca"]["ablation"] in ("full", "candidate-only"):
        linear("dgca.candidate.dense", h, h)
        linear("dgca.gate", 1, h + 1)
    return shapes


def random_candidates(generator, width):
    """(V, K) int32: the character itself first, then others; every fifth row empty, some short, some without itself."""
    table = torch.full((VOCABULARY, width), -1, dtype=torch.int32)
    for x in range(VOCABULARY):
        if x >= len(SPECIAL) and x % 5 == 0:
            continue
        count = int(torch.randint(1, width + 1, (1,), generator=generator))
        others = [c for c in torch.randperm(VOCABULARY, generator=generator).tolist() if c != x and c >= len(SPECIAL)]
        row = ([x] + others if x % 4 else others)[:count]
        table[x, : len(row)] = torch.tensor(row, dtype=torch.int32)
    # What the as-published variant looks up is the row of [MASK]: full, so that answers occur in it.
    table[SPECIAL.index("[MASK]")] = torch.arange(len(SPECIAL), len(SPECIAL) + width, dtype=torch.int32)
    return table


def write_random_model(folder, seed, **dgca):
    """config.json, vocab.txt and model.safetensors (float32). Returns the configuration."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = BERT | {"dgca": DGCA | dgca}
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in parameter_shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        if "LayerNorm.weight" in name or "norm.weight" in name:
            tensors[name] = 1 + 0.2 * noise
        elif len(shape) == 2 and "embeddings" not in name:
            tensors[name] = noise * (1.0 / math.sqrt(shape[1]))
        else:
            tensors[name] = 0.3 * noise
    if config["dgca"]["ablation"] in ("full", "candidate-only"):
        tensors["dgca.gate.weight"][0, -1] = 1.5  # the detector's say must be visible
    tensors["dgca.candidates"] = random_candidates(generator, config["dgca"]["candidates"])
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    characters = [chr(0x4E00 + i) for i in range(VOCABULARY - len(SPECIAL))]
    (folder / "vocab.txt").write_bytes("".join(f"{token}\n" for token in SPECIAL + characters).encode())
    return config


def random_batch(seed, candidates, rows=4, longest=11, mask_rate=0.3, error_rate=0.3):
    """{"source", "target", "masked"}: ragged lists. The answer is often a candidate of the source, but not always."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def below(bound):
        return int(torch.randint(bound, (1,), generator=generator))

    def chance(rate):
        return float(torch.rand((), generator=generator)) < rate

    batch = {"source": [], "target": [], "masked": []}
    for row in range(rows):
        n = longest if row == 1 else 1 + below(longest)  # the longest is not row 0: its layout must not serve for all
        source = [len(SPECIAL) + below(VOCABULARY - len(SPECIAL)) for _ in range(n)]
        target = []
        for x in source:
            options = [c for c in candidates[x].tolist() if c >= 0 and c != x]
            y = x
            if chance(error_rate):
                listed = options and not chance(0.3)
                y = options[below(len(options))] if listed else len(SPECIAL) + below(VOCABULARY - len(SPECIAL))
            target.append(y)
        batch["source"].append(source)
        batch["target"].append(target)
        batch["masked"].append([int(chance(mask_rate)) for _ in range(n)])
    return batch
