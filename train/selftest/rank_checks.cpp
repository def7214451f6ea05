#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/gradient_reducer.h"
#include "train/selftest/selftest.h"

namespace relmpi {
namespace {

// Small whole numbers, other ones on neighbouring ranks; every type sums those of 50 ranks exactly.
at::Tensor numbers(int rank, std::int64_t size, const at::TensorOptions& options) {
  const at::Tensor whole = at::arange(size, options.dtype(at::kLong)) % 3 + rank % 4;
  return whole.to(c10::typeMetaToScalarType(options.dtype()));
}

// In int64, of the numbers of ranks first, first + 1, ..
at::Tensor sum_of_all(int ranks, int first, std::int64_t size, const at::TensorOptions& options) {
  at::Tensor sum = numbers(first, size, options.dtype(at::kLong));
  for (int rank = 1; rank < ranks; ++rank) sum += numbers(first + rank, size, options.dtype(at::kLong));
  return sum;
}

std::string sums_are_right(Communicator& ranks, at::Device device) {
  if (ranks.size() == 1) throw Skip("one rank: start it under mpirun to check sums over ranks");
  for (const auto& [dtype, type] : {std::pair{at::kFloat, ReduceType::kFloat32},
                                    {at::kDouble, ReduceType::kFloat64},
                                    {at::kHalf, ReduceType::kFloat16},
                                    {at::kBFloat16, ReduceType::kBFloat16},
                                    {at::kLong, ReduceType::kInt64}})
    for (const std::int64_t size : {1, 1000, 1 << 20}) {
      const at::TensorOptions options = at::TensorOptions(device).dtype(dtype);
      at::Tensor values = numbers(ranks.rank(), size, options);
      ranks.all_reduce(values.data_ptr(), size, type, current_stream(device));
      if (!values.to(at::kLong).equal(sum_of_all(ranks.size(), 0, size, options)))
        throw Fault(fmt::format("the sum of {} numbers of type {} over {} ranks is wrong", size,
                                c10::toString(dtype), ranks.size()));
    }
  return fmt::format("{} ranks by {}: five types, up to 2^20 numbers, all sums right", ranks.size(),
                     ranks.backend());
}

// A backward pass whose gradients are summed while it goes on.
std::string gradients_are_summed(Communicator& ranks, at::Device device) {
  if (ranks.size() == 1) throw Skip("one rank");
  constexpr std::int64_t kLeaves = 5, kSize = 40000;
  at::Tensor flat = at::zeros({kLeaves * kSize}, at::TensorOptions(device));
  std::vector<at::Tensor> leaves;
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < kLeaves; ++i) {
    offsets.push_back(i * kSize);
    leaves.push_back(at::zeros({kSize}, flat.options()).requires_grad_(true));
    leaves.back().mutable_grad() = flat.narrow(0, offsets.back(), kSize);
  }
  GradientReducer reducer(ranks, leaves, offsets, flat, flat.numel(), {.bucket_bytes = 2 * kSize * 4});
  for (int step = 0; step < 3; ++step) {
    flat.zero_();
    const at::Tensor values = numbers(ranks.rank() + step, kSize, flat.options());
    at::Tensor loss = at::zeros({}, flat.options());
    for (const at::Tensor& leaf : leaves) loss = loss + (leaf * values).sum();
    reducer.arm();
    loss.backward();
    reducer.finish();
    const at::Tensor wanted = sum_of_all(ranks.size(), step, kSize, flat.options());
    for (const at::Tensor& leaf : leaves)
      if (!leaf.grad().to(at::kLong).equal(wanted))
        throw Fault("gradients that travel during the backward pass are wrong");
  }
  return "3 steps in buckets, all sums right";
}

}  // namespace

std::vector<Check> rank_checks(Communicator& ranks, at::Device device) {
  return {{"all-reduce", [&ranks, device] { return sums_are_right(ranks, device); }},
          {"gradient buckets", [&ranks, device] { return gradients_are_summed(ranks, device); }}};
}

}  // namespace relmpi
