#!/usr/bin/env python3
"""A training step of DGCA-ReLM the way such scripts are commonly written: what `scripts/bench` compares relmpi with.

Hugging Face's BertForMaskedLM, every row padded to the longest length the model takes, the vocabulary head over all
positions, candidates gathered as (B, S, K, H), probabilities mixed as (B, S, V), autocast, clip_grad_norm_, AdamW. The
arithmetic is that of dgca_reference.py (step_parity.py); nothing is slowed down on purpose.

  plain_step.py --model FOLDER --pairs FILE --batch 16 --max-length 128 --precision bf16 --threads 2 --steps 4 --warmup 1

FOLDER is a model that relmpi wrote. Prints {"ms":[...],"cpu_ms":mean,"sentences":n,"loss":[...],"peak_rss":bytes}, and
on a GPU peak_memory.
"""

import pathlib
import sys

import torch
from torch import nn
from transformers import BertForMaskedLM, logging

from safetensors_file import read_safetensors
from step_timing import Training, draw_masks, measure, parser, read_border, read_rows, read_vocabulary, start

EPSILON = 1e-10  # inside the logarithm of the correction loss
OURS = {  # modules and what relmpi calls them
    "prompt_embeddings": "dgca.prompt.embeddings",
    "lstm": "dgca.prompt.lstm",
    "mlp": "dgca.prompt.mlp",
    "detector_dense": "dgca.detector.dense",
    "detector": "dgca.detector.classifier",
    "candidate_dense": "dgca.candidate.dense",
    "gate": "dgca.gate",
}


class PlainCorrector(nn.Module):
    def __init__(self, folder, dropout=0.1):
        super().__init__()
        logging.set_verbosity_error()
        self.bert = BertForMaskedLM.from_pretrained(folder)
        hidden = self.bert.config.hidden_size
        tensors = read_safetensors(pathlib.Path(folder) / "model.safetensors")
        self.register_buffer("table", tensors["dgca.candidates"].long())
        self.prompt_embeddings = nn.Embedding(*tensors["dgca.prompt.embeddings.weight"].shape)
        self.lstm = nn.LSTM(hidden, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.detector_dense, self.detector = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.candidate_dense, self.gate = nn.Linear(hidden, hidden), nn.Linear(hidden + 1, 1)
        self.dropout = nn.Dropout(dropout)
        for module, name in OURS.items():
            start = f"{name}."
            self.get_submodule(module).load_state_dict(
                {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}
            )

    def prompts(self):
        """(2P, H)"""
        states, _ = self.lstm(self.prompt_embeddings.weight.unsqueeze(0))
        return self.mlp(states)[0].float()

    def detect(self, hidden):
        return self.detector(self.dropout(torch.tanh(self.detector_dense(self.dropout(hidden))))).squeeze(-1)

    def forward(self, batch):
        words = self.bert.bert.embeddings.word_embeddings(batch["input_ids"])
        is_prompt = batch["prompt_index"] >= 0
        words = torch.where(is_prompt.unsqueeze(-1), self.prompts()[batch["prompt_index"].clamp(min=0)], words)
        hidden = self.bert.bert(inputs_embeds=words, attention_mask=batch["attention_mask"]).last_hidden_state
        logits = self.bert.cls(hidden)  # (B, S, V)
        d_logits = self.detect(hidden)
        # Of the target slots, aligned: the source character, its candidates, its detector.
        source = batch["target_source_ids"]  # (B, S), 0 off the target slots
        candidates = self.table[source]  # (B, S, K)
        embeddings = self.bert.bert.embeddings.word_embeddings(candidates.clamp(min=0))  # (B, S, K, H)
        query = self.dropout(torch.tanh(self.candidate_dense(hidden)))
        scores = (embeddings * query.unsqueeze(2)).sum(-1).float()
        scores = scores.masked_fill(candidates < 0, -1e30)
        weights = torch.softmax(scores, -1) * (candidates >= 0)
        d = torch.sigmoid(d_logits).gather(1, batch["source_slot"])
        alpha = torch.sigmoid(self.gate(torch.cat([hidden, d.unsqueeze(-1).to(hidden.dtype)], -1))).squeeze(-1).float()
        alpha = alpha * batch["open_gate"] * (candidates >= 0).any(-1)
        p_candidates = torch.zeros_like(logits, dtype=torch.float).scatter_add(2, candidates.clamp(min=0), weights)
        p = (1 - alpha.unsqueeze(-1)) * torch.softmax(logits.float(), -1) + alpha.unsqueeze(-1) * p_candidates
        return self.losses(batch, p, weights, candidates, d_logits, logits)

    @staticmethod
    def losses(batch, p, weights, candidates, d_logits, logits):
        labels, wrong = batch["labels"], batch["wrong"]
        scored = batch["is_target"] | batch["is_masked"]
        nll = -torch.log(p.gather(2, labels.unsqueeze(-1)).squeeze(-1) + EPSILON) * torch.where(wrong, 3.0, 1.0)
        correction = nll[scored].mean()
        characters = batch["is_source"]
        detection = nn.functional.binary_cross_entropy_with_logits(
            d_logits[characters].float(), wrong[characters].float(), pos_weight=p.new_tensor(3.0)
        )
        is_answer = candidates == labels.unsqueeze(-1)
        ranked = batch["is_target"] & is_answer.any(-1) & batch["open_gate"].bool()
        answer = (weights * is_answer).sum(-1, keepdim=True)
        rank = (torch.relu(0.5 - answer + weights) * ((candidates >= 0) & ~is_answer)).sum(-1)[ranked].mean()
        masked = batch["is_masked"]
        auxiliary = nn.functional.cross_entropy(logits[masked].float(), labels[masked]) if masked.any() else 0.0
        return correction + detection + 0.5 * rank + auxiliary


def make_batch(rows, masks, length, border, ids):
    shape = (len(rows), length)
    batch = {name: torch.zeros(shape, dtype=torch.long) for name in ("input_ids", "attention_mask", "labels",
                                                                     "target_source_ids", "source_slot")}
    batch |= {name: torch.zeros(shape, dtype=torch.bool) for name in ("wrong", "is_source", "is_target", "is_masked")}
    batch["prompt_index"] = torch.full(shape, -1)
    batch["open_gate"] = torch.zeros(shape)
    for b, ((source, target), masked) in enumerate(zip(rows, masks)):
        n = len(source)
        source, target, masked = torch.tensor(source), torch.tensor(target), torch.tensor(masked)
        first, second = slice(border, border + n), slice(2 * border + n, 2 * border + 2 * n)
        shown = torch.where(masked, ids["[MASK]"], source)
        batch["input_ids"][b, : 2 * border + 2 * n] = ids["[MASK]"]
        batch["input_ids"][b, :border] = ids["[CLS]"]
        batch["input_ids"][b, first] = shown
        batch["input_ids"][b, border + n : 2 * border + n] = ids["[SEP]"]
        batch["attention_mask"][b, : 2 * border + 2 * n] = 1
        batch["prompt_index"][b, :border] = torch.arange(border)
        batch["prompt_index"][b, border + n : 2 * border + n] = torch.arange(border, 2 * border)
        for part in (first, second):
            batch["labels"][b, part] = target
            batch["wrong"][b, part] = source != target
        batch["target_source_ids"][b, second] = source
        batch["source_slot"][b, second] = torch.arange(border, border + n)
        batch["open_gate"][b, second] = (~masked).float()
        batch["is_source"][b, first] = True
        batch["is_target"][b, second] = True
        batch["is_masked"][b, first] = masked
    return batch


def batches(rows, arguments, border, ids):
    loader = torch.utils.data.DataLoader(
        rows,
        batch_size=arguments.batch,
        shuffle=True,
        generator=torch.Generator().manual_seed(1),
        collate_fn=lambda part: make_batch(
            part, draw_masks(part, torch.Generator().manual_seed(2)), arguments.max_length, border, ids
        ),
    )
    while True:
        yield from loader


def main():
    arguments = parser(__doc__).parse_args()
    start(arguments)
    ids, border = read_vocabulary(arguments.model), read_border(arguments.model)
    rows = read_rows(arguments.pairs, ids, (arguments.max_length - 2 * border) // 2)
    model = PlainCorrector(arguments.model).to(arguments.device).train()
    measure(Training(model, model, arguments), batches(rows, arguments, border, ids), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
