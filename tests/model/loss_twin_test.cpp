// The losses as training computes them (collapsed vocabulary, gathered scores, chunks) against the full
// distributions: values and gradients on random batches with everything that is odd.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/torch_headers.h"
#include "full_distribution.h"
#include "model/dgca/initialise.h"
#include "model/dgca/parameters.h"

namespace relmpi {
namespace {

constexpr int kCases = 1000;
// Where p_y is near 1, 1 - p_y has few digits left in fp32, whichever way it is computed.
constexpr double kGradient = 1e-3;
constexpr std::int64_t kSpecial = 5;  // [PAD] [UNK] [CLS] [SEP] [MASK]

std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

Vocabulary vocabulary_of(std::int64_t size) {
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (std::int64_t i = kSpecial; i < size; ++i) bytes += fmt::format("w{}\n", i);
  return Vocabulary::from_bytes(bytes, "test");
}

ModelConfig random_config(Random& random) {
  ModelConfig c;
  c.hidden_size = 8 * between(random, 1, 4);
  c.num_attention_heads = 2;
  c.num_hidden_layers = 1;
  c.intermediate_size = 16;
  c.vocab_size = between(random, 12, 70);
  c.candidates = between(random, 1, 9);
  c.prompt_length = between(random, 0, 2);
  c.ablation = std::array{Ablation::kFull, Ablation::kFull, Ablation::kDetectorOnly, Ablation::kCandidateOnly,
                          Ablation::kBaseline}[random.below(5)];
  c.output = random.below(3) == 0 ? Output::kCandidates : Output::kMixture;
  c.candidate_source = random.below(4) == 0 ? CandidateSource::kAsPublished : CandidateSource::kSource;
  c.head_dropout = 0;
  return c;
}

// Itself first, then some others without repetition; every fifth character has none at all.
CandidateTable random_table(const ModelConfig& c, Random& random) {
  CandidateTable table{.vocabulary_size = static_cast<std::int32_t>(c.vocab_size),
                       .width = static_cast<std::int32_t>(c.candidates)};
  for (std::int64_t id = 0; id < c.vocab_size; ++id) {
    std::vector<std::int32_t> row;
    if (random.below(5) != 0) {
      row.push_back(static_cast<std::int32_t>(id));
      const std::int64_t wanted = between(random, 1, c.candidates);
      for (int tries = 0; tries < 40 && static_cast<std::int64_t>(row.size()) < wanted; ++tries) {
        const auto other = static_cast<std::int32_t>(between(random, kSpecial, c.vocab_size - 1));
        if (std::ranges::find(row, other) == row.end()) row.push_back(other);
      }
    }
    row.resize(static_cast<std::size_t>(c.candidates), -1);
    table.ids.insert(table.ids.end(), row.begin(), row.end());
  }
  return table;
}

struct RandomBatch {
  std::vector<std::int32_t> source, target, lengths;
  std::vector<std::int64_t> sentences;
  std::vector<std::uint8_t> masked;
  std::int64_t width = 0;

  RandomBatch(const ModelConfig& c, const CandidateTable& table, Random& random) {
    const std::int64_t rows = between(random, 1, 4);
    for (std::int64_t b = 0; b < rows; ++b) {
      lengths.push_back(static_cast<std::int32_t>(between(random, 1, 7)));
      width = std::max<std::int64_t>(width, lengths.back());
      sentences.push_back(b);
    }
    source.assign(static_cast<std::size_t>(rows * width), 0);
    target = source;
    const auto masking = random.below(4);  // none, some, all, a whole row
    for (std::int64_t b = 0; b < rows; ++b)
      for (std::int64_t i = 0; i < lengths[static_cast<std::size_t>(b)]; ++i) {
        const auto at = static_cast<std::size_t>(b * width + i);
        source[at] = static_cast<std::int32_t>(between(random, kSpecial, c.vocab_size - 1));
        target[at] = source[at];
        if (random.below(3) == 0) {  // a candidate, or anything
          const auto k = static_cast<std::size_t>(source[at] * table.width) +
                         random.below(static_cast<std::uint64_t>(table.width));
          target[at] = table.ids[k] >= 0
                           ? table.ids[k]
                           : static_cast<std::int32_t>(between(random, kSpecial, c.vocab_size - 1));
        } else if (random.below(6) == 0) {
          target[at] = static_cast<std::int32_t>(between(random, kSpecial, c.vocab_size - 1));
        }
        masked.push_back(masking == 2 || (masking == 1 && random.below(3) == 0) || (masking == 3 && b == 0));
      }
  }

  Batch batch() {
    return {.rows = static_cast<std::int64_t>(lengths.size()),
            .width = width,
            .source = source.data(),
            .target = target.data(),
            .lengths = lengths.data(),
            .sentences = sentences.data()};
  }
};

struct Case {
  ModelConfig config;
  CandidateTable table;
  std::shared_ptr<Parameters> parameters;
  Inputs inputs;
  LossCounts counts;
  at::Tensor hidden;  // (B * S, H) leaf
  LossOptions options;

  at::Tensor device_table() const {
    if (!config.has_candidates()) return {};
    return at::tensor(table.ids, at::kInt).view({table.vocabulary_size, table.width});
  }
};

Case random_case(std::uint64_t seed) {
  Random random(seed, "loss twin");
  Case one;
  one.config = random_config(random);
  one.table = one.config.has_candidates() ? random_table(one.config, random) : CandidateTable{};
  one.parameters = std::make_shared<Parameters>(parameter_specs(one.config), at::kCPU);
  // A gate far open or far shut: alpha at 0 and 1 in the limit.
  const double bias = std::array{0.0, 0.0, 40.0, -40.0}[random.below(4)];
  initialise(*one.parameters, one.config, {.seed = seed, .gate_bias = bias});
  const at::NoGradGuard no_grad;
  at::manual_seed(seed);
  one.parameters->flat().mul_(10);  // away from uniform distributions
  if (random.below(3) == 0) {       // equal embeddings: ties in every score
    at::Tensor word = one.parameters->leaf("bert.embeddings.word_embeddings.weight").detach();
    word.narrow(0, kSpecial, 4).copy_(word.narrow(0, kSpecial, 1).expand({4, word.size(1)}));
  }
  RandomBatch batch(one.config, one.config.has_candidates() ? one.table : random_table(one.config, random),
                    random);
  const InputBuilder builder(one.config, vocabulary_of(one.config.vocab_size), one.table);
  one.inputs = builder.build(batch.batch(), batch.masked, at::kCPU, &one.counts);
  one.hidden = at::randn({one.inputs.rows * one.inputs.width, one.config.hidden_size});
  one.options.vocabulary_chunk = std::array<std::int64_t, 4>{0, 1, 7, 1000}[random.below(4)];
  return one;
}

struct Outcome {
  at::Tensor sums, grad_hidden, grad;
};

Outcome run(const Case& one, bool fast, at::ScalarType dtype = at::kFloat) {
  one.parameters->flat_grad().zero_();
  one.parameters->keep_copy(dtype);
  const Weights weights = make_weights(*one.parameters, one.config, dtype);
  const at::Tensor hidden = one.hidden.clone().requires_grad_(true);
  const at::Tensor low = hidden.to(dtype);
  const LossSums sums =
      fast ? loss_sums(weights, one.config, one.inputs,
                       run_heads(weights, one.config, one.inputs, low, one.device_table(), Mode::kTrain),
                       one.options)
           : full_distribution_losses(weights, one.config, one.inputs, low, one.device_table(), one.options);
  total_loss(sums, one.counts, one.options).backward();
  return {sums.stacked(), hidden.grad(), one.parameters->flat_grad().clone()};
}

// Of the largest element; `floor`: what counts as large.
double relative_error(const at::Tensor& a, const at::Tensor& b, double floor) {
  const double scale = std::max(floor, b.abs().max().item<double>());
  return (a - b).abs().max().item<double>() / scale;
}

TEST(LossTwin, EqualsTheFullDistributionsOnRandomCases) {
  at::set_num_threads(1);  // tiny tensors: threads would only wait for each other
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    const Case one = random_case(seed);
    const Outcome fast = run(one, true), slow = run(one, false);
    ASSERT_LT(relative_error(fast.sums, slow.sums, 1), 1e-5) << "losses of case " << seed << "\n"
                                                             << fast.sums << "\n"
                                                             << slow.sums;
    ASSERT_LT(relative_error(fast.grad_hidden, slow.grad_hidden, 1e-4), kGradient)
        << "hidden of case " << seed;
    ASSERT_LT(relative_error(fast.grad, slow.grad, 1e-4), kGradient) << "parameters of case " << seed;
  }
}

// Hidden states far beyond what a LayerNorm lets out, alpha at its limits: no infinity, no NaN.
TEST(LossTwin, StaysFiniteInHalfPrecision) {
  at::set_num_threads(1);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const double largest : {1.0, 30.0, 1e3}) {
      Case one = random_case(seed);
      one.parameters->flat().mul_(0.1);
      one.hidden = one.hidden * (largest / one.hidden.abs().max().item<double>());
      const Outcome fast = run(one, true, at::kHalf);
      ASSERT_TRUE(fast.sums.isfinite().all().item<bool>())
          << "losses of case " << seed << " up to " << largest;
      ASSERT_TRUE(fast.grad.isfinite().all().item<bool>())
          << "gradients of case " << seed << " up to " << largest;
    }
  }
}

}  // namespace
}  // namespace relmpi
