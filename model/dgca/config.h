#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "base/names.h"

namespace relmpi {

// Position numbers of the target slots: their own (BERT's way), or those of the source characters they
// answer.
enum class Positions { kSequential, kAligned };
inline constexpr Names<Positions, 2> kPositions{
    {{Positions::kSequential, "sequential"}, {Positions::kAligned, "aligned"}}};

// Where LayerNorm stands: after each residual sum (BERT), or before each sub-layer.
enum class NormPlace { kPost, kPre };
inline constexpr Names<NormPlace, 2> kNormPlaces{{{NormPlace::kPost, "post"}, {NormPlace::kPre, "pre"}}};

// Which of the detector and the candidate head take part.
enum class Ablation { kFull, kDetectorOnly, kCandidateOnly, kBaseline };
inline constexpr Names<Ablation, 4> kAblations{{{Ablation::kFull, "full"},
                                                {Ablation::kDetectorOnly, "detector-only"},
                                                {Ablation::kCandidateOnly, "candidate-only"},
                                                {Ablation::kBaseline, "baseline"}}};

// What is read off as p: the gated mixture, or the candidates alone if a character has any.
enum class Output { kMixture, kCandidates };
inline constexpr Names<Output, 2> kOutputs{
    {{Output::kMixture, "mixture"}, {Output::kCandidates, "candidates"}}};

// Whose candidates a target slot gets: those of the source character, or, as in the published program, those
// of [MASK], gated by the target slot's own detector.
enum class CandidateSource { kSource, kAsPublished };
inline constexpr Names<CandidateSource, 2> kCandidateSources{
    {{CandidateSource::kSource, "source"}, {CandidateSource::kAsPublished, "as-published"}}};

// When a proposed change is accepted (0 = no such demand).
struct DecisionThresholds {
  double detect = 0.5;  // d_i >= detect
  double gate = 0.3;    // alpha_i >= gate; not asked if the output is the candidates alone
  double margin = 0.0;  // log p(best) - log p(source character) >= margin
};

// Shape of a DGCA-ReLM model. The first half are Hugging Face's BertConfig fields under their own names; ours
// are in the object "dgca" of the same config.json.
struct ModelConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double initializer_range = 0.02;

  std::int64_t prompt_length = 3;  // P; 0 = plain [CLS] and [SEP], one each, without learnt prompts
  std::int64_t candidates = 16;    // K
  std::int64_t max_length = 128;   // longest model input, 2n + 2P
  double head_dropout = 0.1;       // dropout inside detector and candidate head
  Positions positions = Positions::kSequential;
  NormPlace layer_norm = NormPlace::kPost;
  Ablation ablation = Ablation::kFull;
  Output output = Output::kMixture;
  CandidateSource candidate_source = CandidateSource::kSource;
  DecisionThresholds thresholds;

  bool has_detector() const { return ablation == Ablation::kFull || ablation == Ablation::kDetectorOnly; }
  bool has_candidates() const { return ablation == Ablation::kFull || ablation == Ablation::kCandidateOnly; }
  // Slots of [CLS] and of [SEP] at either side of the source.
  std::int64_t border() const { return prompt_length > 0 ? prompt_length : 1; }
  // Longest sentence, in characters, that fits.
  std::int64_t max_characters() const { return (max_length - 2 * border()) / 2; }

  // Throws InputError naming the field.
  void validate() const;
};

// Throws InputError naming the file and the field for what is missing, of the wrong kind, or not a BERT
// model.
ModelConfig load_config(const std::filesystem::path& file);
nlohmann::json to_json(const ModelConfig& config);

}  // namespace relmpi
