#include "model/decoding/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/torch_headers.h"
#include "model/decoding/device_sampling.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(Sampling, FiltersAreThoseOfHuggingFace) {
  const auto of = [](SamplingOptions options, const Ids& history = {}) {
    std::vector<float> logits;
    for (const double p : {0.1, 0.4, 0.3, 0.15, 0.05}) logits.push_back(static_cast<float>(std::log(p)));
    return candidates(logits, history, options);
  };
  const auto tokens = [](const std::vector<Candidate>& list) {
    Ids ids;
    for (const Candidate& one : list) ids.push_back(one.token);
    return ids;
  };
  EXPECT_EQ(tokens(of({.temperature = 1})), (Ids{0, 1, 2, 3, 4}));
  EXPECT_NEAR(of({.temperature = 1})[2].probability, 0.3, 1e-6);
  EXPECT_NEAR(of({.temperature = 0.5})[1].probability, 0.16 / (0.16 + 0.09 + 0.0225 + 0.01 + 0.0025), 1e-6);
  EXPECT_EQ(tokens(of({.temperature = 1, .top_k = 2})), (Ids{1, 2}));
  EXPECT_NEAR(of({.temperature = 1, .top_k = 2})[0].probability, 4.0 / 7, 1e-6);
  EXPECT_EQ(tokens(of({.temperature = 1, .top_p = 0.71})), (Ids{1, 2, 3}));
  EXPECT_EQ(tokens(of({.temperature = 1, .top_p = 0.01})), (Ids{1}));
  EXPECT_EQ(tokens(of({.temperature = 1, .min_p = 0.3})), (Ids{1, 2, 3}));
  // Once, though it is there twice; log 0.4 < 0 is multiplied.
  const auto weakened = of({.temperature = 1, .repetition_penalty = 2}, {1, 1});
  EXPECT_NEAR(weakened[1].probability / weakened[2].probability, 0.16 / 0.3, 1e-6);
  std::vector<float> tied{1, 2, 2, 2, 0};
  EXPECT_EQ(tokens(candidates(tied, {}, {.temperature = 1, .top_k = 2})), (Ids{1, 2, 3}))
      << "equal to the last";
}

// All tokens sorted, filter after filter.
std::vector<Candidate> slow_candidates(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<Candidate> list;
  for (std::size_t i = 0; i < logits.size(); ++i)
    list.push_back({static_cast<std::int32_t>(i), std::exp(logits[i] / options.temperature)});
  std::stable_sort(list.begin(), list.end(),
                   [](const Candidate& a, const Candidate& b) { return a.probability > b.probability; });
  if (options.top_k > 0) list.resize(std::min(list.size(), static_cast<std::size_t>(options.top_k)));
  const auto normalise = [&] {
    double sum = 0;
    for (const Candidate& one : list) sum += one.probability;
    for (Candidate& one : list) one.probability /= sum;
  };
  normalise();
  double sum = 0;
  std::size_t kept = 0;
  while (kept < list.size() && sum < options.top_p) sum += list[kept++].probability;
  if (options.top_p < 1) list.resize(kept);
  while (list.back().probability < options.min_p * list.front().probability) list.pop_back();
  normalise();
  std::sort(list.begin(), list.end(),
            [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
  return list;
}

TEST(Sampling, EqualsTheSlowTwin) {
  at::manual_seed(3);
  const std::vector<SamplingOptions> kinds{{.temperature = 0.7},
                                           {.temperature = 1, .top_k = 50},
                                           {.temperature = 2, .top_p = 0.9},
                                           {.temperature = 1, .top_p = 0.999},
                                           {.temperature = 1.3, .min_p = 0.05},
                                           {.temperature = 1, .top_k = 400, .top_p = 0.8, .min_p = 0.01}};
  for (const std::int64_t size : {1, 7, 1000})
    for (const SamplingOptions& options : kinds) {
      const at::Tensor random = at::randn({size}) * 3;
      std::vector<float> logits(random.data_ptr<float>(), random.data_ptr<float>() + size);
      const auto wanted = slow_candidates(logits, options), found = candidates(logits, {}, options);
      ASSERT_EQ(found.size(), wanted.size()) << size << " " << options.top_k << " " << options.top_p;
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].token, wanted[i].token);
        EXPECT_NEAR(found[i].probability, wanted[i].probability, 1e-12);
      }
    }
}

TEST(Sampling, OnTheDeviceTheTokensAreTheSame) {
  at::manual_seed(4);
  const std::vector<SamplingOptions> kinds{
      {},
      {.repetition_penalty = 1.3},
      {.temperature = 0.7},
      {.temperature = 1, .top_k = 5},
      {.temperature = 2, .top_p = 0.9},
      {.temperature = 1, .top_p = 1e-9},
      {.temperature = 1.3, .min_p = 0.05},
      {.temperature = 1, .top_k = 40, .top_p = 0.8, .min_p = 0.01, .repetition_penalty = 0.8}};
  const Ids text{3, 3, 0}, other{1};
  for (const std::int64_t size : {4, 50, 1000})
    for (const SamplingOptions& options : kinds)
      for (int draw = 0; draw < 20; ++draw) {
        const at::Tensor logits = (at::randn({2, size}) * 8).round_() / 4;  // some are equal
        const std::vector<double> uniforms{(draw + 0.37) / 20, draw == 0 ? 0.0 : 0.99999};
        const std::vector<std::span<const std::int32_t>> histories{text, other};
        const auto found = choose_tokens_on_device(logits.clone(), histories, options, uniforms);
        for (std::size_t row = 0; row < 2; ++row) {
          const at::Tensor copy = logits[static_cast<std::int64_t>(row)].clone();
          const std::span<float> values(copy.data_ptr<float>(), static_cast<std::size_t>(size));
          EXPECT_EQ(found[row], choose_token(values, histories[row], options, uniforms[row]))
              << size << " " << options.top_k << " " << options.top_p << " " << draw;
        }
      }
  const at::Tensor broken = at::tensor({1.0F, std::nanf(""), 2.0F}).view({1, 3});
  EXPECT_THROW(choose_tokens_on_device(broken, {text}, {}, {0.5}), RuntimeError);
}

TEST(Sampling, FollowsTheProbabilities) {
  std::vector<int> counts(3);
  for (int i = 0; i < 1000; ++i) {
    std::vector<float> logits{std::log(0.2F), std::log(0.5F), std::log(0.3F)};
    ++counts[static_cast<std::size_t>(choose_token(logits, {}, {.temperature = 1}, (i + 0.5) / 1000))];
  }
  EXPECT_EQ(counts, (std::vector<int>{200, 500, 300}));
  std::vector<float> tied{1, 3, 3};
  EXPECT_EQ(choose_token(tied, {}, {}, 0.9), 1) << "greedy: the first of equals";
  EXPECT_NE(input_error([] { SamplingOptions{.top_p = 0}.validate(); }).find("--top-p is 0"),
            std::string::npos);
  EXPECT_NE(input_error([] { SamplingOptions{.temperature = -1}.validate(); }).find("--temperature"),
            std::string::npos);
}

}  // namespace
}  // namespace relmpi
