#!/usr/bin/env python3
"""A training step of DGCA-ReLM as a good PyTorch engineer writes it: the stronger one of the two that `scripts/bench`
compares relmpi with.

Like plain_step.py, whose model and arithmetic it has, but: rows of like lengths from a sorted pool, padded to the longest
of the batch; heads at loss positions alone; probabilities of the answer alone, from a loss that keeps the logits in their
own type and no copy; candidates gathered at the characters alone; no wait for the device inside a step; fused AdamW.

  strong_step.py --model FOLDER --pairs FILE --batch 16 --precision bf16 --threads 2 --steps 4 --warmup 1 [--compile]

Prints {"ms":[...],"cpu_ms":mean,"sentences":n,"loss":[...],"peak_rss":bytes}, and on a GPU peak_memory.
"""

import random
import sys

import torch
from torch import nn
from torch.nn import functional

from plain_step import EPSILON, PlainCorrector
from step_timing import Training, draw_masks, measure, parser, read_border, read_rows, read_vocabulary, start

POOL = 50  # batches whose rows are sorted together
CHUNK = 64  # rows whose softmax is in memory at once


class TokenNll(torch.autograd.Function):
    """-log softmax(logits)[label] of each row, (N, V) and (N) -> (N) in float32. Keeps the logits as they are."""

    @staticmethod
    def forward(ctx, logits, labels):
        logsumexp = torch.cat([part.float().logsumexp(-1) for part in logits.split(CHUNK)])
        ctx.save_for_backward(logits, labels, logsumexp)
        return logsumexp - logits.gather(1, labels.unsqueeze(1)).squeeze(1).float()

    @staticmethod
    def backward(ctx, weight):
        logits, labels, logsumexp = ctx.saved_tensors
        grad = torch.empty_like(logits)
        for out, part, lse, w in zip(*(t.split(CHUNK) for t in (grad, logits, logsumexp, weight))):
            out.copy_((part.float() - lse.unsqueeze(1)).exp_().mul_(w.unsqueeze(1)))
        grad.scatter_add_(1, labels.unsqueeze(1), -weight.unsqueeze(1).to(grad.dtype))
        return grad, None


def mean(total, count):
    return total / count.clamp(min=1)


class StrongCorrector(PlainCorrector):
    def token_nll(self, hidden, labels):
        if hidden.shape[0] == 0:
            return hidden.new_zeros(0, dtype=torch.float)
        logits = self.bert.cls(hidden)
        if torch.compiler.is_compiling():  # the compiler fuses this one
            return functional.cross_entropy(logits.float(), labels, reduction="none")
        return TokenNll.apply(logits, labels)

    def encode(self, batch):
        """(B * S, H)"""
        words = self.bert.bert.embeddings.word_embeddings(batch["input_ids"])
        shape = words.shape
        words = words.flatten(0, 1).index_copy(0, batch["prompt_slots"], self.prompts()[batch["prompt_index"]])
        hidden = self.bert.bert(inputs_embeds=words.view(shape), attention_mask=batch["attention_mask"])
        return hidden.last_hidden_state.flatten(0, 1)

    def candidate_weights(self, target, batch):
        """(N, K) probabilities of the candidates, 0 where there are none; and the candidates."""
        candidates = self.table[batch["source"]]
        embeddings = self.bert.bert.embeddings.word_embeddings(candidates.clamp(min=0))
        query = self.dropout(torch.tanh(self.candidate_dense(target)))
        scores = torch.bmm(embeddings, query.unsqueeze(2).to(embeddings.dtype)).squeeze(2).float()
        listed = (candidates >= 0) & ~batch["masked"].unsqueeze(1)
        return torch.softmax(scores.masked_fill(~listed, -1e30), -1) * listed, candidates

    def forward(self, batch):
        hidden = self.encode(batch)
        source, target = hidden[batch["source_slots"]], hidden[batch["target_slots"]]  # (N, H)
        d_logits = self.detect(source)
        weights, candidates = self.candidate_weights(target, batch)
        with_d = torch.cat([target, torch.sigmoid(d_logits).unsqueeze(1).to(target.dtype)], 1)
        listed = (candidates >= 0) & ~batch["masked"].unsqueeze(1)
        alpha = torch.sigmoid(self.gate(with_d)).squeeze(1).float() * listed.any(1)
        labels, masked_rows = batch["labels"], batch["masked_rows"]
        both = torch.cat([labels, labels[masked_rows]])
        nll, masked_nll = self.token_nll(torch.cat([target, source[masked_rows]]), both).split(
            [len(labels), len(masked_rows)]
        )
        return self.collapsed_losses(batch, (weights, candidates, listed), alpha, d_logits, nll, masked_nll)

    @staticmethod
    def collapsed_losses(batch, heads, alpha, d_logits, nll, masked_nll):
        weights, candidates, listed = heads
        labels, wrong = batch["labels"], batch["wrong"]
        is_answer = listed & (candidates == labels.unsqueeze(1))
        answer = (weights * is_answer).sum(1)
        p = (1 - alpha) * torch.exp(-nll) + alpha * answer
        importance = torch.where(wrong, 3.0, 1.0)
        at_target = (importance * -torch.log(p + EPSILON)).sum()
        at_source = -torch.log(torch.exp(-masked_nll) + EPSILON).sum()  # a masked character is right: importance 1
        correction = (at_target + at_source) / (len(nll) + len(masked_nll))
        detection = functional.binary_cross_entropy_with_logits(
            d_logits.float(), wrong.float(), pos_weight=importance.new_tensor(3.0)
        )
        ranked = is_answer.any(1)
        rank = (torch.relu(0.5 - answer.unsqueeze(1) + weights) * (listed & ~is_answer)).sum(1)
        rank = mean((rank * ranked).sum(), ranked.sum())
        return correction + detection + 0.5 * rank + masked_nll.sum() / max(1, len(masked_nll))


def make_batch(rows, masks, border, ids):
    """Tensors of a batch: slots (B, S), and what the heads need of each of the N characters."""
    longest = max(len(source) for source, _ in rows)
    width = 2 * border + 2 * longest
    input_ids, attended, prompt_slots, source_slots = [], [], [], []
    for b, ((source, _), masked) in enumerate(zip(rows, masks)):
        n = len(source)
        shown = [ids["[MASK]"] if hidden else x for x, hidden in zip(source, masked)]
        row = [ids["[CLS]"]] * border + shown + [ids["[SEP]"]] * border + [ids["[MASK]"]] * n
        input_ids.append(row + [0] * (width - len(row)))
        attended.append([1] * len(row) + [0] * (width - len(row)))
        begin = b * width
        prompt_slots += [*range(begin, begin + border), *range(begin + border + n, begin + 2 * border + n)]
        source_slots += range(begin + border, begin + border + n)
    source = torch.tensor([x for row, _ in rows for x in row])
    labels = torch.tensor([y for _, row in rows for y in row])
    masked = torch.tensor([hidden for row in masks for hidden in row])
    lengths = torch.tensor([len(row) for row, _ in rows])
    source_slots = torch.tensor(source_slots)
    padded = any(len(row) < longest for row, _ in rows)
    return {
        "input_ids": torch.tensor(input_ids),
        "attention_mask": torch.tensor(attended) if padded else None,
        "prompt_slots": torch.tensor(prompt_slots),
        "prompt_index": torch.arange(2 * border).repeat(len(rows)),
        "source_slots": source_slots,
        "target_slots": source_slots + (border + lengths).repeat_interleave(lengths),
        "source": source,
        "labels": labels,
        "wrong": source != labels,
        "masked": masked,
        "masked_rows": masked.nonzero().squeeze(1),
    }


def batches(rows, size, border, ids, pinned):
    """Batches without end: rows shuffled, sorted by length within a pool, the pool's batches shuffled."""
    order, generator = random.Random(1), torch.Generator().manual_seed(2)
    rows = list(rows)
    while True:
        order.shuffle(rows)
        for begin in range(0, len(rows), POOL * size):
            pool = sorted(rows[begin : begin + POOL * size], key=lambda row: len(row[0]))
            parts = [pool[i : i + size] for i in range(0, len(pool), size)]
            order.shuffle(parts)
            for part in parts:
                batch = make_batch(part, draw_masks(part, generator), border, ids)
                yield {k: v.pin_memory() if pinned and v is not None else v for k, v in batch.items()}


def main():
    options = parser(__doc__)
    options.add_argument("--compile", action="store_true", help="with torch.compile, for any shape")
    arguments = options.parse_args()
    start(arguments)
    ids, border = read_vocabulary(arguments.model), read_border(arguments.model)
    rows = read_rows(arguments.pairs, ids, (arguments.max_length - 2 * border) // 2)
    model = StrongCorrector(arguments.model).to(arguments.device).train()
    forward = torch.compile(model, dynamic=True) if arguments.compile else model
    training = Training(model, forward, arguments, fused=True)
    measure(training, batches(rows, arguments.batch, border, ids, arguments.device == "cuda"), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
