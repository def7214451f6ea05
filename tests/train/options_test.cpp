#include "train/options.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <sstream>

#include "tests/input_error.h"
#include "train/command_line.h"

namespace relmpi {
namespace {

// A program that takes the options of relmpi-train.
struct Program {
  TrainOptions options;
  CLI::App app;

  Program() { add_train_options(app, options); }
  std::string config() const { return app.config_to_str(/*default_also=*/true, /*write_description=*/true); }
};

// Runs that users keep have these names in their config.toml.
TEST(TrainOptions, HaveTheNamesThatConfigFilesUse) {
  const std::string names =
      R"(ablation adam-epsilon allow-change attention-dropout beta1 beta2 bucket-bytes candidate-count
candidates check-replicas checkpoint-every clip collective-timeout confusion cuda-graphs data debug
deterministic device dropout epochs evaluate-every evaluate-limit fresh gate-bias global-batch head-dropout heads
help hidden init-embeddings initializer-range intermediate json keep-best keep-last layer-norm
layers log-every lr max-length max-positions max-skipped metric mft-mode mft-rate micro-batch
mix-frequent mix-same mix-shape mix-similar mixture-after model out output patience positions
precision prefetch preload prompt-length schedule seed steps threads tune-thresholds validation
vocab warmup weight-decay)";
  const Program program;
  std::set<std::string> sorted;
  for (const CLI::Option* option : program.app.get_options()) sorted.insert(option->get_lnames().front());
  std::istringstream words(names);
  EXPECT_EQ(sorted, std::set<std::string>(std::istream_iterator<std::string>(words), {}));
}

TEST(TrainOptions, AConfigFileThatWasWrittenIsReadBack) {
  Program first;
  first.app.parse(
      "--data d --out o --vocab v --steps 7 --schedule cosine --mft-mode errors --layer-norm pre --lr 0.002 "
      "--allow-change steps,lr --tune-thresholds --keep-last 3 --mix-shape 0.3 --seed 9");
  std::istringstream file(first.config());
  Program again;
  again.app.parse_from_stream(file);
  EXPECT_EQ(again.config(), first.config());
  EXPECT_EQ(again.options.run.schedule, Schedule::kCosine);
  EXPECT_EQ(again.options.step.mft_mode, MaskMode::kErrors);
  EXPECT_EQ(again.options.data.shape.layer_norm, NormPlace::kPre);
  EXPECT_EQ(again.options.run.allow_change, (std::vector<std::string>{"steps", "lr"}));
  EXPECT_TRUE(again.options.run.tune);
  EXPECT_EQ(again.options.step.seed, 9u);
}

TEST(TrainOptions, AnUnknownChoiceIsRefusedWithThoseThatAreKnown) {
  Program program;
  try {
    program.app.parse("--schedule steep");
    FAIL() << "no error";
  } catch (const CLI::ParseError& error) {
    EXPECT_STREQ(error.what(), "--schedule: 'steep' is not one of: linear, cosine, constant");
  }
}

TEST(TrainOptions, EachPartIsValidatedByItselfAndAgainstTheOthers) {
  TrainOptions good;
  good.data.data = "d";
  good.data.vocab = "v";
  good.run.out = "o";
  good.run.steps = 1;
  EXPECT_NO_THROW(good.validate());
  const auto error = [&](auto change) {
    TrainOptions bad = good;
    change(bad);
    return input_error_of([&] { bad.validate(); });
  };
  EXPECT_EQ(error([](TrainOptions& o) { o.data.data = ""; }),
            "--data is not given, but must be a folder of shards (relmpi-data shard)");
  EXPECT_EQ(error([](TrainOptions& o) { o.step.lr = 0; }), "--lr is 0, but must be above 0");
  EXPECT_NE(error([](TrainOptions& o) { o.step.precision = "fp8"; }).find("fp8"), std::string::npos);
  EXPECT_EQ(error([](TrainOptions& o) { o.run.epochs = 1; }),
            "--steps is 1, but must be given, or --epochs, but not both");
  EXPECT_EQ(error([](TrainOptions& o) {
              o.run.steps = -5;
              o.run.epochs = 3;
            }),
            "--steps is -5, but must be at least 1, or left out with --epochs");
  EXPECT_EQ(error([](TrainOptions& o) { o.run.evaluate_limit = -1; }),
            "--evaluate-limit is -1, but must be at least 0 (0 = all)");
  EXPECT_EQ(error([](TrainOptions& o) { o.run.mixture_after = -7; }),
            "--mixture-after is -7, but must be at least 0, or -1 (as --output says)");
  EXPECT_EQ(error([](TrainOptions& o) { o.run.check_replicas = -1; }),
            "--check-replicas is -1, but must be at least 0 (0 = never)");
  EXPECT_EQ(error([](TrainOptions& o) { o.run.patience = 3; }),
            "--patience is 3, but must be used with --validation");
}

}  // namespace
}  // namespace relmpi
