// The gradient reducer against one all-reduce per leaf, for any leaves, buckets, micro-batches and any part
// of the leaves in use, under mpirun. rapidcheck draws the same cases on every rank, and the ranks agree on
// each verdict, so that they also go through the same smaller cases after a failure.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/communicator.h"
#include "dist/ranks/gradient_reducer.h"
#include "tests/dist/leaves.h"

namespace relmpi {
namespace {

Communicator* world = nullptr;

struct Case {
  std::vector<std::int64_t> sizes;  // of the leaves
  std::size_t reduced = 0;          // the first ones; the others stay with their rank
  std::int64_t bucket_bytes = 0;
  at::ScalarType dtype = at::kFloat;
  int steps = 0;
  std::vector<int> micro_batches;  // of each rank
  int unused = 0;                  // of ten leaves of a micro-batch
  std::uint64_t seed = 0;          // of everything else
};

Case any_case() {
  Case c;
  c.sizes = *rc::gen::nonEmpty(rc::gen::resize(
      20, rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(1, 60))));
  c.reduced = *rc::gen::inRange<std::size_t>(0, c.sizes.size() + 1);
  c.bucket_bytes = *rc::gen::inRange<std::int64_t>(1, 1000);
  c.dtype = *rc::gen::element(at::kFloat, at::kBFloat16, at::kHalf);
  c.steps = *rc::gen::inRange(1, 4);
  c.micro_batches =
      *rc::gen::container<std::vector<int>>(static_cast<std::size_t>(world->size()), rc::gen::inRange(0, 4));
  c.unused = *rc::gen::inRange(0, 11);
  c.seed = *rc::gen::arbitrary<std::uint64_t>();
  return c;
}

// Gradient of a leaf in one micro-batch of a rank; undefined if its rows do not use the leaf. Small whole
// numbers: their sums are exact in every type, whatever their order.
at::Tensor gradient_of(const Case& c, int step, int rank, int micro_batch, std::size_t leaf) {
  Random random(c.seed, "gradient", step, rank, micro_batch, leaf);
  if (static_cast<int>(random.below(10)) < c.unused) return {};
  at::Tensor gradient = at::empty({c.sizes[leaf]});
  for (std::int64_t i = 0; i < c.sizes[leaf]; ++i)
    gradient.data_ptr<float>()[i] = static_cast<float>(random.below(9)) - 4;
  return gradient;
}

// The backward pass of a micro-batch; leaves get their gradients in an order of this rank's own.
void backward(const Case& c, const Leaves& x, int step, int micro_batch) {
  std::vector<std::size_t> order(c.sizes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Random(c.seed, "order of use", step, world->rank(), micro_batch).shuffle(order);
  at::Tensor loss;
  for (const std::size_t leaf : order) {
    const at::Tensor gradient = gradient_of(c, step, world->rank(), micro_batch, leaf);
    if (!gradient.defined()) continue;
    const at::Tensor term = (x.leaves[leaf] * gradient).sum();
    loss = loss.defined() ? loss + term : term;
  }
  if (loss.defined()) loss.backward();
}

// One all-reduce per leaf of the sums over this rank's micro-batches.
at::Tensor expected(const Case& c, const Leaves& x, int step) {
  at::Tensor flat = at::zeros_like(x.flat);
  for (std::size_t leaf = 0; leaf < c.sizes.size(); ++leaf) {
    at::Tensor part = flat.narrow(0, x.offsets[leaf], c.sizes[leaf]);
    for (int m = 0; m < c.micro_batches[static_cast<std::size_t>(world->rank())]; ++m) {
      const at::Tensor gradient = gradient_of(c, step, world->rank(), m, leaf);
      if (gradient.defined()) part += gradient;
    }
    if (leaf < c.reduced) world->all_reduce(part.data_ptr(), part.numel(), ReduceType::kFloat32);
  }
  return flat;
}

bool right_everywhere(bool right) {
  std::int64_t wrong = right ? 0 : 1;
  world->all_reduce_host(&wrong, 1, ReduceType::kInt64);
  return wrong == 0;
}

RC_GTEST_PROP(ReducerProperties, TheSumsOfOneAllReducePerLeaf, ()) {
  const Case c = any_case();
  Leaves x(c.sizes);
  const std::int64_t end = x.offsets[c.reduced];
  GradientReducer reducer(*world, x.leaves, {x.offsets.begin(), x.offsets.end() - 1}, x.flat, end,
                          {.bucket_bytes = c.bucket_bytes, .dtype = c.dtype});
  for (int step = 0; step < c.steps; ++step) {
    x.flat.zero_();
    const int micro_batches = c.micro_batches[static_cast<std::size_t>(world->rank())];
    for (int m = 0; m < micro_batches; ++m) {
      if (m + 1 == micro_batches) reducer.arm();
      backward(c, x, step, m);
    }
    reducer.finish();
    RC_ASSERT(right_everywhere(x.flat.equal(expected(c, x, step))));
  }
  const std::int64_t bytes = end * (c.dtype == at::kFloat ? 4 : 2) * c.steps;
  RC_ASSERT(right_everywhere(reducer.bytes_reduced() == (world->size() > 1 ? bytes : 0)));
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  at::set_num_threads(1);
  const auto communicator = relmpi::make_communicator({.timeout_seconds = 60});
  relmpi::world = communicator.get();
  const char* chosen = std::getenv("RC_PARAMS");
  const std::string parameters =
      communicator->broadcast_bytes(chosen != nullptr ? chosen : "seed=7 max_success=200");
  ::setenv("RC_PARAMS", parameters.c_str(), 1);
  const int result = RUN_ALL_TESTS();
  std::int64_t failed = result;
  communicator->all_reduce_host(&failed, 1, relmpi::ReduceType::kInt64);
  return failed == 0 ? 0 : 1;
}
