#include "dist/placement/placement.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "dist/placement/placement_options.h"
#include "model/llm/memory_need.h"
#include "model/llm/modules.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using Map = std::vector<std::pair<std::string, Place>>;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
const Place kZero = Place::gpu(0), kOne = Place::gpu(1), kCpu = Place::cpu(), kDisk = Place::disk();

Module leaf(const std::string& name, std::int64_t bytes, const std::string& layer_class = "Linear") {
  return {name, layer_class, {{"weight", bytes}}, {}};
}

Module layer(const std::string& name, std::int64_t bytes) {
  return {name, "Layer", {}, {leaf("in", bytes / 2), leaf("out", bytes - bytes / 2)}};
}

// embed, four layers of two parts, head: 100 bytes each.
ModelTree toy(bool tied = false) {
  Module layers{"layers", "List", {}, {}};
  for (const char* name : {"0", "1", "2", "3"}) layers.children.push_back(layer(name, 100));
  ModelTree tree{{"", "Net", {}, {leaf("embed", 100), layers, leaf("head", 100)}}, {}, {"Layer"}};
  if (tied) tree.tied = {{"embed.weight", "head.weight"}};
  return tree;
}

Plan plan_for(const ModelTree& tree, const MemoryLimits& limits, const std::string& device_map) {
  return make_plan(tree, limits, choose_placement({.device_map = device_map}));
}

class JsonMap : public testing::Test {
 protected:
  std::string write(const std::string& content) {
    std::ofstream(file_) << content;
    return file_.string();
  }
  void TearDown() override { std::filesystem::remove(file_); }

  std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("placement_test_" + std::to_string(::getpid()) + ".json");
};

TEST(ParseMemory, ReadsLimits) {
  const MemoryLimits expected{{kZero, kGiB}, {kOne, 0}, {kCpu, 2 * kGiB}, {kDisk, 7}};
  EXPECT_EQ(parse_memory_limits("cpu=2GiB, cuda:1=0,disk=7,0=1GiB"), expected);
  EXPECT_INPUT_ERROR(parse_memory_limits("0=1GiB,0=2GiB"), "0 has two limits");
  for (const char* text : {"", "0", "gpu=1GiB", "-1=1GiB", "0=1GiB,,", "99999999999=1GiB"})
    EXPECT_INPUT_ERROR(parse_memory_limits(text), "is no limit");
  EXPECT_INPUT_ERROR(parse_memory_limits("0=lots"), "'lots' is no size");
}

TEST(Placement, OnePlaceForAllIsOneEntry) {
  EXPECT_EQ(infer_device_map(toy(), {{kZero, 1000}}).entries, (Map{{"", kZero}}));
  EXPECT_EQ(infer_device_map(toy(), {}).entries, (Map{{"", kDisk}}));
}

TEST(Placement, FillsPlacesInOrderAndKeepsRoomForALayer) {
  // GPU 0 keeps 100 of its 350 bytes free, GPU 1 none; 300 + 100 are too much for its 350.
  const MemoryLimits limits{{kZero, 350}, {kOne, 350}, {kCpu, 1000}};
  EXPECT_EQ(infer_device_map(toy(), limits).entries, (Map{{"embed", kZero},
                                                          {"layers.0", kZero},
                                                          {"layers.1", kOne},
                                                          {"layers.2", kOne},
                                                          {"layers.3", kOne},
                                                          {"head", kCpu}}));
  // A layer is not split, though half of it would fit.
  EXPECT_EQ(*infer_device_map(toy(), {{kZero, 250}}).find("layers.0"), kDisk);
}

TEST(Placement, DiskIsTheLastResortWhateverItsLimit) {
  const MemoryLimits limits{{kDisk, 0}, {kCpu, 300}};
  EXPECT_EQ(infer_device_map(toy(), limits).entries, (Map{{"embed", kCpu},
                                                          {"layers.0", kCpu},
                                                          {"layers.1", kDisk},
                                                          {"layers.2", kDisk},
                                                          {"layers.3", kDisk},
                                                          {"head", kDisk}}));
}

TEST(Placement, SplitsWhatMayBeSplit) {
  ModelTree tree = toy();
  tree.no_split.clear();
  // Room for the largest part, 100, is kept; embed fills the rest but for 50.
  EXPECT_EQ(*infer_device_map(tree, {{kZero, 250}}).find("layers.0.in"), kZero);
  EXPECT_EQ(infer_device_map(tree, {{kZero, 250}}).find("layers.0"), nullptr);
}

TEST(Placement, TiedTensorsAreOneAndStayTogether) {
  EXPECT_EQ(model_bytes(toy()), 600);
  EXPECT_EQ(model_bytes(toy(true)), 500);
  const DeviceMap map = infer_device_map(toy(true), {{kZero, 250}, {kOne, 1000}});
  EXPECT_EQ(map.entries, (Map{{"embed", kZero}, {"layers", kOne}, {"head", kZero}}));
  EXPECT_EQ(bytes_by_place(toy(true), map), (std::map<Place, std::int64_t>{{kZero, 100}, {kOne, 400}}));
  // A map by hand may put the two apart: then each place has a copy.
  const DeviceMap apart{{{"", kZero}, {"head", kOne}}};
  EXPECT_EQ(bytes_by_place(toy(true), apart), (std::map<Place, std::int64_t>{{kZero, 500}, {kOne, 100}}));
}

TEST(Placement, BalancesGpusButTheLast) {
  // 600 / 2, and 1.25 times a layer of 100.
  EXPECT_EQ(balanced_limits(toy(), {{kZero, 1000}, {kOne, 1000}, {kCpu, 50}}, Strategy::kBalanced),
            (MemoryLimits{{kZero, 425}, {kOne, 1000}, {kCpu, 50}}));
  EXPECT_EQ(balanced_limits(toy(), {{kZero, 90}, {kOne, 1000}}, Strategy::kBalanced),
            (MemoryLimits{{kZero, 90}, {kOne, 1000}}));
  // A GPU without memory is no GPU; one GPU keeps what it has.
  EXPECT_EQ(balanced_limits(toy(), {{kZero, 0}, {kOne, 1000}}, Strategy::kBalanced),
            (MemoryLimits{{kZero, 0}, {kOne, 1000}}));
  const MemoryLimits any{{kZero, 1000}, {kOne, 2000}};
  EXPECT_EQ(balanced_limits(toy(), any, Strategy::kSequential), any);
}

TEST(Placement, LowZeroLeavesTheFirstGpuTheRest) {
  const MemoryLimits roomy{{kZero, 1000}, {kOne, 1000}, {Place::gpu(2), 1000}};
  EXPECT_EQ(balanced_limits(toy(), roomy, Strategy::kBalancedLowZero),
            (MemoryLimits{{kZero, 0}, {kOne, 425}, {Place::gpu(2), 1000}}));
  const MemoryLimits tight{{kZero, 1000}, {kOne, 1000}, {Place::gpu(2), 100}};
  EXPECT_EQ(balanced_limits(toy(), tight, Strategy::kBalancedLowZero),
            (MemoryLimits{{kZero, 75}, {kOne, 425}, {Place::gpu(2), 100}}));
  const MemoryLimits gap{{kZero, 1000}, {Place::gpu(2), 1000}};
  EXPECT_INPUT_ERROR(balanced_limits(toy(), gap, Strategy::kBalancedLowZero), "GPU 1 has no memory limit");
}

TEST(DeviceMap, TheLongestPrefixOfWholeNamesCounts) {
  const DeviceMap map{{{"model.layers.1", kZero}, {"model.layers.1.mlp", kOne}, {"model.layers.10", kCpu}}};
  EXPECT_EQ(*map.find("model.layers.1.norm.weight"), kZero);
  EXPECT_EQ(*map.find("model.layers.1.mlp.up.weight"), kOne);
  EXPECT_EQ(*map.find("model.layers.10.norm.weight"), kCpu);
  EXPECT_EQ(map.find("model.layers.11"), nullptr);
}

TEST(Placement, MapWithASplitLayerIsFound) {
  EXPECT_EQ(split_layer(toy(), infer_device_map(toy(), {{kZero, 350}, {kOne, 350}})), "");
  EXPECT_EQ(split_layer(toy(), {{{"", kZero}, {"layers.2.in", kOne}}}), "layers.2");
}

TEST(Placement, RefusesAModelLargerThanAnyMachine) {
  const ModelTree tree{{"", "Net", {}, {leaf("a", kMostModelBytes), leaf("b", 1)}}, {}, {}};
  EXPECT_INPUT_ERROR(model_bytes(tree), "the model is larger than");
}

TEST(Choice, DeviceMapBeforeIdBeforeDevice) {
  const PlacementChoice map = choose_placement({.device_map = "cpu", .device_id = 1, .device = "cuda:2"});
  EXPECT_EQ(std::get<Place>(map.what), kCpu);
  const PlacementChoice id = choose_placement({.device_id = 1, .device = "cuda:2"});
  EXPECT_EQ(std::get<Place>(id.what), kOne);
  EXPECT_EQ(id.option, "--device-id 1");
  EXPECT_EQ(std::get<Place>(choose_placement({.device = "cuda:2"}).what), Place::gpu(2));
  for (const char* device : {"", "auto"})
    EXPECT_EQ(std::get<Strategy>(choose_placement({.device = device}).what), Strategy::kBalanced);
}

TEST(Choice, ReadsEachFormOfAMap) {
  const auto what = [](const char* text) { return choose_placement({.device_map = text}).what; };
  EXPECT_EQ(std::get<Strategy>(what("auto")), Strategy::kBalanced);
  EXPECT_EQ(std::get<Strategy>(what("balanced_low_0")), Strategy::kBalancedLowZero);
  EXPECT_EQ(std::get<Strategy>(what("sequential")), Strategy::kSequential);
  EXPECT_EQ(std::get<Place>(what("cuda:3")), Place::gpu(3));
  EXPECT_EQ(std::get<Place>(what("cuda")), kZero);
  EXPECT_EQ(std::get<Place>(what("1")), kOne);
  EXPECT_EQ(std::get<std::vector<int>>(what("2, 0")), (std::vector<int>{2, 0}));
  EXPECT_EQ(std::get<std::filesystem::path>(what("none/such.json")), "none/such.json");
  EXPECT_INPUT_ERROR(what("1,1"), "named twice");
  for (const char* text : {"cuda:x", "cuda:", "tpu", "0,x", "-1", "disk", "Auto"})
    EXPECT_INPUT_ERROR(what(text), "is unknown; choose auto");
  EXPECT_INPUT_ERROR(choose_placement({.device_id = -1}), "--device-id -1");
  EXPECT_INPUT_ERROR(choose_placement({.device = "gpu"}), "--device gpu is unknown");
}

TEST(MakePlan, NamesGpusThatAreNotThere) {
  const MemoryLimits two{{kZero, 1000}, {kOne, 1000}, {kCpu, 1000}};
  EXPECT_INPUT_ERROR(plan_for(toy(), two, "cuda:2"),
                     "--device-map cuda:2: GPU 2 is asked for, but only 0, 1 are there");
  EXPECT_INPUT_ERROR(plan_for(toy(), two, "0,5"), "GPU 5");
  EXPECT_INPUT_ERROR(plan_for(toy(), {{kCpu, 1000}}, "cuda:0"), "CUDA is missing");
  EXPECT_INPUT_ERROR(make_plan(toy(), {}, choose_placement({.device_id = 0})), "--device-id 0: GPU 0");
  EXPECT_EQ(plan_for(toy(), {}, "cpu").map.entries, (Map{{"", kCpu}}));
  EXPECT_EQ(plan_for(toy(), two, "1").map.entries, (Map{{"", kOne}}));
}

TEST(MakePlan, SharesTheModelOutOverTheGpusNamed) {
  const MemoryLimits three{{kZero, 1000}, {kOne, 1000}, {Place::gpu(2), 1000}, {kCpu, 5}};
  const Plan plan = plan_for(toy(), three, "2,0");
  EXPECT_EQ(plan.limits, (MemoryLimits{{kZero, 425}, {Place::gpu(2), 1000}, {kCpu, 5}}));
  EXPECT_EQ(*plan.map.find("embed"), kZero);
  EXPECT_EQ(*plan.map.find("head"), Place::gpu(2));
}

TEST(LimitsAtHand, AreWhatIsFree) {
  const std::vector<Gpu> devices{{.id = 0, .memory_free = 1000}, {.id = 1, .memory_free = 0}};
  const MemoryLimits limits = limits_at_hand(devices);
  EXPECT_EQ(limits.at(kZero), 1000);
  EXPECT_GT(limits.at(kCpu), 1 << 20);
  const std::vector<Gpu> shared{{.id = 0, .memory_free = 1000, .integrated = true}};
  EXPECT_EQ(limits_at_hand(shared), (MemoryLimits{{kZero, 1000}}));
  // The only GPU is not filled to the brim, unless the strategy is to fill it.
  EXPECT_EQ(with_slack(limits, choose_placement({})).at(kZero), 900);
  EXPECT_EQ(with_slack(limits, choose_placement({.device_map = "sequential"})), limits);
  EXPECT_EQ(with_slack({{kZero, 5}, {kOne, 5}}, choose_placement({})), (MemoryLimits{{kZero, 5}, {kOne, 5}}));
}

TEST_F(JsonMap, IsReadAndPutInTheOrderOfTheModules) {
  const std::string file = write(R"({"head": "cpu", "layers.2": "cuda:1", "layers": 0, "embed": "0"})");
  EXPECT_EQ(plan_for(toy(), {{kZero, 1}, {kOne, 1}}, file).map.entries,
            (Map{{"embed", kZero}, {"layers", kZero}, {"layers.2", kOne}, {"head", kCpu}}));
}

TEST_F(JsonMap, MustCoverTheModelAndNothingElse) {
  const MemoryLimits one{{kZero, 1000}};
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"embed": 0, "layers": 0})")),
                     "no place is given to head.weight");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": 0, "layers.4": 0})")),
                     "\"layers.4\" is no module or tensor");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": 0, "lay": 0})")), "\"lay\" is no module or tensor");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": 1})")), "GPU 1 is asked for, but only 0 is there");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": "tpu"})")), "\"tpu\", which is no place");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": -1})")), "-1, which is no place");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": 0.5})")), "0.5, which is no place");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, write(R"({"": 0, "": 1})")), file_.filename().c_str());
  for (const char* text : {"[]", "{}", "3"})
    EXPECT_INPUT_ERROR(plan_for(toy(), one, write(text)), "an object of prefixes was expected");
  EXPECT_INPUT_ERROR(plan_for(toy(), one, "/no/such/map.json"), "/no/such/map.json");
}

TEST_F(JsonMap, NeedNotNameWhatNoFileHolds) {
  ModelTree tree = toy();
  tree.root.children.push_back({"rotary", "Rotary", {{"inv_freq", 8, TensorKind::kTransientBuffer}}, {}});
  const std::string all_but_it = R"({"embed": 0, "layers": 0, "head": 0})";
  EXPECT_EQ(plan_for(tree, {{kZero, 1000}}, write(all_but_it)).map.entries.size(), 3U);
  tree.root.children.back().tensors[0].kind = TensorKind::kBuffer;
  EXPECT_INPUT_ERROR(plan_for(tree, {{kZero, 1000}}, write(all_but_it)), "rotary.inv_freq");
}

LlmConfig qwen3() {  // 0.6B
  LlmConfig config;
  config.model_type = "qwen3";
  config.vocab_size = 151936;
  config.hidden_size = 1024;
  config.intermediate_size = 3072;
  config.num_hidden_layers = 28;
  config.num_attention_heads = 16;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.tie_word_embeddings = config.qk_norm = true;
  return config;
}

TEST(DecoderTree, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(model_bytes(decoder_tree(qwen3(), 2)), 2 * (596'049'920 + 64));  // and the rotary frequencies
  LlmConfig untied = qwen3();
  untied.tie_word_embeddings = false;
  EXPECT_EQ(model_bytes(decoder_tree(untied, 4)), 4 * (596'049'920 + 151936LL * 1024 + 64));
}

TEST(MemoryNeed, CountsCacheAndActivations) {
  const MemoryNeed need = memory_need(qwen3(), 2, 3, 500);
  EXPECT_EQ(need.kv_cache_per_layer, 2 * 8 * 128 * 500 * 3 * 2);
  // Of one prompt: hidden state and norm, then gate, up and product: more than q, k and v twice and the
  // output.
  const std::int64_t row = (2 * 1024 + 3 * 3072) * 2;
  EXPECT_EQ(memory_need(qwen3(), 2, 1, 500).activations, row * 500);
  EXPECT_EQ(need.activations, row * 500 + need.kv_cache_per_layer);
  EXPECT_EQ(memory_need(qwen3(), 2, 3, 1).activations, 151936 * (2 + 4) * 3);  // the logits
  EXPECT_INPUT_ERROR(memory_need(qwen3(), 2, 0, 1), "--batch is 0");
  EXPECT_INPUT_ERROR(memory_need(qwen3(), 2, 1, -5), "--length is -5");
  EXPECT_INPUT_ERROR(memory_need(qwen3(), 2, std::int64_t{1} << 40, std::int64_t{1} << 40),
                     "than any machine has");
}

}  // namespace
}  // namespace relmpi
