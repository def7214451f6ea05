#include "model/llm/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json_fields.h"
#include "model/config_rules.h"

namespace relmpi {
namespace {

using nlohmann::json;

// Sizes beyond these belong to no model; products of them stay far below 2^63.
constexpr std::int64_t kLargest = std::int64_t{1} << 24;
constexpr std::int64_t kMostLayers = 4096;

// A token id or a list of them.
std::vector<std::int64_t> read_ids(const JsonFields& fields, const char* name) {
  const json* found = fields.find(name);
  if (found == nullptr) return {};
  std::vector<std::int64_t> ids;
  for (const json& id : found->is_array() ? *found : json::array({*found})) {
    if (!is_whole_number(id) || id < 0) fields.wrong(name, *found, "a token id or a list of them");
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

RopeScaling scaling_of(const JsonFields& fields) {
  std::string kind = "default";
  if (!fields.read("rope_type", kind)) fields.read("type", kind);
  if (kind == "default") return RopeScaling::kNone;
  if (kind == "llama3") return RopeScaling::kLlama3;
  if (kind == "yarn") return RopeScaling::kYarn;
  throw InputError("{}: RoPE scaling \"{}\" is not built; \"default\", \"llama3\" and \"yarn\" are",
                   fields.source(), kind);
}

template <typename T>
void read_optional(const JsonFields& fields, const char* name, std::optional<T>& value) {
  T found{};
  if (fields.read(name, found)) value = found;
}

void read_scaling(const json& object, const std::string& file, RopeConfig& rope) {
  const JsonFields fields(object, file);
  fields.read("rope_theta", rope.theta);  // transformers 5 keeps it here
  rope.scaling = scaling_of(fields);
  if (rope.scaling == RopeScaling::kNone) return;
  const bool llama3 = rope.scaling == RopeScaling::kLlama3;
  rope.factor = fields.number("factor");
  if (llama3) {
    rope.original_max_position_embeddings = fields.integer("original_max_position_embeddings");
    rope.low_freq_factor = fields.number("low_freq_factor");
    rope.high_freq_factor = fields.number("high_freq_factor");
    return;
  }
  fields.read("original_max_position_embeddings", rope.original_max_position_embeddings);
  fields.read("beta_fast", rope.beta_fast);
  fields.read("beta_slow", rope.beta_slow);
  fields.read("truncate", rope.truncate);
  read_optional(fields, "attention_factor", rope.attention_factor);
  read_optional(fields, "mscale", rope.mscale);
  read_optional(fields, "mscale_all_dim", rope.mscale_all_dim);
}

RopeConfig read_rope(const JsonFields& fields, std::int64_t max_position_embeddings) {
  RopeConfig rope;
  fields.read("rope_theta", rope.theta);
  for (const char* name : {"rope_scaling", "rope_parameters"})
    if (const json* scaling = fields.find(name))
      read_scaling(*scaling, fmt::format("{} ({})", fields.source(), name), rope);
  if (rope.original_max_position_embeddings == 0)
    rope.original_max_position_embeddings = max_position_embeddings;
  double partial = 1;
  fields.read("partial_rotary_factor", partial);
  if (partial != 1)
    throw InputError("{}: partial_rotary_factor is {}; only 1 is built", fields.source(), partial);
  return rope;
}

// YaRN is asked for by rope_scaling alone: files leave max_position_embeddings at the trained length.
std::int64_t stretched_context(const LlmConfig& config) {
  const double stretched =
      config.rope.factor * static_cast<double>(config.rope.original_max_position_embeddings);
  if (!(stretched < static_cast<double>(kLargest))) return config.max_position_embeddings;
  return std::max(config.max_position_embeddings, static_cast<std::int64_t>(stretched));
}

void refuse_sliding_window(const JsonFields& fields) {
  bool used = false;
  fields.read("use_sliding_window", used);
  if (fields.has("layer_types"))
    for (const json& type : fields.array("layer_types")) used = used || type != "full_attention";
  if (used)
    throw InputError(
        "{}: the model uses sliding windows (use_sliding_window or layer_types), which are not built; set "
        "use_sliding_window to false if texts stay shorter than the window",
        fields.source());
}

void read_shape(const JsonFields& fields, LlmConfig& config) {
  config.vocab_size = fields.integer("vocab_size");
  config.hidden_size = fields.integer("hidden_size");
  config.intermediate_size = fields.integer("intermediate_size");
  config.num_hidden_layers = fields.integer("num_hidden_layers");
  config.num_attention_heads = fields.integer("num_attention_heads");
  config.num_key_value_heads = config.num_attention_heads;
  fields.read("num_key_value_heads", config.num_key_value_heads);
  config.max_position_embeddings = config.model_type == "llama" ? 2048 : 32768;
  fields.read("max_position_embeddings", config.max_position_embeddings);
  fields.read("rms_norm_eps", config.rms_norm_eps);
  fields.read("tie_word_embeddings", config.tie_word_embeddings);
  if (config.model_type == "qwen3") config.head_dim = 128;
  fields.read("head_dim", config.head_dim);
  if (config.head_dim == 0 && config.num_attention_heads > 0)
    config.head_dim = config.hidden_size / config.num_attention_heads;
}

void read_biases(const JsonFields& fields, LlmConfig& config) {
  bool attention_bias = false;
  fields.read("attention_bias", attention_bias);
  config.qkv_bias = attention_bias || config.model_type == "qwen2";
  config.output_bias = attention_bias && config.model_type != "qwen2";
  config.qk_norm = config.model_type == "qwen3";
  if (config.model_type == "llama") fields.read("mlp_bias", config.mlp_bias);
}

}  // namespace

void LlmConfig::validate() const {
  for (const auto& [field, value, most] : {std::tuple{"vocab_size", vocab_size, kLargest},
                                           {"hidden_size", hidden_size, kLargest},
                                           {"intermediate_size", intermediate_size, kLargest},
                                           {"num_hidden_layers", num_hidden_layers, kMostLayers},
                                           {"num_attention_heads", num_attention_heads, kMostLayers},
                                           {"num_key_value_heads", num_key_value_heads, kMostLayers},
                                           {"head_dim", head_dim, kMostLayers},
                                           {"max_position_embeddings", max_position_embeddings, kLargest}})
    demand_setting(value >= 1 && value <= most, field, value, fmt::format("1 to {}", most));
  demand_setting(num_attention_heads % num_key_value_heads == 0, "num_attention_heads", num_attention_heads,
                 "a multiple of num_key_value_heads");
  demand_setting(head_dim % 2 == 0, "head_dim", head_dim, "even: RoPE turns pairs");
  demand_setting(rms_norm_eps > 0, "rms_norm_eps", rms_norm_eps, "above 0");
  demand_setting(rope.theta > 1, "rope_theta", rope.theta, "above 1");
  demand_setting(rope.factor >= 1, "rope_scaling.factor", rope.factor, "at least 1");
  demand_setting(rope.original_max_position_embeddings >= 1, "rope_scaling.original_max_position_embeddings",
                 rope.original_max_position_embeddings, "at least 1");
  demand_setting(rope.low_freq_factor > 0 && rope.high_freq_factor > rope.low_freq_factor,
                 "rope_scaling.high_freq_factor", rope.high_freq_factor,
                 "above low_freq_factor, and that above 0");
  demand_setting(rope.beta_slow > 0 && rope.beta_fast >= rope.beta_slow, "rope_scaling.beta_fast",
                 rope.beta_fast, "at least beta_slow, and that above 0");
}

void LlmConfig::demand_in_vocabulary(std::span<const std::int32_t> ids) const {
  for (const std::int32_t id : ids)
    if (id < 0 || id >= vocab_size)
      throw InputError("token id {} is outside the vocabulary of {} tokens", id, vocab_size);
}

LlmConfig load_llm_config(const std::filesystem::path& file) {
  const json document = parse_json(read_file(file), file.string());
  const JsonFields fields(document, file.string());
  LlmConfig config;
  config.model_type = fields.text("model_type");
  if (config.model_type != "llama" && config.model_type != "qwen2" && config.model_type != "qwen3")
    throw InputError("{}: model_type is \"{}\"; built are \"llama\", \"qwen2\" (Qwen2.5 too) and \"qwen3\"",
                     file.string(), config.model_type);
  std::string activation = "silu";
  fields.read("hidden_act", activation);
  if (activation != "silu")
    throw InputError("{}: hidden_act is \"{}\"; only \"silu\" is built", file.string(), activation);
  if (fields.has("quantization_config"))
    throw InputError("{}: the weights are quantised (quantization_config); take the fp32, bf16 or fp16 model",
                     file.string());
  refuse_sliding_window(fields);
  read_shape(fields, config);
  read_biases(fields, config);
  config.rope = read_rope(fields, config.max_position_embeddings);
  if (config.rope.scaling == RopeScaling::kYarn) config.max_position_embeddings = stretched_context(config);
  if (!fields.read("dtype", config.dtype)) fields.read("torch_dtype", config.dtype);
  config.eos_token_ids = read_ids(fields, "eos_token_id");
  try {
    config.validate();
  } catch (const InputError& error) {
    throw InputError("{}: {}", file.string(), error.what());
  }
  return config;
}

std::vector<std::int64_t> end_tokens(const std::filesystem::path& folder, const LlmConfig& config) {
  auto file = folder / "generation_config.json";
  std::vector<std::int64_t> ids;
  if (std::filesystem::exists(file)) {
    const json document = parse_json(read_file(file), file.string());
    ids = read_ids(JsonFields(document, file.string()), "eos_token_id");
  }
  if (ids.empty()) {
    file = folder / "config.json";
    ids = config.eos_token_ids;
  }
  for (const std::int64_t id : ids)
    if (id >= config.vocab_size)
      throw InputError("{}: eos_token_id {} is outside the vocabulary of {} tokens", file.string(), id,
                       config.vocab_size);
  return ids;
}

at::ScalarType weight_dtype(const std::string& option, const LlmConfig& config) {
  const std::string& name = option.empty() ? config.dtype : option;
  if (name.empty()) return at::kFloat;
  if (const auto dtype = find_dtype(name)) return *dtype;
  if (!option.empty()) throw InputError("--dtype {}: fp32, bf16 or fp16 was expected", option);
  throw InputError("config.json says that the weights are {}; give --dtype fp32, bf16 or fp16", name);
}

}  // namespace relmpi
