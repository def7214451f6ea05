// Recorded decoding steps on the pretend device, where a recording is the work itself: it must wait for
// nothing and take nothing from the host, as a CUDA graph could not either.

#include "model/llm/decode_graphs.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/decoding/generation.h"
#include "model/decoding/plain.h"
#include "model/kernels/own_kernels.h"
#include "tests/model/tiny_llm.h"
#include "tests/pretend/pretend_device.h"

namespace relmpi {
namespace {

struct Played {
  int recorded = 0, runs = 0;
  bool fails = false;
};

class PlayedRecorder : public GraphRecorder {
 public:
  explicit PlayedRecorder(Played& played) : played_(played) {}

  std::function<void()> record(const std::function<void()>& work) override {
    TORCH_CHECK(!played_.fails, "no graphs today");
    ++played_.recorded;
    return [this, work] {
      ++played_.runs;
      const NoWaits no_waits;
      const std::int64_t before = pretend_costs().uploads;
      work();
      EXPECT_EQ(pretend_costs().uploads, before);
    };
  }

 private:
  Played& played_;
};

Decoder decoder_of(const TinyLlm& tiny) {
  const LlmConfig config = tiny.decoder().config();
  return {tiny.folder(), config, at::kFloat, one_place(config, pretend_device())};
}

const std::vector<std::vector<std::int32_t>> kPrompts{
    {5, 6, 7, 8, 9}, {1, 2, 3}, {100, 90, 80, 70, 60, 50, 40, 30}};

KvCache filled_cache(Decoder& decoder) {
  KvCache cache = decoder.make_cache(std::ssize(kPrompts), 100);
  for (std::int64_t i = 0; i < std::ssize(kPrompts); ++i)
    decoder.forward({{i, kPrompts[static_cast<std::size_t>(i)]}}, cache);
  return cache;
}

TEST(DecodeGraphs, LogitsAreThoseOfForward) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const TinyLlm tiny(family, true);
    Decoder decoder = decoder_of(tiny);
    KvCache cache = filled_cache(decoder), wanted_cache = filled_cache(decoder);
    Played played;
    DecodeGraphs graphs(decoder, cache, std::make_unique<PlayedRecorder>(played));
    const std::vector<std::int32_t> tokens{17, 4, 200, 31};
    // The first step of each goes without a graph, the others with one.
    for (const std::vector<std::int64_t>& sequences :
         {std::vector<std::int64_t>{0, 1, 2}, {0, 2}, {2, 1}, {1}, {2, 1, 0}})
      for (std::size_t step = 0; step < 4; ++step) {
        std::vector<NewTokens> batch;
        for (const std::int64_t sequence : sequences)
          batch.push_back(
              {sequence, std::span(tokens).subspan((step + static_cast<std::size_t>(sequence)) % 4, 1)});
        const at::Tensor logits = graphs.logits(batch);
        const at::Tensor wanted = decoder.logits(decoder.forward(batch, wanted_cache).last);
        EXPECT_LT((logits - wanted).abs().max().to(at::kCPU).item<double>(), 1e-3)
            << family << ", " << sequences.size() << " sequences, step " << step;
        for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(cache.length(i), wanted_cache.length(i));
      }
    // {2, 1} has the shape of {0, 2}; {2, 1, 0} are all, but not in order.
    EXPECT_EQ(played.recorded, 4) << family;
    EXPECT_EQ(played.runs, 3 + 3 + 4 + 3 + 3) << family;
  }
}

TEST(DecodeGraphs, AFullCacheAndAForeignTokenAreErrors) {
  const TinyLlm tiny;
  Decoder decoder = decoder_of(tiny);
  KvCache cache = decoder.make_cache(1, 5);
  const std::vector<std::int32_t> prompt{1, 2, 3, 4, 5}, foreign{300};
  decoder.forward({{0, std::span(prompt).first(2)}}, cache);
  Played played;
  DecodeGraphs graphs(decoder, cache, std::make_unique<PlayedRecorder>(played));
  const auto step = [&](std::span<const std::int32_t> token) { graphs.logits({{0, token}}); };
  for (int i = 0; i < 3; ++i) step(std::span(prompt).first(1));
  EXPECT_EQ(played.runs, 2);
  EXPECT_NE(input_error([&] { step(std::span(prompt).first(1)); }), "");
  cache.truncate(0, 3);
  EXPECT_NE(input_error([&] { step(foreign); }), "");
  EXPECT_EQ(cache.length(0), 3);
}

// Over 64 slots, so that more than one graph is needed, twice in the same cache.
TEST(DecodeGraphs, AnswersAreThoseWithoutGraphs) {
  const TinyLlm tiny;
  const LlmFolder folder = open_llm_folder(tiny.folder());
  Decoder decoder = decoder_of(tiny);
  std::vector<Request> requests;
  for (const auto& ids : kPrompts) requests.push_back({ids, static_cast<std::int64_t>(requests.size())});
  for (const SamplingOptions& sampling :
       {SamplingOptions{}, SamplingOptions{.temperature = 0.8, .top_p = 0.9}}) {
    const auto answers = [&](DecodingMethod& method) {
      return generate(folder, method, requests, {.max_new_tokens = 80, .ignore_end = true});
    };
    const auto wanted = answers(*plain_method(decoder, sampling, 7));
    Played played;
    const auto method = plain_method(decoder, sampling, 7,
                                     [&](c10::Device) { return std::make_unique<PlayedRecorder>(played); });
    for (int batch = 0; batch < 2; ++batch) {
      reset_pretend_costs();
      const auto got = answers(*method);
      for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(got[i].ids, wanted[i].ids) << i;
      EXPECT_EQ(pretend_costs().waits, 3 + 79);  // each prefill and each step once
      EXPECT_EQ(played.recorded, 2);
    }
    EXPECT_EQ(played.runs, 2 * 79 - 2);
  }
}

TEST(DecodeGraphs, AFailedRecordingGoesOnWithoutGraphs) {
  const TinyLlm tiny;
  const LlmFolder folder = open_llm_folder(tiny.folder());
  Decoder decoder = decoder_of(tiny);
  const auto answer = [&](DecodingMethod& method) {
    return generate(folder, method, {{kPrompts[0], 0}}, {.max_new_tokens = 10, .ignore_end = true})[0].ids;
  };
  Played played{.fails = true};
  EXPECT_EQ(answer(*plain_method(decoder, {}, 0,
                                 [&](c10::Device) { return std::make_unique<PlayedRecorder>(played); })),
            answer(*plain_method(decoder)));
  EXPECT_EQ(played.runs, 0);
}

}  // namespace
}  // namespace relmpi
