#include "data/loader/loader.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/files.h"
#include "data/loader/order.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using namespace testing;

constexpr std::size_t kSentences = 2345;

class LoaderTest : public ::testing::Test {
 protected:
  // Everything a step holds, as values.
  struct Row {
    std::vector<std::int32_t> source, target;
    std::int64_t sentence;
    bool operator==(const Row&) const = default;
  };
  struct Step {
    std::int64_t epoch, step;
    std::vector<std::vector<Row>> micro_batches;
    bool operator==(const Step&) const = default;
  };

  static Step copy(const StepBatches& batches) {
    Step result{batches.epoch, batches.step, {}};
    for (const Batch& batch : batches.micro_batches) {
      auto& rows = result.micro_batches.emplace_back();
      for (std::int64_t i = 0; i < batch.rows; ++i) {
        const std::int32_t* const source = batch.source + i * batch.width;
        const std::int32_t* const target = batch.target + i * batch.width;
        EXPECT_TRUE(
            std::all_of(source + batch.lengths[i], source + batch.width, [](auto id) { return id == 0; }));
        EXPECT_TRUE(
            std::all_of(target + batch.lengths[i], target + batch.width, [](auto id) { return id == 0; }));
        rows.push_back(
            {{source, source + batch.lengths[i]}, {target, target + batch.lengths[i]}, batch.sentences[i]});
      }
      EXPECT_EQ(batch.width, *std::max_element(batch.lengths, batch.lengths + batch.rows));
    }
    return result;
  }

  std::vector<Step> take(const LoaderOptions& options, std::int64_t count) const {
    Loader loader(dataset_, options);
    std::vector<Step> steps;
    for (std::int64_t i = 0; i < count; ++i) steps.push_back(copy(loader.next()));
    return steps;
  }

  static LoaderOptions options(int prefetch = 0) {
    LoaderOptions result;
    result.seed = 5;
    result.global_batch = 48;
    result.micro_batch = 10;
    result.prefetch = prefetch;
    return result;
  }
  static constexpr std::int64_t kSteps = (kSentences + 47) / 48;

  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    pairs_ = random_pairs(31, kSentences);
    const Vocabulary vocabulary = small_vocabulary();
    dataset_ = std::make_shared<const Dataset>(shard(*folder_, pairs_, vocabulary, 3), vocabulary);
  }
  static void TearDownTestSuite() {
    dataset_.reset();
    folder_.reset();
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  static inline std::vector<TextPair> pairs_;
  static inline std::shared_ptr<const Dataset> dataset_;
};

TEST_F(LoaderTest, RowsAreTheSentencesTheyNameEachOnceAnEpoch) {
  const Vocabulary vocabulary = small_vocabulary();
  const auto steps = take(options(), 2 * kSteps);
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<int> seen(kSentences);
    for (std::int64_t i = 0; i < kSteps; ++i) {
      const Step& step = steps[static_cast<std::size_t>(epoch * kSteps + i)];
      EXPECT_EQ(step.epoch, epoch);
      EXPECT_EQ(step.step, i);
      for (const auto& rows : step.micro_batches) {
        for (const Row& row : rows) {
          ++seen[static_cast<std::size_t>(row.sentence)];
          const TextPair& pair = pairs_[static_cast<std::size_t>(row.sentence)];
          ASSERT_EQ(row.source.size(), pair.source.size());
          for (std::size_t k = 0; k < pair.source.size(); ++k) {
            ASSERT_EQ(row.source[k], vocabulary.character_id(pair.source[k]));
            ASSERT_EQ(row.target[k], vocabulary.character_id(pair.target[k]));
          }
        }
      }
    }
    EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
  }
  EXPECT_FALSE(steps[0].micro_batches == steps[kSteps].micro_batches);
}

TEST_F(LoaderTest, ThreadNoThreadAndPreloadGiveTheSame) {
  const auto plain = take(options(0), 2 * kSteps + 3);
  EXPECT_TRUE(take(options(1), 2 * kSteps + 3) == plain);
  EXPECT_TRUE(take(options(7), 2 * kSteps + 3) == plain);
  for (const int prefetch : {0, 3}) {
    LoaderOptions preloaded = options(prefetch);
    preloaded.preload = true;
    EXPECT_TRUE(take(preloaded, 2 * kSteps + 3) == plain);
  }
}

TEST_F(LoaderTest, AnyNumberOfRanksSeesTheSameGlobalBatches) {
  const auto global = [&](int size) {
    std::vector<std::multiset<std::int64_t>> steps(kSteps);
    for (int rank = 0; rank < size; ++rank) {
      LoaderOptions mine = options(2);
      mine.rank = rank;
      mine.size = size;
      for (const Step& step : take(mine, kSteps)) {
        for (const auto& rows : step.micro_batches) {
          for (const Row& row : rows) steps[static_cast<std::size_t>(step.step)].insert(row.sentence);
        }
      }
    }
    return steps;
  };
  const auto one = global(1);
  for (const int size : {2, 3, 4, 7}) EXPECT_EQ(global(size), one) << size;
}

TEST_F(LoaderTest, ARankWithoutAPartGetsAnEmptyStep) {
  LoaderOptions mine = options();
  mine.size = 48;
  mine.rank = 47;
  const auto steps = take(mine, kSteps);
  static_assert(kSentences % 48 != 0);
  EXPECT_EQ(steps.front().micro_batches.size(), 1u);
  EXPECT_TRUE(steps.back().micro_batches.empty());
}

TEST_F(LoaderTest, MicroBatchesFollowTheLength) {
  for (const Step& step : take(options(), kSteps)) {
    std::size_t last = 0;
    for (std::size_t m = 0; m < step.micro_batches.size(); ++m) {
      if (m + 1 < step.micro_batches.size()) {
        EXPECT_EQ(step.micro_batches[m].size(), 10u);
      }
      for (const Row& row : step.micro_batches[m]) {
        EXPECT_LE(last, row.source.size());
        last = row.source.size();
      }
    }
  }
  LoaderOptions whole = options();
  whole.micro_batch = 0;
  for (const Step& step : take(whole, kSteps)) EXPECT_EQ(step.micro_batches.size(), 1u);
}

TEST_F(LoaderTest, AResumedLoaderGoesOnExactly) {
  const auto all = take(options(), 3 * kSteps);
  for (const std::int64_t at : {std::int64_t{1}, kSteps - 1, kSteps, kSteps + 7, 2 * kSteps + 5}) {
    for (const int prefetch : {0, 4}) {
      LoaderOptions resumed = options(prefetch);
      resumed.first_epoch = at / kSteps;
      resumed.first_step = at % kSteps;
      const auto rest = take(resumed, 3 * kSteps - at);
      EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + at, all.end())) << at;
    }
  }
  LoaderOptions at_end = options();
  at_end.first_step = kSteps;  // a run that stopped after the last step of an epoch
  EXPECT_TRUE(take(at_end, 1)[0] == all[kSteps]);
}

TEST_F(LoaderTest, AnEpochOfSeveralPools) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  constexpr std::size_t kMany = 140000;  // two pools of 65,536 and a small one
  const auto pairs = random_pairs(33, kMany, 3);
  const auto dataset = std::make_shared<const Dataset>(shard(folder, pairs, vocabulary, 2), vocabulary);
  LoaderOptions mine = options(2);
  mine.global_batch = 1000;
  mine.micro_batch = 0;
  const std::int64_t steps = Loader(dataset, mine).steps_per_epoch();
  const auto take_from = [&](const LoaderOptions& from, std::int64_t count) {
    Loader loader(dataset, from);
    std::vector<Step> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(copy(loader.next()));
    return result;
  };
  const auto all = take_from(mine, steps + 1);
  std::vector<int> seen(kMany);
  for (std::int64_t i = 0; i < steps; ++i) {
    for (const Row& row : all[static_cast<std::size_t>(i)].micro_batches.at(0)) {
      const auto sentence = static_cast<std::size_t>(row.sentence);
      ++seen[sentence];
      ASSERT_EQ(row.source.size(), pairs[sentence].source.size());
      ASSERT_EQ(row.source[0], vocabulary.character_id(pairs[sentence].source[0]));
      ASSERT_EQ(row.target[0], vocabulary.character_id(pairs[sentence].target[0]));
    }
  }
  EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
  for (const std::int64_t at : {std::int64_t{30}, std::int64_t{100}, steps - 1}) {  // in each of the pools
    LoaderOptions resumed = mine;
    resumed.prefetch = 0;
    resumed.first_step = at;
    const auto rest = take_from(resumed, steps + 1 - at);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + at, all.end())) << at;
  }
}

TEST_F(LoaderTest, ArraysLieAlignedInTheMemoryThatWasAskedFor) {
  std::map<const std::byte*, std::size_t> blocks;
  LoaderOptions mine = options();
  mine.allocate = [&](std::size_t bytes) {
    const auto memory = std::make_shared<std::vector<std::byte>>(bytes, std::byte{0x7F});
    blocks[memory->data()] = bytes;
    return std::shared_ptr<void>(memory, memory->data());
  };
  Loader loader(dataset_, mine);
  for (int i = 0; i < 5; ++i) {
    const StepBatches step = loader.next();
    for (const Batch& batch : step.micro_batches) {
      const auto* const begin = static_cast<const std::byte*>(batch.memory.get());
      const auto end = begin + blocks.at(begin);
      const auto* const source = reinterpret_cast<const std::byte*>(batch.source);
      const auto* const target = reinterpret_cast<const std::byte*>(batch.target);
      const auto* const lengths = reinterpret_cast<const std::byte*>(batch.lengths);
      const auto* const sentences = reinterpret_cast<const std::byte*>(batch.sentences);
      for (const auto* array : {source, target, lengths, sentences}) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array) % 64, 0u);
      }
      EXPECT_GE(source, begin);
      EXPECT_GE(target, source + batch.rows * batch.width * 4);
      EXPECT_GE(lengths, target + batch.rows * batch.width * 4);
      EXPECT_GE(sentences, lengths + batch.rows * 4);
      EXPECT_GE(end, sentences + batch.rows * 8);
    }
  }
}

TEST_F(LoaderTest, AnErrorInTheReaderThreadReachesNext) {
  for (const int prefetch : {0, 1, 4}) {
    LoaderOptions failing = options(prefetch);
    auto left = std::make_shared<int>(12);  // micro-batches; a step has five
    failing.allocate = [left](std::size_t bytes) {
      if ((*left)-- == 0) throw RuntimeError("no more memory");
      return std::shared_ptr<void>(std::malloc(bytes), std::free);
    };
    Loader loader(dataset_, failing);
    EXPECT_NO_THROW(loader.next());
    EXPECT_NO_THROW(loader.next());
    EXPECT_THROW(loader.next(), RuntimeError);
    if (prefetch > 0) {
      EXPECT_THROW(loader.next(), RuntimeError);
    }  // and again, not a wait without end
  }
}

TEST_F(LoaderTest, DamageWhileReadingReachesNext) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  const auto path = shard(folder, random_pairs(32, 60000), vocabulary);  // more than libhdf5 keeps in memory
  const auto dataset = std::make_shared<const Dataset>(path, vocabulary);
  spoil(path / "shard-00000.h5");
  Loader loader(dataset, options(2));
  EXPECT_NE(input_error_of([&] { loader.next(); }).find("chunk"), std::string::npos);
}

TEST_F(LoaderTest, StopsCleanlyAtAnyMoment) {
  for (int i = 0; i < 60; ++i) {
    Loader loader(dataset_, options(1 + i % 5));
    for (int k = 0; k < i % 4; ++k) loader.next();
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50 * i));
  }
}

TEST_F(LoaderTest, WaitingIsMeasured) {
  LoaderOptions slow = options(1);
  // Before this the reader would get ahead by as much as this thread is late.
  std::atomic<bool> waited_for = false;
  slow.allocate = [&](std::size_t bytes) {
    waited_for.wait(false);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::shared_ptr<void>(std::malloc(bytes), std::free);
  };
  Loader loader(dataset_, slow);
  EXPECT_EQ(loader.seconds_waited(), 0);
  waited_for = true;
  waited_for.notify_all();
  loader.next();
  EXPECT_GT(loader.seconds_waited(), .015);  // five micro-batches
  EXPECT_EQ(loader.steps_per_epoch(), kSteps);
}

TEST_F(LoaderTest, WrongOptionsAreRefused) {
  const auto expect = [&](const std::function<void(LoaderOptions&)>& change) {
    LoaderOptions wrong = options();
    change(wrong);
    EXPECT_THROW(Loader(dataset_, wrong), InputError);
  };
  expect([](LoaderOptions& o) { o.global_batch = 0; });
  expect([](LoaderOptions& o) { o.micro_batch = -1; });
  expect([](LoaderOptions& o) { o.prefetch = -1; });
  expect([](LoaderOptions& o) { o.rank = 1; });
  expect([](LoaderOptions& o) { o.first_step = kSteps + 1; });
  expect([](LoaderOptions& o) { o.first_epoch = -1; });
}

}  // namespace
}  // namespace relmpi
