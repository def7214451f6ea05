#include "model/dgca/tiny_model.h"

#include <fmt/format.h>

#include "base/torch_headers.h"
#include "model/dgca/initialise.h"

namespace relmpi {

constexpr std::int64_t kVocabulary = 40;

namespace {

// Biases and norms of a new model are zeros and ones, which hide a bias that is added twice.
void move_from_zeros_and_ones(Parameters& parameters) {
  const at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(11);
  for (auto& [name, view] : parameters.named_views(parameters.flat()))
    if (view.dim() == 1)
      view.add_(at::randn(view.sizes(), generator, at::kFloat).mul_(0.2).to(view.device()));
  parameters.refresh_copy();
}

}  // namespace

Model tiny_model(at::Device device, std::int64_t layers) {
  Model model;
  ModelConfig& c = model.config;
  c.vocab_size = kVocabulary;
  c.hidden_size = 64;
  c.num_attention_heads = 4;
  c.num_hidden_layers = layers;
  c.intermediate_size = 128;
  c.candidates = 3;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = 0;
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  model.candidates = {.vocabulary_size = kVocabulary, .width = 3};
  for (std::int32_t id = 0; id < kVocabulary; ++id) {
    if (id >= 5) bytes += fmt::format("w{}\n", id);
    const bool plain = id >= 5 && id + 2 < kVocabulary;
    for (const std::int32_t other : {id, plain ? id + 1 : -1, plain ? id + 2 : -1})
      model.candidates.ids.push_back(other);
  }
  model.vocabulary = std::make_shared<Vocabulary>(Vocabulary::from_bytes(bytes, "test"));
  model.parameters = std::make_shared<Parameters>(parameter_specs(c), device);
  initialise(*model.parameters, c, {.seed = 3});
  move_from_zeros_and_ones(*model.parameters);
  return model;
}

TinyRows::TinyRows() {
  for (std::int64_t b = 0; b < kRows; ++b) {
    lengths_.push_back(static_cast<std::int32_t>(kWidth - b));
    sentences_.push_back(b);
    for (std::int64_t i = 0; i < kWidth; ++i) {
      source_.push_back(static_cast<std::int32_t>(i < lengths_.back() ? 5 + (7 * b + 3 * i) % 30 : 0));
      target_.push_back(source_.back() > 0 && i % 4 == 1 ? source_.back() + 1 : source_.back());
    }
  }
}

Batch TinyRows::rows(std::int64_t begin, std::int64_t count) {
  return {.rows = count,
          .width = kWidth,
          .source = source_.data() + begin * kWidth,
          .target = target_.data() + begin * kWidth,
          .lengths = lengths_.data() + begin,
          .sentences = sentences_.data() + begin};
}

}  // namespace relmpi
