#include "model/dgca/config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json_fields.h"
#include "model/config_rules.h"

namespace relmpi {
namespace {

using nlohmann::json;

template <typename Enum, std::size_t size>
void read_name(const JsonFields& fields, const char* name, Enum& value, const Names<Enum, size>& names) {
  std::string text = name_of(names, value);
  fields.read(name, text);
  const auto found = find(names, text);
  if (!found) fields.wrong(name, text, listed(names));
  value = *found;
}

}  // namespace

void ModelConfig::validate() const {
  const auto positive = [](const char* field, std::int64_t value) {
    demand_setting(value > 0, field, value, "at least 1");
  };
  positive("vocab_size", vocab_size);
  positive("hidden_size", hidden_size);
  positive("num_hidden_layers", num_hidden_layers);
  positive("num_attention_heads", num_attention_heads);
  positive("intermediate_size", intermediate_size);
  positive("max_position_embeddings", max_position_embeddings);
  positive("type_vocab_size", type_vocab_size);
  positive("candidates", candidates);
  demand_setting(hidden_size % num_attention_heads == 0, "hidden_size", hidden_size,
                 "a multiple of num_attention_heads");
  demand_setting(prompt_length >= 0 && prompt_length <= 64, "prompt_length", prompt_length, "0 to 64");
  demand_setting(max_length > 0 && max_length <= max_position_embeddings, "max_length", max_length,
                 "at least 1 and at most max_position_embeddings");
  demand_setting(max_characters() >= 1, "max_length", max_length, "room for the prompts and a character");
  for (const auto& [field, p] : {std::pair{"hidden_dropout_prob", hidden_dropout_prob},
                                 {"attention_probs_dropout_prob", attention_probs_dropout_prob},
                                 {"head_dropout", head_dropout}})
    demand_setting(p >= 0 && p < 1, field, p, "in [0, 1)");
  demand_setting(initializer_range >= 0, "initializer_range", initializer_range, "at least 0");
  demand_setting(layer_norm_eps > 0, "layer_norm_eps", layer_norm_eps, "above 0");
  demand_setting(thresholds.detect >= 0 && thresholds.detect <= 1, "thresholds.detect", thresholds.detect,
                 "in [0, 1]");
  demand_setting(thresholds.gate >= 0 && thresholds.gate <= 1, "thresholds.gate", thresholds.gate,
                 "in [0, 1]");
  demand_setting(thresholds.margin >= 0, "thresholds.margin", thresholds.margin, "at least 0");
}

ModelConfig load_config(const std::filesystem::path& file) {
  const json document = parse_json(read_file(file), file.string());
  const JsonFields bert(document, file.string());
  std::string model_type = "bert";
  bert.read("model_type", model_type);
  if (model_type != "bert")
    throw InputError("{}: model_type is \"{}\"; relmpi trains on BERT encoders (model_type \"bert\")",
                     file.string(), model_type);
  std::string activation = "gelu";
  bert.read("hidden_act", activation);
  if (activation != "gelu")
    throw InputError("{}: hidden_act is \"{}\"; only \"gelu\" is built", file.string(), activation);
  ModelConfig config;
  config.vocab_size = bert.integer("vocab_size");
  config.hidden_size = bert.integer("hidden_size");
  config.num_hidden_layers = bert.integer("num_hidden_layers");
  config.num_attention_heads = bert.integer("num_attention_heads");
  config.intermediate_size = bert.integer("intermediate_size");
  bert.read("max_position_embeddings", config.max_position_embeddings);
  bert.read("type_vocab_size", config.type_vocab_size);
  bert.read("layer_norm_eps", config.layer_norm_eps);
  bert.read("hidden_dropout_prob", config.hidden_dropout_prob);
  bert.read("attention_probs_dropout_prob", config.attention_probs_dropout_prob);
  bert.read("initializer_range", config.initializer_range);
  config.max_length = std::min(config.max_length, config.max_position_embeddings);

  const json none = json::object();
  const JsonFields dgca(bert.has("dgca") ? bert.object("dgca") : none, file.string() + " (dgca)");
  dgca.read("prompt_length", config.prompt_length);
  dgca.read("candidates", config.candidates);
  dgca.read("max_length", config.max_length);
  dgca.read("dropout", config.head_dropout);
  read_name(dgca, "positions", config.positions, kPositions);
  read_name(dgca, "layer_norm", config.layer_norm, kNormPlaces);
  read_name(dgca, "ablation", config.ablation, kAblations);
  read_name(dgca, "output", config.output, kOutputs);
  read_name(dgca, "candidate_source", config.candidate_source, kCandidateSources);
  const JsonFields decision(dgca.has("thresholds") ? dgca.object("thresholds") : none,
                            file.string() + " (dgca.thresholds)");
  decision.read("detect", config.thresholds.detect);
  decision.read("gate", config.thresholds.gate);
  decision.read("margin", config.thresholds.margin);
  config.validate();
  return config;
}

json to_json(const ModelConfig& c) {
  return {
      {"architectures", {"BertForMaskedLM"}},
      {"model_type", "bert"},
      {"vocab_size", c.vocab_size},
      {"hidden_size", c.hidden_size},
      {"num_hidden_layers", c.num_hidden_layers},
      {"num_attention_heads", c.num_attention_heads},
      {"intermediate_size", c.intermediate_size},
      {"max_position_embeddings", c.max_position_embeddings},
      {"type_vocab_size", c.type_vocab_size},
      {"layer_norm_eps", c.layer_norm_eps},
      {"hidden_dropout_prob", c.hidden_dropout_prob},
      {"attention_probs_dropout_prob", c.attention_probs_dropout_prob},
      {"initializer_range", c.initializer_range},
      {"hidden_act", "gelu"},
      {"tie_word_embeddings", true},
      {"dgca",
       {{"prompt_length", c.prompt_length},
        {"candidates", c.candidates},
        {"max_length", c.max_length},
        {"dropout", c.head_dropout},
        {"positions", name_of(kPositions, c.positions)},
        {"layer_norm", name_of(kNormPlaces, c.layer_norm)},
        {"ablation", name_of(kAblations, c.ablation)},
        {"output", name_of(kOutputs, c.output)},
        {"candidate_source", name_of(kCandidateSources, c.candidate_source)},
        {"thresholds",
         {{"detect", c.thresholds.detect}, {"gate", c.thresholds.gate}, {"margin", c.thresholds.margin}}}}}};
}

}  // namespace relmpi
