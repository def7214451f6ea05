#include "train/checkpoint/checkpoint.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "base/files.h"
#include "base/random.h"
#include "base/torch_headers.h"
#include "model/dgca/initialise.h"
#include "tests/flip_bit.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

// Takes what is logged, while it lives.
class LogText {
 public:
  LogText() : usual_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~LogText() { spdlog::set_default_logger(usual_); }
  // Since the last call.
  std::string take() {
    std::string text = text_.str();
    text_.str("");
    return text;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> usual_;
};

class Checkpoints : public testing::Test {
 protected:
  Checkpoints() : model_(make_model()), optimizer_(*model_.parameters, options_) {
    folder_ = fs::temp_directory_path() / fmt::format("relmpi-checkpoints-{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Checkpoints() override { fs::remove_all(folder_); }

  static Model make_model() {
    Model model;
    model.vocabulary = std::make_shared<Vocabulary>(
        Vocabulary::from_bytes("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n一\n二\n", "test"));
    model.config.vocab_size = 7;
    model.config.hidden_size = 8;
    model.config.num_attention_heads = 2;
    model.config.num_hidden_layers = 1;
    model.config.intermediate_size = 16;
    model.config.ablation = Ablation::kDetectorOnly;
    model.parameters = std::make_shared<Parameters>(parameter_specs(model.config), at::kCPU);
    initialise(*model.parameters, model.config, {.seed = 5});
    return model;
  }

  void train_and_write(std::int64_t step, double metric) {
    at::manual_seed(static_cast<std::uint64_t>(step));
    model_.parameters->flat_grad().copy_(at::randn_like(model_.parameters->flat()));
    optimizer_.step(0.01);
    state_.step = step;
    state_.metrics[std::to_string(step)] = metric;
    take_snapshot(snapshot_, model_, optimizer_, state_);
    write_checkpoint(folder_, snapshot_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

  StepOptions options_;
  Model model_;
  Optimizer optimizer_;
  TrainState state_;
  Snapshot snapshot_;
  fs::path folder_;
};

TEST_F(Checkpoints, GiveBackEveryBit) {
  state_.epoch = 3;
  state_.step_in_epoch = 17;
  state_.identity = {{"seed", 1}};
  train_and_write(10, 0.5);
  Model other = make_model();
  Optimizer optimizer(*other.parameters, options_);
  const auto newest = newest_checkpoint(folder_);
  ASSERT_TRUE(newest);
  const TrainState state = read_checkpoint(*newest, other, optimizer);
  EXPECT_TRUE(other.parameters->flat().equal(model_.parameters->flat()));
  EXPECT_TRUE(optimizer.first_moment().equal(optimizer_.first_moment()));
  EXPECT_TRUE(optimizer.second_moment().equal(optimizer_.second_moment()));
  for (std::size_t i = 0; i < optimizer.scalars().size(); ++i)
    EXPECT_TRUE(optimizer.scalars()[i].second.equal(optimizer_.scalars()[i].second));
  EXPECT_EQ(state.step, 10);
  EXPECT_EQ(state.epoch, 3);
  EXPECT_EQ(state.step_in_epoch, 17);
  EXPECT_EQ(state.identity, state_.identity);
}

TEST_F(Checkpoints, DamagedOnesArePassedOver) {
  train_and_write(1, 0.1);
  train_and_write(2, 0.2);
  train_and_write(3, 0.3);
  const fs::path weights = folder_ / "step-00000003" / "model.safetensors";
  std::string bytes = read_file(weights);
  bytes[bytes.size() / 2] ^= 0x10;
  write_file_atomic(weights, bytes);
  fs::remove(folder_ / "step-00000002" / "COMPLETE");
  EXPECT_EQ(newest_checkpoint(folder_)->filename(), "step-00000001");
}

// Each file of a checkpoint in turn, COMPLETE among them: the one before is taken, and the reason named.
TEST_F(Checkpoints, TwoThousandFlippedBitsAreFound) {
  train_and_write(1, 0.1);
  train_and_write(2, 0.2);
  const fs::path before = folder_ / "step-00000001", damaged = folder_ / "step-00000002";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(damaged)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), 6u);
  LogText log;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const fs::path& file = files[i % files.size()];
    const std::uint64_t bit = Random(7, "flips", i).below(8 * fs::file_size(file));
    flip_bit(file, bit);
    ASSERT_EQ(newest_checkpoint(folder_), before) << file << ", bit " << bit;
    const std::string reason = log.take();
    EXPECT_NE(reason.find(damaged.string()), std::string::npos) << reason;
    EXPECT_NE(reason.find(file.filename().string()), std::string::npos) << file << ", bit " << bit << reason;
    flip_bit(file, bit);
  }
  EXPECT_EQ(newest_checkpoint(folder_), damaged);  // all bits were flipped back
}

// Not a sample: no bit of the mark may be one that nobody looks at, such as white space or the step.
TEST_F(Checkpoints, EveryBitOfTheCompleteMarkIsFound) {
  train_and_write(1, 0.1);
  const fs::path mark = folder_ / "step-00000001" / "COMPLETE";
  const LogText log;
  const std::uint64_t bits = 8 * fs::file_size(mark);
  EXPECT_GT(bits, 2000u);
  for (std::uint64_t bit = 0; bit < bits; ++bit) {
    flip_bit(mark, bit);
    EXPECT_FALSE(newest_checkpoint(folder_)) << "bit " << bit;
    flip_bit(mark, bit);
  }
  EXPECT_TRUE(newest_checkpoint(folder_));
}

TEST_F(Checkpoints, AStateThatCannotBeIsRefused) {
  train_and_write(1, 0.1);
  const std::string good = to_json(state_).dump();
  EXPECT_EQ(parse_state(good, "state.json").step, 1);
  for (const auto& [from, to] : {std::pair{"\"step\":1", "\"step\":-1"},
                                 {"\"step\":1", "\"step\":1e300"},
                                 {"\"step\":1", "\"step\":9223372036854775808"},
                                 {"\"epoch\":0", "\"epoch\":\"0\""},
                                 {"{\"1\":0.1}", "{\"1\":\"0.1\"}"},
                                 {"{\"1\":0.1}", "[0.1]"},
                                 {"\"identity\"", "\"identities\""}}) {
    std::string bad = good;
    const auto place = bad.find(from);
    ASSERT_NE(place, std::string::npos) << from;
    bad.replace(place, std::string(from).size(), to);
    EXPECT_THROW(parse_state(bad, "state.json"), InputError) << bad;
  }
}

TEST_F(Checkpoints, PruningKeepsTheLastTwoAndTheBestThree) {
  const double metrics[] = {0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.4};
  for (std::int64_t step = 1; step <= 7; ++step) train_and_write(step, metrics[step - 1]);
  prune_checkpoints(folder_, state_);
  EXPECT_EQ(names(), (std::vector<std::string>{"step-00000001", "step-00000003", "step-00000005",
                                               "step-00000006", "step-00000007"}));
}

TEST_F(Checkpoints, AnotherShapeIsRefusedByName) {
  train_and_write(1, 0.1);
  Model other = make_model();
  other.config.intermediate_size = 24;
  other.parameters = std::make_shared<Parameters>(parameter_specs(other.config), at::kCPU);
  Optimizer optimizer(*other.parameters, options_);
  EXPECT_INPUT_ERROR(read_checkpoint(folder_ / "step-00000001", other, optimizer), "intermediate");
}

}  // namespace
}  // namespace relmpi
