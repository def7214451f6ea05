"""DGCA-ReLM from its formulas, in plain PyTorch: full (B, S, V) tensors, no shortcuts, float32 or float64.

It is the oracle that the C++ model is compared with, so nothing here is shared with it: even the LSTM and attention are
written out. Shapes: B batch, S sequence, n longest sentence of the batch, P prompt vectors at either side, H hidden,
V vocabulary, K candidates.

A model folder has config.json, vocab.txt and model.safetensors in Hugging Face's BERT layout; our settings are in the
object "dgca" of config.json and our tensors are called dgca.*.
"""

import json
import math
import pathlib
from types import SimpleNamespace

import torch

from safetensors_file import read_safetensors

EPSILON = 1e-10  # inside the logarithm of the correction loss
ERROR_WEIGHT = 3.0  # of a wrong character: in the correction loss and as BCE's pos_weight
RANK_MARGIN = 0.5
RANK_WEIGHT = 0.5

DGCA_DEFAULTS = {
    "prompt_length": 3,
    "candidates": 16,
    "positions": "sequential",
    "layer_norm": "post",
    "ablation": "full",
    "output": "mixture",
    "candidate_source": "source",
}


def read_config(folder):
    document = json.loads((pathlib.Path(folder) / "config.json").read_text())
    ours = DGCA_DEFAULTS | document.get("dgca", {})
    if document.get("hidden_act", "gelu") != "gelu":
        raise ValueError(f"hidden_act {document['hidden_act']}: only gelu is built")
    return SimpleNamespace(**{key: value for key, value in document.items() if key != "dgca"}, **ours)


def special_ids(folder):
    tokens = (pathlib.Path(folder) / "vocab.txt").read_bytes().decode().split("\n")
    return SimpleNamespace(**{name.lower(): tokens.index(f"[{name}]") for name in ("PAD", "UNK", "CLS", "SEP", "MASK")})


def load_weights(folder, dtype):
    """(parameters as leaves that require gradients, the (V, K) candidate table or None)."""
    tensors = read_safetensors(pathlib.Path(folder) / "model.safetensors")
    candidates = tensors.pop("dgca.candidates", None)
    skipped = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "bert.embeddings.position_ids"}
    weights = {
        name: tensor.to(dtype).requires_grad_()
        for name, tensor in tensors.items()
        if name not in skipped and not name.startswith(("bert.pooler.", "cls.seq_relationship."))
    }
    return weights, None if candidates is None else candidates.long()


class Reference:
    def __init__(self, folder, dtype=torch.float64):
        self.config = read_config(folder)
        self.special = special_ids(folder)
        self.weights, self.candidates = load_weights(folder, dtype)
        self.dtype = dtype
        self.has_detector = self.config.ablation in ("full", "detector-only")
        self.has_candidates = self.config.ablation in ("full", "candidate-only")

    # --- layers ---

    # The heads' outputs are cast to the reference's own dtype, so that a self-check under autocast lowers the precision
    # of the layers and not that of the losses.
    def linear(self, name, x):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def layer_norm(self, name, x):
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        normalised = (x - mean) / torch.sqrt(variance + self.config.layer_norm_eps)
        return normalised * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    @staticmethod
    def gelu(x):
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

    def attention(self, name, x, attended):
        """x (B, S, H); attended (B, S), True where a slot may be looked at."""
        batch, length, hidden = x.shape
        heads = self.config.num_attention_heads

        def split(projected):  # (B, S, H) -> (B, heads, S, H / heads)
            return projected.view(batch, length, heads, hidden // heads).transpose(1, 2)

        query, key, value = (split(self.linear(f"{name}.self.{part}", x)) for part in ("query", "key", "value"))
        scores = query @ key.transpose(-1, -2) / math.sqrt(hidden // heads)
        scores = scores.masked_fill(~attended[:, None, None, :], -math.inf)
        mixed = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, length, hidden)
        return self.linear(f"{name}.output.dense", mixed)

    def feed_forward(self, name, x):
        return self.linear(f"{name}.output.dense", self.gelu(self.linear(f"{name}.intermediate.dense", x)))

    def encode(self, words, positions, attended):
        """words (B, S, H) in place of word embeddings, positions (B, S) ids -> hidden states (B, S, H)."""
        x = words + self.weights["bert.embeddings.position_embeddings.weight"][positions]
        x = x + self.weights["bert.embeddings.token_type_embeddings.weight"][0]
        x = self.layer_norm("bert.embeddings.LayerNorm", x)
        for layer in range(self.config.num_hidden_layers):
            name = f"bert.encoder.layer.{layer}"
            attention_norm, output_norm = f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"
            if self.config.layer_norm == "post":
                x = self.layer_norm(attention_norm, x + self.attention(f"{name}.attention", x, attended))
                x = self.layer_norm(output_norm, x + self.feed_forward(name, x))
            else:
                x = x + self.attention(f"{name}.attention", self.layer_norm(attention_norm, x), attended)
                x = x + self.feed_forward(name, self.layer_norm(output_norm, x))
        return self.layer_norm("dgca.final_norm", x) if self.config.layer_norm == "pre" else x

    def word_embeddings(self, ids):
        return self.weights["bert.embeddings.word_embeddings.weight"][ids]

    def vocabulary_logits(self, hidden):
        transformed = self.gelu(self.linear("cls.predictions.transform.dense", hidden))
        transformed = self.layer_norm("cls.predictions.transform.LayerNorm", transformed)
        logits = transformed @ self.weights["bert.embeddings.word_embeddings.weight"].T
        return logits.to(self.dtype) + self.weights["cls.predictions.bias"]

    def plain_logits(self, ids):
        """A plain masked language model on ids (B, S) without padding, as BertForMaskedLM: logits (B, S, V)."""
        positions = torch.arange(ids.shape[1]).expand_as(ids)
        hidden = self.encode(self.word_embeddings(ids), positions, torch.ones_like(ids, dtype=torch.bool))
        return self.vocabulary_logits(hidden)

    # --- prompts ---

    def lstm_direction(self, inputs, suffix):
        """inputs (L, H_in) in the order of this direction -> (L, H). Gates in torch's order: i f g o."""
        w_in, w_hidden, b_in, b_hidden = (
            self.weights[f"dgca.prompt.lstm.{kind}_{suffix}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(w_hidden.shape[1], dtype=inputs.dtype)
        outputs = []
        for x in inputs:
            i, f, g, o = (w_in @ x + b_in + w_hidden @ hidden + b_hidden).chunk(4)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        return torch.stack(outputs)

    def prompts(self):
        """(2P, H): the vectors of the P [CLS] slots, then those of the P [SEP] slots."""
        x = self.weights["dgca.prompt.embeddings.weight"]
        for layer in range(2):
            forward = self.lstm_direction(x, f"l{layer}")
            backward = self.lstm_direction(x.flip(0), f"l{layer}_reverse").flip(0)
            x = torch.cat([forward, backward], -1)
        return self.linear("dgca.prompt.mlp.2", torch.relu(self.linear("dgca.prompt.mlp.0", x)))

    # --- one batch of ragged rows ---

    def layout(self, rows, masked):
        """Rows of ids and of mask bits -> the model's input, and where each character's two slots are."""
        config, special = self.config, self.special
        border = max(config.prompt_length, 1)  # without prompts one plain [CLS] and [SEP]
        longest = max(map(len, rows))
        shape = (len(rows), 2 * longest + 2 * border)
        ids = torch.full(shape, special.pad)
        positions = torch.zeros(shape, dtype=torch.long)
        attended = torch.zeros(shape, dtype=torch.bool)
        source_slot = torch.zeros(len(rows), longest, dtype=torch.long)
        target_slot = torch.zeros(len(rows), longest, dtype=torch.long)
        prompt_of = torch.full(shape, -1)
        for b, row in enumerate(rows):
            n = len(row)
            characters = [special.mask if hidden else x for x, hidden in zip(row, masked[b])]
            line = [special.cls] * border + characters + [special.sep] * border + [special.mask] * n
            places = list(range(len(line)))
            if config.positions == "aligned":
                places[2 * border + n :] = range(border, border + n)
            ids[b, : len(line)] = torch.tensor(line)
            positions[b, : len(line)] = torch.tensor(places)
            attended[b, : len(line)] = True
            source_slot[b, :n] = torch.arange(border, border + n)
            target_slot[b, :n] = torch.arange(2 * border + n, 2 * border + 2 * n)
            for k in range(config.prompt_length):
                prompt_of[b, k] = k
                prompt_of[b, border + n + k] = config.prompt_length + k
        return SimpleNamespace(
            ids=ids,
            positions=positions,
            attended=attended,
            prompt_of=prompt_of,
            source_slot=source_slot,
            target_slot=target_slot,
        )

    def forward(self, batch):
        """What each head says, at every character: tensors (B, n, ...). Padding holds whatever it holds."""
        layout = self.layout(batch.rows, batch.mask_rows)
        words = self.word_embeddings(layout.ids)
        if self.config.prompt_length:
            is_prompt = (layout.prompt_of >= 0)[..., None]
            words = torch.where(is_prompt, self.prompts()[layout.prompt_of.clamp(min=0)], words)
        hidden = self.encode(words, layout.positions, layout.attended)
        row = torch.arange(hidden.shape[0])[:, None]
        source, target = hidden[row, layout.source_slot], hidden[row, layout.target_slot]
        out = SimpleNamespace(source_logits=self.vocabulary_logits(source), z=self.vocabulary_logits(target))
        zeros = torch.zeros(batch.source.shape, dtype=hidden.dtype)
        out.detection_logits = self.detect(source) if self.has_detector else None
        out.d = torch.sigmoid(out.detection_logits) if self.has_detector else zeros
        out.alpha, out.p_candidates, out.listed = (
            zeros,
            torch.zeros_like(out.z),
            torch.zeros_like(out.z, dtype=torch.bool),
        )
        if self.has_candidates:
            self.weigh_candidates(batch, target, out)
        out.p = (1 - out.alpha[..., None]) * torch.softmax(out.z, -1) + out.alpha[..., None] * out.p_candidates
        return out

    def detect(self, hidden):
        hidden = torch.tanh(self.linear("dgca.detector.dense", hidden))
        return self.linear("dgca.detector.classifier", hidden)[..., 0].to(self.dtype)

    def weigh_candidates(self, batch, target, out):
        """Sets alpha (B, n), p_candidates (B, n, V) and which of V are listed, from the target slots' states."""
        published = self.config.candidate_source == "as-published"
        looked_up = torch.full_like(batch.source, self.special.mask) if published else batch.source
        table = self.candidates[looked_up]  # (B, n, K)
        listed = torch.zeros(*table.shape[:2], self.config.vocab_size, dtype=torch.long)
        listed.scatter_add_(2, table.clamp(min=0), (table >= 0).long())
        assert listed.max() <= 1, "a candidate is listed twice"
        out.listed = listed.bool() & ~batch.masked[..., None]
        query = torch.tanh(self.linear("dgca.candidate.dense", target))
        scores = (query @ self.weights["bert.embeddings.word_embeddings.weight"].T).to(self.dtype)  # (B, n, V)
        any_listed = out.listed.any(-1)
        # Rows without candidates: any finite scores, their softmax is not used.
        scores = torch.where(out.listed | ~any_listed[..., None], scores, -math.inf)
        out.p_candidates = torch.softmax(scores, -1) * any_listed[..., None]
        if self.config.output == "candidates":
            out.alpha = any_listed.to(self.dtype)
            return
        if not self.has_detector:
            d = torch.zeros_like(target[..., 0])
        else:
            d = torch.sigmoid(self.detect(target)) if published else out.d
        gate = torch.sigmoid(self.linear("dgca.gate", torch.cat([target, d[..., None]], -1))[..., 0].to(self.dtype))
        out.alpha = gate * any_listed

    def losses(self, batch, out, detection_weight=1.0):
        """The four terms, each a sum over its own positions divided by their number, and the total."""
        y = batch.target[..., None]
        real, masked, wrong = batch.real, batch.masked, batch.real & (batch.source != batch.target)
        weight = torch.where(wrong, ERROR_WEIGHT, 1.0).to(out.z.dtype)
        p_source = torch.softmax(out.source_logits, -1)
        at_target = -weight * torch.log(out.p.gather(2, y)[..., 0] + EPSILON)
        at_source = -weight * torch.log(p_source.gather(2, y)[..., 0] + EPSILON)
        zero = torch.zeros((), dtype=out.z.dtype)
        correction = (at_target[real].sum() + at_source[masked].sum()) / (real.sum() + masked.sum())
        detection = rank = aux = zero
        if self.has_detector:
            label, logit = wrong[real].to(out.z.dtype), out.detection_logits[real]
            detection = -(
                ERROR_WEIGHT * label * torch.nn.functional.logsigmoid(logit)
                + (1 - label) * torch.nn.functional.logsigmoid(-logit)
            ).mean()
        found = real & ~masked & out.listed.gather(2, y)[..., 0]
        if found.any():
            p_y = out.p_candidates.gather(2, y)
            others = out.listed & (torch.arange(out.z.shape[-1]) != y)
            rank = (torch.relu(RANK_MARGIN - p_y + out.p_candidates) * others).sum(-1)[found].mean()
        if masked.any():
            aux = -torch.log_softmax(out.source_logits, -1).gather(2, y)[..., 0][masked].mean()
        total = correction + detection_weight * detection + RANK_WEIGHT * rank + aux
        return {"loss": total, "correction": correction, "detection": detection, "rank": rank, "aux": aux}

    def step(self, source, target, masked, detection_weight=1.0):
        """Everything that is compared, by name: losses, (B, n, ...) tensors with zeros in the padding, gradients."""
        batch = make_batch(source, target, masked)
        out = self.forward(batch)
        losses = self.losses(batch, out, detection_weight)
        names = list(self.weights)
        gradients = torch.autograd.grad(losses["loss"], [self.weights[name] for name in names], allow_unused=True)
        result = {name: value.detach() for name, value in losses.items()}
        for name, tensor in {"d": out.d, "alpha": out.alpha, "target_logits": out.z, "p": out.p}.items():
            keep = batch.real.view(batch.real.shape + (1,) * (tensor.dim() - 2))
            result[name] = torch.where(keep, tensor, 0).detach()
        for name, gradient in zip(names, gradients):
            result[f"grad.{name}"] = torch.zeros_like(self.weights[name]) if gradient is None else gradient
        return result


def make_batch(source, target, masked):
    """Ragged lists of ids and mask bits as padded tensors (B, n) beside the lists."""
    longest = max(map(len, source))

    def pad(rows):
        return torch.tensor([list(row) + [0] * (longest - len(row)) for row in rows])

    real = pad([[1] * len(row) for row in source]).bool()
    return SimpleNamespace(
        rows=source, mask_rows=masked, source=pad(source), target=pad(target), masked=pad(masked).bool(), real=real
    )
