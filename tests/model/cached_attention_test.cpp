#include "model/llm/cached_attention.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/kernels/row_operations.h"
#include "tests/model/own_kernels_only.h"

namespace relmpi {
namespace {

struct Case {
  at::Tensor queries, keys, values;
};

Case random_case(const std::vector<Segment>& segments, std::int64_t heads, std::int64_t kv_heads,
                 std::int64_t head_dim, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(static_cast<std::uint64_t>(heads * 100 + kv_heads));
  std::int64_t rows = 0, sequences = 0;
  for (const Segment& segment : segments) {
    rows += segment.count;
    sequences = std::max(sequences, segment.sequence + 1);
  }
  return {at::randn({rows, heads, head_dim}).to(dtype),
          at::randn({sequences, kv_heads, 700, head_dim}).to(dtype),
          at::randn({sequences, kv_heads, 700, head_dim}).to(dtype)};
}

// Row by row and head by head, in doubles.
at::Tensor twin(const Case& c, const std::vector<Segment>& segments) {
  const std::int64_t heads = c.queries.size(1), group = heads / c.keys.size(1), size = c.queries.size(2);
  at::Tensor out = at::empty({c.queries.size(0), heads, size}, at::kDouble);
  for (const Segment& segment : segments)
    for (std::int64_t i = 0; i < segment.count; ++i)
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t slots = segment.start + i + 1;
        const auto of = [&](const at::Tensor& cache) {
          return cache[segment.sequence][h / group].narrow(0, 0, slots).to(at::kDouble);
        };
        const at::Tensor q = c.queries[segment.first + i][h].to(at::kDouble);
        const at::Tensor p = at::softmax(at::mv(of(c.keys), q) / std::sqrt(static_cast<double>(size)), 0);
        out[segment.first + i][h] = at::mv(of(c.values).t(), p);
      }
  return out.view({c.queries.size(0), -1});
}

CacheShape cache_of(const Case& c) {
  const std::int64_t kv_heads = c.keys.size(1);
  return {c.keys.size(0), kv_heads, c.queries.size(1) / kv_heads};
}

at::Tensor ours(const Case& c, const std::vector<Segment>& segments) {
  return cached_attention(c.queries, c.keys, c.values, plan_attention(segments, cache_of(c), c.queries));
}
at::Tensor portable_one(const Case& c, const std::vector<Segment>& segments) {
  return portable::cached_attention(c.queries, c.keys, c.values,
                                    portable::plan_attention(segments, cache_of(c), c.queries));
}

TEST(CachedAttention, EqualsTheSumOverSlots) {
  const std::vector<std::vector<Segment>> cases{
      {{0, 0, 1, 0}},                                  // the first token
      {{0, 0, 1, 600}},                                // several blocks of slots
      {{0, 0, 5, 0}, {1, 5, 1, 255}, {2, 6, 3, 256}},  // ragged, at the border of a block
      {{2, 0, 1, 4}, {0, 1, 1, 300}},                  // some sequences, in another order
      {{0, 0, 40, 0}, {1, 40, 30, 17}},                // long: libtorch's kernel, the second behind a prefix
      {{0, 0, 40, 0}, {1, 40, 2, 17}},
      {{0, 0, 2, 9}, {1, 2, 2, 9}, {2, 4, 2, 100}}};
  for (const auto& segments : cases)
    for (const auto& [heads, kv_heads] : {std::pair{2, 2}, {6, 2}, {9, 1}, {20, 2}}) {
      const Case c = random_case(segments, heads, kv_heads, 20);
      const at::Tensor wanted = twin(c, segments);
      EXPECT_LT((ours(c, segments) - wanted).abs().max().item<double>(), 2e-6)
          << segments.size() << " " << heads;
      EXPECT_LT((portable_one(c, segments) - wanted).abs().max().item<double>(), 2e-6) << segments.size();
    }
}

TEST(CachedAttention, InBfloat16RoundsOnce) {
  OWN_KERNELS_ONLY();
  const std::vector<Segment> segments{{0, 0, 3, 500}, {1, 3, 1, 10}};
  const Case c = random_case(segments, 9, 3, 64, at::kBFloat16);
  const at::Tensor wanted = twin(c, segments);
  EXPECT_TRUE(at::allclose(ours(c, segments).to(at::kDouble), wanted, 4.1e-3, 1e-5));  // half a unit is 2^-8
}

TEST(CachedAttention, ARowDoesNotDependOnTheOthers) {
  OWN_KERNELS_ONLY();
  const std::vector<Segment> both{{0, 0, 4, 290}, {1, 4, 4, 30}};
  const Case c = random_case(both, 6, 2, 16);
  const at::Tensor together = ours(c, both);
  for (std::int64_t i = 0; i < 4; ++i) {
    const Case one{c.queries.narrow(0, 4 + i, 1), c.keys, c.values};
    EXPECT_TRUE(at::equal(ours(one, {{1, 0, 1, 30 + i}}), together.narrow(0, 4 + i, 1))) << i;
  }
}

TEST(RowOperations, EqualLibtorchsOperators) {
  at::manual_seed(2);
  for (const auto& [dtype, near] : {std::pair{at::kFloat, 2e-6}, {at::kBFloat16, 8e-3}})
    for (const std::int64_t size : {1, 15, 16, 50, 576}) {
      const at::Tensor x = at::randn({5, 2 * size}).to(dtype), weight = at::randn({2 * size}).to(dtype);
      const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
      const at::Tensor norm = wide(portable::rms_norm(x.to(at::kDouble), weight.to(at::kDouble), 1e-6));
      EXPECT_TRUE(at::allclose(wide(rms_norm(x, weight, 1e-6)), norm, near, near)) << size;
      const at::Tensor gated = wide(portable::swiglu(wide(x)));
      EXPECT_TRUE(at::allclose(wide(swiglu(x)), gated, near, near)) << size;
    }
}

TEST(RowOperations, RotateAndStoreEqualsLibtorchsOperators) {
  at::manual_seed(3);
  const at::Tensor angles = at::rand({30, 8}) * 6;
  for (const bool normed : {false, true}) {
    RotaryWeights weights{angles.cos(), angles.sin(), {}, {}, {}, 1e-6};
    if (normed) {
      weights.q_norm = at::randn({16});
      weights.k_norm = at::randn({16});
      weights.heads_norm = portable::norms_of_heads(weights.q_norm, weights.k_norm, 6, 2);
    }
    RowPlaces places{at::tensor({2, 0, 0}, at::kLong), at::tensor({7, 0, 29}, at::kLong), {}};
    places.angles = portable::angles_of_rows(weights.cosines, weights.sines, places.positions);
    const at::Tensor qkv = at::randn({3, (6 + 2 * 2) * 16});
    const auto cache = [] { return at::zeros({3, 2, 30, 16}); };
    const at::Tensor keys = cache(), values = cache(), other_keys = cache(), other_values = cache();
    const at::Tensor q = rotate_and_store(qkv, weights, places, keys, values);
    const at::Tensor other = portable::rotate_and_store(qkv, weights, places, other_keys, other_values);
    EXPECT_TRUE(at::allclose(q, other, 1e-5, 1e-6));
    EXPECT_TRUE(at::allclose(keys, other_keys, 1e-5, 1e-6));
    EXPECT_TRUE(at::equal(values, other_values));
    EXPECT_EQ((keys != 0).sum().item<std::int64_t>(), 3 * 2 * 16) << "only the rows' places";
  }
}

}  // namespace
}  // namespace relmpi
