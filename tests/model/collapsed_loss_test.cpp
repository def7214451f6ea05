// The losses as training computes them, against the same formulas over the full vocabulary.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/dgca/candidate_scores.h"
#include "model/dgca/vocabulary_head.h"

namespace relmpi {
namespace {

struct VocabularyCase {
  at::Tensor t, word, bias, labels;
};

VocabularyCase random_case(std::int64_t seed, std::int64_t n, std::int64_t v, std::int64_t h) {
  at::manual_seed(static_cast<std::uint64_t>(seed));
  return {at::randn({n, h}).requires_grad_(true), at::randn({v, h}).requires_grad_(true),
          at::randn({v}).requires_grad_(true), at::randint(v, {n}, at::kLong)};
}

// value and gradients of sum(f * weight) for both ways.
void expect_same(const VocabularyCase& c, std::int64_t chunk) {
  const at::Tensor weight = at::randn({c.t.size(0)});
  const at::Tensor full =
      at::log_softmax(at::matmul(c.t, c.word.t()) + c.bias, 1).gather(1, c.labels.unsqueeze(1)).squeeze(1);
  (full * weight).sum().backward();
  const at::Tensor grads[] = {c.t.grad().clone(), c.word.grad().clone(), c.bias.grad().clone()};
  for (const at::Tensor& leaf : {c.t, c.word, c.bias}) leaf.mutable_grad().zero_();
  const at::Tensor fast = vocabulary_log_probability(c.t, c.word, c.word.detach(), c.bias, c.labels, chunk);
  EXPECT_TRUE(at::allclose(fast, full, 1e-5, 1e-5));
  (fast * weight).sum().backward();
  EXPECT_TRUE(at::allclose(c.t.grad(), grads[0], 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(c.word.grad(), grads[1], 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(c.bias.grad(), grads[2], 1e-4, 1e-5));
}

TEST(VocabularyHead, EqualsFullDistributionForAnyChunk) {
  for (const std::int64_t chunk : {1, 7, 1000, 0}) expect_same(random_case(chunk, 23, 57, 16), chunk);
}

TEST(VocabularyHead, StaysFiniteWhereLogitsAreHuge) {
  VocabularyCase c = random_case(1, 5, 11, 8);
  const at::Tensor large = (c.t.detach() * 1e4).requires_grad_(true);
  const at::Tensor log_p = vocabulary_log_probability(large, c.word, c.word.detach(), c.bias, c.labels);
  EXPECT_TRUE(log_p.isfinite().all().item<bool>());
  log_p.sum().backward();
  EXPECT_TRUE(large.grad().isfinite().all().item<bool>());
}

// The (N, K, H) gather that the CPU kernel does without.
TEST(CandidateScores, EqualGatheredProducts) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    at::manual_seed(seed);
    const std::int64_t n = 1 + static_cast<std::int64_t>(seed) * 7,
                       k = 1 + static_cast<std::int64_t>(seed) % 16, v = 40,
                       h = 8 + static_cast<std::int64_t>(seed) * 9;
    const at::Tensor hidden = at::randn({n, h}).requires_grad_(true),
                     word = at::randn({v, h}).requires_grad_(true);
    const at::Tensor candidates = at::randint(-1, v, {n, k}, at::kLong);
    const at::Tensor weight = at::randn({n, k});
    const at::Tensor gathered = at::embedding(word, candidates.clamp_min(0));
    const at::Tensor slow = at::einsum("nkh,nh->nk", {gathered, hidden}).masked_fill(candidates.lt(0), 0);
    (slow * weight).sum().backward();
    const at::Tensor grad_hidden = hidden.grad().clone(), grad_word = word.grad().clone();
    hidden.mutable_grad().zero_();
    word.mutable_grad().zero_();
    const at::Tensor fast = candidate_scores(hidden, word, word.detach(), candidates);
    EXPECT_TRUE(at::allclose(fast, slow, 1e-4, 1e-4)) << "seed " << seed;
    (fast * weight).sum().backward();
    EXPECT_TRUE(at::allclose(hidden.grad(), grad_hidden, 1e-4, 1e-4)) << "seed " << seed;
    EXPECT_TRUE(at::allclose(word.grad(), grad_word, 1e-4, 1e-4)) << "seed " << seed;
  }
}

TEST(CandidateScores, SameBitsForAnyNumberOfThreads) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({300, 200}), word = at::randn({50, 200});
  const at::Tensor candidates = at::randint(-1, 50, {300, 16}, at::kLong);
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor leaf = word.clone().requires_grad_(true);
    const at::Tensor scores = candidate_scores(hidden, leaf, word, candidates);
    scores.pow(2).sum().backward();
    results.push_back(at::cat({scores.detach().view(-1), leaf.grad().view(-1)}));
  }
  EXPECT_TRUE(results[0].equal(results[1]));
  EXPECT_TRUE(results[0].equal(results[2]));
}

}  // namespace
}  // namespace relmpi
