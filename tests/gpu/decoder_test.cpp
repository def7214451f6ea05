// A decoder LLM on a GPU, and split between a GPU and the host, against the CPU.

#include "model/llm/decoder.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/decoding/generation.h"
#include "model/decoding/plain.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

class DecoderOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no GPU";
  }
};

at::Tensor logits_of(Decoder& decoder, const std::vector<std::vector<std::int32_t>>& texts) {
  KvCache cache = decoder.make_cache(static_cast<std::int64_t>(texts.size()), 100);
  std::vector<NewTokens> batch, rest;
  for (const auto& ids : texts) {
    const auto sequence = static_cast<std::int64_t>(batch.size());
    batch.push_back({sequence, std::span(ids).first(ids.size() - 1)});
    rest.push_back({sequence, std::span(ids).last(1)});
  }
  const at::Tensor first = decoder.logits(decoder.forward(batch, cache).last);
  return at::cat({first, decoder.logits(decoder.forward(rest, cache).last)})
      .to(at::kCPU);  // a step of the batch
}

const std::vector<std::vector<std::int32_t>> kTexts{
    {5, 6, 7, 8, 9}, {1, 2, 3}, {100, 90, 80, 70, 60, 50, 40, 30}};

TEST_F(DecoderOnGpu, LogitsAreThoseOfTheCpu) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const TinyLlm tiny(family, true);
    Decoder cpu = tiny.decoder();
    const at::Tensor wanted = logits_of(cpu, kTexts);
    const LlmConfig config = cpu.config();
    LlmPlaces split = dealt_places(config, 2);
    split.devices = {{at::kCUDA, 0}, at::kCPU};
    for (const LlmPlaces& places : {one_place(config, {at::kCUDA, 0}), split}) {
      Decoder gpu(tiny.folder(), config, at::kFloat, places);
      EXPECT_LT((logits_of(gpu, kTexts) - wanted).abs().max().item<double>(), 1e-3) << family;
    }
    Decoder half(tiny.folder(), config, at::kHalf, one_place(config, {at::kCUDA, 0}));
    EXPECT_LT((logits_of(half, kTexts) - wanted).abs().max().item<double>(), 0.5) << family;
  }
}

TEST_F(DecoderOnGpu, AModelIsOpenedByItsDeviceMap) {
  const TinyLlm tiny;
  LlmPlacement where;
  where.placement.device_map = "cuda:0";
  Llm llm = tiny.load(where, {{Place::gpu(0), std::int64_t{1} << 30}, {Place::cpu(), std::int64_t{1} << 30}});
  EXPECT_TRUE(llm.decoder.weights().head.is_cuda());
  const auto answers = generate(llm.folder, *plain_method(llm.decoder), {{{1, 2, 3}, 0}, {{4, 5}, 1}},
                                {.max_new_tokens = 8, .ignore_end = true});
  EXPECT_EQ(answers[1].ids.size(), 8U);
}

// Three texts over a border between two graphs, greedy and drawn, and again in the same cache.
TEST_F(DecoderOnGpu, GraphsAnswerAsSingleKernelsDo) {
  const TinyLlm tiny;
  const LlmFolder folder = open_llm_folder(tiny.folder());
  const LlmConfig config = tiny.decoder().config();
  Decoder decoder(tiny.folder(), config, at::kFloat, one_place(config, {at::kCUDA, 0}));
  std::vector<Request> requests;
  for (const auto& ids : kTexts) requests.push_back({ids, static_cast<std::int64_t>(requests.size())});
  for (const double temperature : {0.0, 0.8}) {
    const auto answers = [&](DecodingMethod& method) {
      return generate(folder, method, requests, {.max_new_tokens = 80, .ignore_end = true});
    };
    int recorders = 0;
    const auto graphs = plain_method(decoder, {.temperature = temperature}, 7, [&](c10::Device device) {
      ++recorders;
      return make_graph_recorder(device);
    });
    const auto wanted = answers(*plain_method(decoder, {.temperature = temperature}, 7));
    for (int batch = 0; batch < 2; ++batch) {
      const auto got = answers(*graphs);
      for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(got[i].ids, wanted[i].ids) << i;
    }
    EXPECT_EQ(recorders, 1);
  }
}

}  // namespace
}  // namespace relmpi
