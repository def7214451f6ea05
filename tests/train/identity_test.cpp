#include "train/identity.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/dgca/tiny_model.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using nlohmann::json;

class Identity : public ::testing::Test {
 protected:
  Identity() {
    setup_.model = tiny_model(at::kCPU);
    setup_.data = std::make_shared<Dataset>(
        testing::shard(folder_, testing::random_pairs(1, 5), *setup_.model.vocabulary),
        *setup_.model.vocabulary);
  }
  json identity() const { return run_identity(options_, setup_, 100); }

  testing::TemporaryFolder folder_;
  relmpi::Setup setup_;  // ::testing::Test has a Setup of its own
  TrainOptions options_;
};

TEST_F(Identity, HasNamesWhereTheProgramHasEnumerations) {
  options_.run.schedule = Schedule::kCosine;
  options_.step.mft_mode = MaskMode::kErrors;
  const json found = identity();
  EXPECT_EQ(found["schedule"], "cosine");
  EXPECT_EQ(found["mft-mode"], "errors");
  EXPECT_EQ(found["model"]["dgca"]["positions"], "sequential");
  EXPECT_EQ(found["data"], setup_.data->fingerprint());
}

TEST_F(Identity, IsTheSameForOtherSpeedsAndThresholds) {
  const json before = identity();
  options_.step.micro_batch = 2;
  options_.step.bucket_bytes = 64;
  options_.run.log_every = 1;
  setup_.model.config.thresholds.margin = 2;  // chosen anew at each evaluation
  EXPECT_EQ(identity(), before);
  EXPECT_TRUE(changes_since(before, identity(), {}).empty());
}

TEST_F(Identity, WhatChangedIsRefusedByNameUnlessAllowed) {
  const json before = identity();
  options_.step.lr = 1e-3;
  options_.run.schedule = Schedule::kConstant;
  const std::string error = input_error_of([&] { changes_since(before, identity(), {"lr"}); });
  EXPECT_EQ(error.find("lr:"), std::string::npos) << error;
  EXPECT_NE(error.find("schedule: \"linear\" before, \"constant\" now   (--allow-change schedule"),
            std::string::npos)
      << error;
  EXPECT_EQ(changes_since(before, identity(), {"lr", "schedule"}),
            json({{{"name", "lr"}, {"before", 5e-5}, {"after", 1e-3}},
                  {{"name", "schedule"}, {"before", "linear"}, {"after", "constant"}}}));
}

// On a GPU it decides the last bits.
TEST_F(Identity, ARunGoesOnAsDeterministicAsItBegan) {
  const json before = identity();
  options_.step.deterministic = true;
  const std::string error = input_error_of([&] { changes_since(before, identity(), {}); });
  EXPECT_NE(error.find("deterministic: false before, true now   (--allow-change deterministic"),
            std::string::npos)
      << error;
  json older = before;
  older.erase("deterministic");
  EXPECT_THROW(changes_since(older, identity(), {}), InputError);
  options_.step.deterministic = false;
  EXPECT_TRUE(changes_since(older, identity(), {}).empty());
}

TEST_F(Identity, WhatIsFixedCannotBeAllowed) {
  const json before = identity();
  options_.step.seed = 2;
  EXPECT_NE(input_error_of([&] {
              changes_since(before, identity(), {"seed"});
            }).find("--allow-change seed: a run cannot go on with another one"),
            std::string::npos);
  EXPECT_NE(input_error_of([&] { changes_since(before, identity(), {"lrr"}); }).find("there is no such name"),
            std::string::npos);
}

// As written before names were stored.
TEST_F(Identity, ARunOfAnOlderProgramIsToldWhatItIs) {
  json before = identity();
  before["schedule"] = 0;
  before["mft-mode"] = 1;
  for (const std::vector<std::string>& allowed : {std::vector<std::string>{}, {"schedule", "mft-mode"}}) {
    const std::string error = input_error_of([&] { changes_since(before, identity(), allowed); });
    for (const char* words : {"older relmpi", "schedule 0", "the program that began it", "--fresh"})
      EXPECT_NE(error.find(words), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace relmpi
