// Prints what the losses need in memory, from the encoder's output to its gradient, beside the form with full
// distributions: BERT-base's sizes, 16 rows padded to 128 slots, fp32. For scripts/bench.

#include "base/torch_headers.h"
#include "dist/devices/peak_memory.h"
#include "full_distribution.h"
#include "model/dgca/initialise.h"

namespace relmpi {
namespace {

constexpr std::int64_t kRows = 16, kCharacters = 61, kVocabulary = 21128;

std::int64_t peak_of(const std::function<LossSums(const at::Tensor& hidden)>& losses,
                     const at::Tensor& hidden, const LossCounts& counts) {
  PeakMemory memory(at::kCPU);
  total_loss(losses(hidden), counts, LossOptions{}).backward();
  return memory.bytes();
}

int measure() {
  ModelConfig config;
  config.vocab_size = kVocabulary;
  config.num_hidden_layers = 1;
  config.head_dropout = 0;
  Parameters parameters(parameter_specs(config), at::kCPU);
  initialise(parameters, config, {.seed = 1});
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (std::int64_t i = 5; i < kVocabulary; ++i) bytes += fmt::format("w{}\n", i);
  CandidateTable table{.vocabulary_size = kVocabulary, .width = static_cast<std::int32_t>(config.candidates)};
  for (std::int64_t id = 0; id < kVocabulary; ++id)
    for (std::int64_t k = 0; k < config.candidates; ++k)
      table.ids.push_back(static_cast<std::int32_t>((id + 7 * k) % kVocabulary));
  const at::Tensor device_table = at::tensor(table.ids, at::kInt).view({kVocabulary, config.candidates});
  std::vector<std::int32_t> source, target, lengths(kRows, kCharacters);
  std::vector<std::int64_t> sentences(kRows);
  std::vector<std::uint8_t> masked;
  for (std::int64_t i = 0; i < kRows * kCharacters; ++i) {
    source.push_back(static_cast<std::int32_t>(5 + 13 * i % 20000));
    target.push_back(i % 10 == 0 ? source.back() + 7 : source.back());
    masked.push_back(i % 5 == 1);
  }
  const Batch batch{.rows = kRows,
                    .width = kCharacters,
                    .source = source.data(),
                    .target = target.data(),
                    .lengths = lengths.data(),
                    .sentences = sentences.data()};
  LossCounts counts;
  const Inputs inputs = InputBuilder(config, Vocabulary::from_bytes(bytes, "made up"), table)
                            .build(batch, masked, at::kCPU, &counts);
  const Weights weights = make_weights(parameters, config, at::kFloat);
  const at::Tensor hidden = at::randn({kRows * inputs.width, config.hidden_size}).requires_grad_(true);
  const auto collapsed = [&](const at::Tensor& h) {
    return loss_sums(weights, config, inputs,
                     run_heads(weights, config, inputs, h, device_table, Mode::kTrain), {});
  };
  const auto full = [&](const at::Tensor& h) {
    return full_distribution_losses(weights, config, inputs, h, device_table, {});
  };
  const std::int64_t ours = peak_of(collapsed, hidden, counts), theirs = peak_of(full, hidden, counts);
  fmt::print("{}\n", nlohmann::json{{"bytes", ours},
                                    {"full_distribution_bytes", theirs},
                                    {"ratio", static_cast<double>(ours) / static_cast<double>(theirs)}}
                         .dump());
  return 0;
}

}  // namespace
}  // namespace relmpi

int main() { return relmpi::measure(); }
