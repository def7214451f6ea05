"""Synthetic records of a run for the tests of scripts/report.py."""

import json
import math
import random

ENVIRONMENT = {
    "size": 2,
    "backend": "mpi",
    "launcher": "mpirun",
    "devices": [],
    "ranks": [{"rank": rank, "host": "node-1", "device": "cpu", "threads": 1} for rank in range(2)],
    "versions": {"libtorch": "2.11.0", "mpi": "Open MPI v4.1.4, package: Debian OpenMPI\u0000", "cuda_driver": None},
}


def write_run(folder, steps=800, mixture=0):
    """A folder as relmpi-train leaves it, with a resumed stretch and a last line cut short. The gated mixture, and with
    it the auxiliary loss, begins at step `mixture`."""
    folder.mkdir(parents=True)
    numbers = random.Random(1)
    lines = []
    for step in [*range(10, steps // 2 + 50, 10), *range(steps // 2, steps + 1, 10)]:
        decay = math.exp(-step / 250)
        parts = {
            "correction": 0.25 + 4.5 * decay,
            "detection": 0.12 + 0.6 * decay,
            "rank": 0.1 + 2.0 * decay,
            "aux": 0.9 + 4.0 * decay if step >= mixture else 0.0,
        }
        parts = {name: value * math.exp(numbers.gauss(0, 0.08)) for name, value in parts.items()}
        row = {
            "step": step,
            "epoch": step // 300,
            "loss": parts["correction"] + parts["detection"] + parts["rank"] / 2 + parts["aux"],
            **parts,
            "lr": 1e-3,
            "grad_norm": numbers.uniform(0.5, 2),
            "loss_scale": 1.0,
            "samples_per_s": numbers.gauss(300, 9),
            "tokens_per_s": numbers.gauss(13000, 300),
            "step_ms": numbers.gauss(210, 5),
            "data_wait_ms": 0.2,
            "comm_wait_ms": 3.1,
            "skipped_steps": 0,
        }
        lines.append(json.dumps(row))
        if step % 100 == 0:
            f1 = 0.65 * (1 - math.exp(-step / 250)) - (0.02 if step > 700 else 0)
            lines.append(
                json.dumps(
                    {
                        "step": step,
                        "evaluation": {
                            "loss": 1.0,
                            "precision": f1 + 0.04,
                            "recall": f1 - 0.03,
                            "f1": f1,
                            "f2": f1,
                            "fpr": 0.1,
                            "wpr": 0.2,
                        },
                    }
                )
            )
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9')
    (folder / "config.toml").write_text("[train]\nlr = 0.002\n# <not> a tag & not an entity\n")
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (folder / "log.txt").write_text(
        "2026-01-02 03:04:05 info: 11272 sentences, 301110 characters; 4413839 parameters; bf16 on 2 ranks\n"
        "2026-01-02 03:06:05 info: step 800: loss 1.2\n"
    )
    return folder


def strategies(difference=-0.002, p=0.71):
    numbers = random.Random(2)
    policies = []

    def add(name, accuracy, tokens, iterations):
        policies.append(
            {
                "name": name,
                "items": 1447,
                "accuracy": accuracy,
                "accuracy_ci": [accuracy - 0.023, accuracy + 0.023],
                "cost_tokens": tokens,
                "cost_ms": tokens / 20,
                "iterations": iterations,
                "retrievals": iterations,
                "reasons": 0.5,
            }
        )

    add("mdp", 0.668 + difference, 71.0, 1.13)
    for k, accuracy in enumerate((0.52, 0.655, 0.668, 0.668, 0.6675, 0.667, 0.667, 0.667, 0.667)):
        add(f"fixed-{k}", accuracy, 60.0 * (k + 1), k + 1)
    for name, accuracy, tokens in (
        ("always-retrieve", 0.664, 520),
        ("always-reason", 0.53, 500),
        ("random", 0.60, 72),
        ("threshold", 0.665, 74),
        ("oracle", 0.694, 66),
    ):
        add(name, accuracy, tokens, tokens / 60)
    rows = []
    for item in range(600):
        u = min(1, max(0, numbers.betavariate(3, 1.5)))
        rows.append(
            {
                "policy": "mdp",
                "item": item,
                "correct": int(numbers.random() < u**1.3),
                "iterations": 1,
                "retrievals": 1,
                "reasons": 0,
                "cost_tokens": 60,
                "history": [{"action": "retrieve", "u_before": 0.2, "u_after": u, "cost_tokens": 60}],
            }
        )
    for policy in policies[1:10]:
        for item in range(600):
            right = int(numbers.random() < policy["accuracy"])
            rows.append(
                {"policy": policy["name"], "item": item, "correct": right, "cost_tokens": policy["cost_tokens"]}
            )
    comparisons = [
        {
            "a": "mdp",
            "b": policy["name"],
            "only_a": 12,
            "only_b": 15,
            "p": p / 14,
            "p_holm": p,
            "accuracy_difference": policies[0]["accuracy"] - policy["accuracy"],
            "difference_ci": [
                policies[0]["accuracy"] - policy["accuracy"] - 0.008,
                policies[0]["accuracy"] - policy["accuracy"] + 0.008,
            ],
            "cost_ratio": 71.0 / policy["cost_tokens"],
        }
        for policy in policies[1:]
    ]
    return {
        "header": {"environment": "csc", "seed": 1},
        "policies": policies,
        "comparisons": comparisons,
        "pareto": ["fixed-0", "oracle"],
        "calibration": {"ece": 0.031, "auroc": 0.87},
        "rows": rows,
    }


CSC = {
    "sentences": 1447,
    "correction": {
        "precision": 0.668,
        "recall": 0.631,
        "f1": 0.649,
        "f2": 0.638,
        "fpr": 0.137,
        "wpr": 0.2,
        "tp": 1,
        "fp": 1,
        "fn": 1,
        "wp": 1,
    },
    "detection": {"precision": 0.73, "recall": 0.69, "f1": 0.709, "f2": 0.7, "fpr": 0.137, "wpr": 0.1},
    "tokens": 1,
    "seconds": 1.0,
}
