// Collectives and the gradient reducer, run under mpirun with 1 to 4 ranks: every rank runs every test.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include <atomic>

#include "base/torch_headers.h"
#include "dist/devices/mpi_call.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/communicator.h"
#include "dist/ranks/gradient_reducer.h"
#include "dist/ranks/share.h"
#include "tests/dist/leaves.h"

namespace relmpi {
namespace {

Communicator* world = nullptr;

// Rank r's tensor: the same on every rank that asks for it.
at::Tensor data_of(int rank, std::int64_t size) {
  at::manual_seed(static_cast<std::uint64_t>(100 + rank));
  return at::randn({size});
}

at::Tensor sum_of_all(std::int64_t size) {
  at::Tensor sum = at::zeros({size}, at::kDouble);
  for (int rank = 0; rank < world->size(); ++rank) sum += data_of(rank, size);
  return sum;
}

TEST(Ranks, AllReduceSumsEveryType) {
  at::Tensor data = data_of(world->rank(), 1000);
  world->all_reduce(data.data_ptr(), 1000, ReduceType::kFloat32);
  EXPECT_TRUE(at::allclose(data.to(at::kDouble), sum_of_all(1000), 1e-5, 1e-5));
  at::Tensor low = data_of(world->rank(), 1000).to(at::kBFloat16);
  world->all_reduce(low.data_ptr(), 1000, ReduceType::kBFloat16);
  EXPECT_TRUE(at::allclose(low.to(at::kDouble), sum_of_all(1000), 3e-2, 6e-2));
  at::Tensor half = data_of(world->rank(), 1000).to(at::kHalf);
  world->all_reduce(half.data_ptr(), 1000, ReduceType::kFloat16);
  EXPECT_TRUE(at::allclose(half.to(at::kDouble), sum_of_all(1000), 4e-3, 8e-3));
  std::int64_t count = world->rank() + 1;
  world->all_reduce_host(&count, 1, ReduceType::kInt64);
  EXPECT_EQ(count, world->size() * (world->size() + 1) / 2);
}

TEST(Ranks, AnMpiCallThatFailsIsNamedWithItsRankAndReason) {
  try {
    demand_mpi(MPI_Send(nullptr, 0, MPI_CHAR, world->size(), 0, MPI_COMM_WORLD), "MPI_Send");
    ADD_FAILURE() << "a message to a rank that is not there was sent";
  } catch (const RuntimeError& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with(fmt::format("rank {}: MPI_Send failed: ", world->rank()))) << text;
    EXPECT_NE(text.find("invalid rank"), std::string::npos) << text;
  }
}

TEST(Ranks, EveryRankHasTheSameBits) {
  at::Tensor data = data_of(world->rank(), 100'003);
  world->all_reduce(data.data_ptr(), data.numel(), ReduceType::kFloat32);
  const auto all = world->gather_bytes({static_cast<const char*>(data.data_ptr()), data.nbytes()});
  for (const std::string& other : all) EXPECT_EQ(other, all[0]);
}

TEST(Ranks, BytesTravelWhole) {
  const std::string mine(static_cast<std::size_t>(world->rank()) * 70'000,
                         static_cast<char>('a' + world->rank()));
  const auto all = world->gather_bytes(mine);
  if (world->rank() == 0) {
    ASSERT_EQ(all.size(), static_cast<std::size_t>(world->size()));
    for (int r = 0; r < world->size(); ++r)
      EXPECT_EQ(all[static_cast<std::size_t>(r)],
                std::string(static_cast<std::size_t>(r) * 70'000, static_cast<char>('a' + r)));
  } else {
    EXPECT_TRUE(all.empty());
  }
  const std::string sent(123'457, 'x');
  EXPECT_EQ(world->broadcast_bytes(world->rank() == 0 ? sent : "other"), sent);
  EXPECT_EQ(world->broadcast_bytes(""), "");
}

TEST(Ranks, EachBlockIsDealtOnceAndLinesComeBackInOrder) {
  for (const std::int64_t blocks : {0, 1, 3, 10}) {
    std::vector<NumberedLine> mine;
    for (Share share(*world, blocks); const auto block = share.next();) {
      EXPECT_EQ(*block % world->size(), world->rank());
      // Of any length and any bytes; the last first, as no order is asked of a rank.
      mine.insert(mine.begin(), {*block, std::string(static_cast<std::size_t>(*block), '\0') + "\n"});
    }
    const auto all = gather_lines(*world, mine);
    ASSERT_EQ(all.size(), world->rank() == 0 ? static_cast<std::size_t>(blocks) : 0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].number, static_cast<std::int64_t>(i));
      EXPECT_EQ(all[i].line, std::string(i, '\0') + "\n");
    }
  }
}

TEST(Ranks, LinesOfOneNumberKeepTheOrderOfTheRanks) {
  const NumberedLine mine{7, fmt::format("rank {}", world->rank())};
  const auto all = gather_lines(*world, {&mine, 1});
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].line, fmt::format("rank {}", i));
}

TEST(Ranks, CountsAddUp) {
  std::array<std::int64_t, 3> counts{world->rank(), 1, std::int64_t{1} << 60};
  add_up(*world, counts);
  const std::int64_t size = world->size();
  EXPECT_EQ(counts, (std::array<std::int64_t, 3>{size * (size - 1) / 2, size, size << 60}));
  add_up(*world, {});
}

TEST(Reducer, EqualsOneSumPerLeafForAnyBucketSize) {
  for (const std::int64_t bucket : {4, 64, 1000, 1 << 20}) {
    Leaves x({5, 17, 1, 300, 2, 40});
    const std::int64_t total = x.flat.numel(), end = x.offsets[5];  // the last leaf stays with its rank
    GradientReducer reducer(*world, x.leaves, x.offsets, x.flat, end, {.bucket_bytes = bucket});
    for (int step = 0; step < 3; ++step) {
      x.flat.zero_();
      const at::Tensor weight = data_of(world->rank(), total);
      at::Tensor loss = at::zeros({});
      for (std::size_t i = 0; i < x.leaves.size(); ++i) {
        if (i == 3 && world->rank() == 1) continue;  // this rank's rows do not use that leaf
        loss = loss + (x.leaves[i] * weight.narrow(0, x.offsets[i], x.leaves[i].numel())).sum();
      }
      reducer.arm();
      loss.backward();
      reducer.finish();
      at::Tensor expected = sum_of_all(total);
      if (world->size() > 1)
        expected.narrow(0, x.offsets[3], 300) -= data_of(1, total).narrow(0, x.offsets[3], 300);
      EXPECT_TRUE(
          at::allclose(x.flat.narrow(0, 0, end).to(at::kDouble), expected.narrow(0, 0, end), 1e-5, 1e-5))
          << "bucket " << bucket << " step " << step;
      EXPECT_TRUE(at::allclose(x.flat.narrow(0, end, 40), weight.narrow(0, end, 40)));
    }
  }
}

TEST(Reducer, ARankWithoutRowsTakesPart) {
  Leaves x({8, 8});
  GradientReducer reducer(*world, x.leaves, x.offsets, x.flat, 16, {.bucket_bytes = 32});
  if (world->rank() == 0) {
    reducer.arm();
    (x.leaves[0] * 2 + x.leaves[1] * 3).sum().backward();
  }
  reducer.finish();
  EXPECT_TRUE(x.flat.narrow(0, 0, 8).eq(2).all().item<bool>());
  EXPECT_TRUE(x.flat.narrow(0, 8, 8).eq(3).all().item<bool>());
}

// Counts the all-reduces that pass.
class Counting : public Communicator {
 public:
  int rank() const override { return world->rank(); }
  int size() const override { return world->size(); }
  std::int64_t bucket_bytes() const override { return 32; }
  void all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) override {
    ++calls;
    world->all_reduce(data, count, type, stream);
  }
  std::atomic<int> calls = 0;
};

TEST(Reducer, TakesTheCommunicatorsBucketsAndOneForAllWithoutOverlap) {
  for (const bool overlap : {true, false}) {
    Leaves x({8, 8, 8});
    Counting counting;
    GradientReducer reducer(counting, x.leaves, x.offsets, x.flat, 24, {.overlap = overlap});
    x.flat.fill_(1);
    reducer.finish();
    EXPECT_TRUE(x.flat.narrow(0, 0, 24).eq(world->size()).all().item<bool>());
    EXPECT_EQ(counting.calls, world->size() == 1 ? 0 : overlap ? 3 : 1);
  }
}

TEST(Reducer, SendsHalfTheBytesInBf16) {
  Leaves x({1000});
  GradientReducer reducer(*world, x.leaves, x.offsets, x.flat, 1000, {.dtype = at::kBFloat16});
  x.flat.fill_(1.0 + world->rank());
  reducer.finish();
  const double sum = world->size() * (world->size() + 1) / 2.0;
  EXPECT_TRUE(x.flat.eq(sum).all().item<bool>());
  EXPECT_EQ(reducer.bytes_reduced(), world->size() > 1 ? 2000 : 0);
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  at::set_num_threads(1);
  const auto communicator = relmpi::make_communicator({.timeout_seconds = 60});
  relmpi::world = communicator.get();
  const int result = RUN_ALL_TESTS();
  std::int64_t failed = result;
  communicator->all_reduce_host(&failed, 1, relmpi::ReduceType::kInt64);
  return failed == 0 ? 0 : 1;
}
