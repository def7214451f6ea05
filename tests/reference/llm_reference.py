"""What Hugging Face transformers answers for a decoder LLM's folder: logits of every layer and greedy text, in fp32."""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1", "CUDA_VISIBLE_DEVICES": ""}

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


class Reference:
    def __init__(self, folder, dtype=torch.float32):
        self.model, self.info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation="eager", local_files_only=True, output_loading_info=True
        )
        self.model.eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.layers = self.model.config.num_hidden_layers
        ends = self.model.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])

    @torch.inference_mode()
    def layer_logits(self, ids):
        """Yields (layer, (T, V)) for the embeddings (0) and after each layer, the final norm and the head applied."""
        states = self.model.model(torch.tensor([ids]), output_hidden_states=True, use_cache=False).hidden_states
        for layer, state in enumerate(states):
            # The last one has been through the norm already.
            yield layer, self.model.lm_head(state if layer == self.layers else self.model.model.norm(state))[0]

    @torch.inference_mode()
    def logits(self, ids):
        return self.model(torch.tensor([ids]), use_cache=False).logits[0]

    @torch.inference_mode()
    def greedy(self, ids, new_tokens):
        """(new ids up to and without an end, least gap between the best and the second logit on the way)."""
        done = self.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            max_new_tokens=new_tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )
        best = [step.float().topk(2).values[0] for step in done.logits]
        gap = min(float(pair[0] - pair[1]) for pair in best)
        return self.without_end(done.sequences[0, len(ids) :].tolist()), gap

    def continued(self, ids, text, new_tokens):
        """Greedy text as `greedy` gives it, as far as it equals `text` (and one token more), from a single pass."""
        text = self.without_end(text)
        choices = self.logits([*ids, *text])[len(ids) - 1 :]
        best = choices.topk(2)
        chosen, gaps = best.indices[:, 0].tolist(), (best.values[:, 0] - best.values[:, 1]).tolist()
        same = next((i for i, token in enumerate(text) if token != chosen[i]), len(text))
        # What ends a text comes after it, unless it is as long as it may be.
        steps = min(same + 1, new_tokens)
        end = next((i for i, token in enumerate(chosen[:steps]) if token in self.ends), steps)
        return chosen[:end], min(gaps[: end + 1])

    def without_end(self, ids):
        return ids[:-1] if ids and ids[-1] in self.ends else ids
