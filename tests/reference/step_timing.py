"""What plain_step.py and strong_step.py share: their options, and the loop that trains and times."""

import argparse
import contextlib
import json
import pathlib
import resource
import time

import torch

MFT_RATE = 0.2
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def parser(description):
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--model", required=True)
    found.add_argument("--pairs", required=True)
    found.add_argument("--batch", type=int, default=16)
    found.add_argument("--max-length", type=int, default=128)
    found.add_argument("--precision", choices=tuple(DTYPES), default="fp32")
    found.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    found.add_argument("--threads", type=int, default=2)
    found.add_argument("--steps", type=int, default=4)
    found.add_argument("--warmup", type=int, default=1)
    return found


def start(arguments):
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)


def read_vocabulary(folder):
    tokens = (pathlib.Path(folder) / "vocab.txt").read_bytes().decode().split("\n")
    return {token: i for i, token in enumerate(tokens)}


def read_border(folder):
    """Slots before the source and between source and target."""
    return max(1, json.loads((pathlib.Path(folder) / "config.json").read_text())["dgca"]["prompt_length"])


def read_rows(path, vocabulary, limit):
    """[(source, target)] of ids, of sentences of at most `limit` characters."""
    unknown = vocabulary["[UNK]"]
    rows = []
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        source, target = line.replace(" ", "").split("\t")
        if 0 < len(source) == len(target) <= limit:
            rows.append([[vocabulary.get(c.lower(), unknown) for c in text] for text in (source, target)])
    return rows


def draw_masks(rows, generator):
    """Which right characters are hidden from the model, a list of bools a row."""
    draws = [torch.rand(len(source), generator=generator).tolist() for source, _ in rows]
    return [
        [x == y and draw < MFT_RATE for x, y, draw in zip(source, target, row)]
        for (source, target), row in zip(rows, draws)
    ]


class Memory:
    """The most bytes of tensors since it was made: all of them, and above those that were there (weights, moments)."""

    def __init__(self, device):
        self.on_gpu = device == "cuda"
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
            self.held = torch.cuda.memory_allocated()

    def fields(self):
        found = {"peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if self.on_gpu:
            most = torch.cuda.max_memory_allocated()
            found |= {"max_memory_allocated": most, "peak_memory": most - self.held}
        return found


class Training:
    """A model with its optimizer, loss scale and autocast. `forward(batch)` gives the loss."""

    def __init__(self, model, forward, arguments, fused=False):
        self.model, self.forward, self.device = model, forward, arguments.device
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.01, fused=fused or None)
        self.scaler = torch.amp.GradScaler(arguments.device, enabled=arguments.precision == "fp16")
        low = DTYPES[arguments.precision]
        self.autocast = (lambda: torch.autocast(arguments.device, low)) if low else contextlib.nullcontext

    def step(self, batch):
        batch = {name: self.on_device(value) for name, value in batch.items()}
        with self.autocast():
            loss = self.forward(batch)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return loss.detach()

    def on_device(self, value):
        return value.to(self.device, non_blocking=True) if isinstance(value, torch.Tensor) else value


def measure(training, batches, arguments):
    """Trains on `batches` (without end) and prints the line that scripts/bench reads. Making a batch is not timed."""
    times, losses, sentences, cpu, memory = [], [], 0, 0.0, None
    for number, batch in zip(range(arguments.warmup + arguments.steps), batches):
        if number == arguments.warmup:
            memory = Memory(arguments.device)
        begin, cpu_begin = time.perf_counter(), time.process_time()
        loss = training.step(batch)
        losses.append(loss.item())  # waits for the device
        if arguments.device == "cuda":
            torch.cuda.synchronize()
        if number >= arguments.warmup:
            times.append(1000 * (time.perf_counter() - begin))
            cpu += 1000 * (time.process_time() - cpu_begin)
            sentences += len(batch["input_ids"])
    print(json.dumps({"ms": times, "cpu_ms": cpu / len(times), "sentences": sentences, "loss": losses} | memory.fields()))
