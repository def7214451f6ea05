"""Reads SmolLM2's GGUF file: configuration, tensors and tokenizer in the form of Hugging Face transformers.

Nothing is guessed: metadata, a tensor or a tokenizer kind that is not known here is a ConversionError.
"""

import gguf
import numpy
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp16": torch.float16}
TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3  # the token type of special tokens in GGUF


class ConversionError(ValueError):
    """The file is not what this module knows how to convert."""


class Gguf:
    """Metadata and tensors of a GGUF file."""

    def __init__(self, path):
        self.path = path
        self.reader = gguf.GGUFReader(path)
        architecture = self["general.architecture"]
        if architecture != "llama":
            raise ConversionError(f"{path}: the architecture is {architecture!r}; only llama is known here")

    def __getitem__(self, key):
        field = self.reader.get_field(key)
        if field is None:
            raise ConversionError(f"{self.path}: no metadata {key}")
        return field.contents()

    def has(self, key):
        return self.reader.get_field(key) is not None

    def tensors(self):
        for tensor in self.reader.tensors:
            yield tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def make_config(source, dtype):
    for key in ("llama.rope.scaling.type", "llama.expert_count"):
        if source.has(key):
            raise ConversionError(f"{source.path}: {key} = {source[key]!r} is not known here")
    heads = source["llama.attention.head_count"]
    head_dim = source["llama.embedding_length"] // heads
    if source["llama.rope.dimension_count"] != head_dim:
        raise ConversionError(f"{source.path}: RoPE over {source['llama.rope.dimension_count']} of {head_dim} dimensions")
    names = {tensor.name for tensor in source.reader.tensors}
    return LlamaConfig(
        vocab_size=len(source["tokenizer.ggml.tokens"]),
        hidden_size=source["llama.embedding_length"],
        intermediate_size=source["llama.feed_forward_length"],
        num_hidden_layers=source["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=source["llama.attention.head_count_kv"],
        head_dim=head_dim,
        max_position_embeddings=source["llama.context_length"],
        # Stored as float32; 1e-05 is the shortest number that is the same float32.
        rms_norm_eps=float(str(numpy.float32(source["llama.attention.layer_norm_rms_epsilon"]))),
        rope_theta=source["llama.rope.freq_base"],
        tie_word_embeddings="output.weight" not in names,
        bos_token_id=source["tokenizer.ggml.bos_token_id"],
        eos_token_id=source["tokenizer.ggml.eos_token_id"],
        pad_token_id=source["tokenizer.ggml.padding_token_id"],
        dtype=DTYPES[dtype],
        architectures=["LlamaForCausalLM"],
    )


def unpermute(rows, heads):
    """GGUF stores the rows of q and k so that RoPE turns neighbours; Hugging Face turns halves (i and i + head_dim / 2)."""
    outputs, inputs = rows.shape
    pairs = outputs // heads // 2
    return rows.reshape(heads, pairs, 2, inputs).swapaxes(1, 2).reshape(outputs, inputs)


def read_tensors(source, config):
    """name -> float32 tensor, with the names of LlamaForCausalLM."""
    outer = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    tensors = {}
    for name, values in source.tensors():
        stem = name.removesuffix(".weight")
        parts = stem.split(".")
        if stem in outer:
            target = outer[stem]
        elif parts[0] == "blk" and len(parts) == 3 and parts[2] in TENSORS:
            target = f"model.layers.{parts[1]}.{TENSORS[parts[2]]}"
            if parts[2] in heads:
                values = unpermute(values, heads[parts[2]])
        else:
            raise ConversionError(f"{source.path}: tensor {name} is not known here")
        tensors[f"{target}.weight"] = torch.from_numpy(numpy.array(values, dtype=numpy.float32))
    return tensors


def make_model(tensors, config, dtype):
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(
        {name: tensor.to(DTYPES[dtype]) for name, tensor in tensors.items()}, strict=False, assign=True
    )
    if unexpected or set(missing) - ({"lm_head.weight"} if config.tie_word_embeddings else set()):
        raise ConversionError(f"tensors do not fit the configuration: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    return model


def make_tokenizer(source, config):
    """A byte-level BPE that takes digits one by one before the pattern of GPT-2, as the `smollm` kind says."""
    kind = source["tokenizer.ggml.model"], source["tokenizer.ggml.pre"]
    if kind != ("gpt2", "smollm"):
        raise ConversionError(f"{source.path}: tokenizer {kind}; only ('gpt2', 'smollm') is known here")
    tokens = source["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in source["tokenizer.ggml.merges"]]
    bpe = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
    ])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)
    types = source["tokenizer.ggml.token_type"]
    special = [token for token, type_ in zip(tokens, types) if type_ == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[config.bos_token_id],
        eos_token=tokens[config.eos_token_id],
        pad_token=tokens[config.pad_token_id],
        unk_token=tokens[source["tokenizer.ggml.unknown_token_id"]],
        model_max_length=config.max_position_embeddings,
        clean_up_tokenization_spaces=False,
        chat_template=source["tokenizer.chat_template"],
    )


GGUF_FILES = {
    "fp32": (gguf.LlamaFileType.ALL_F32, gguf.GGMLQuantizationType.F32),
    "fp16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "bf16": (gguf.LlamaFileType.MOSTLY_BF16, gguf.GGMLQuantizationType.BF16),
}


def write_gguf(source, path, dtype):
    """The same model with unquantised matrices, for engines that read GGUF files; norms stay fp32."""
    file_type, kind = GGUF_FILES[dtype]
    writer = gguf.GGUFWriter(path, source["general.architecture"])
    for field in source.reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):  # the writer's own
            continue
        value = int(file_type) if field.name == "general.file_type" else field.contents()
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], sub_type=element)
    for name, values in source.tensors():
        as_kind = kind if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(numpy.ascontiguousarray(values, dtype=numpy.float32), as_kind)
        writer.add_tensor(name, data, raw_dtype=as_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def bytes_without_token(tokens):
    """Bytes whose character of the byte-level alphabet is not a token: text with them loses them."""
    known = set(tokens)
    return sorted(byte for byte, character in bytes_to_unicode().items() if character not in known)
