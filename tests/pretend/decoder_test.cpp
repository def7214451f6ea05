// A decoder LLM on the pretend device, against the CPU on the same path.

#include "model/llm/decoder.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/decoding/generation.h"
#include "model/decoding/plain.h"
#include "model/kernels/own_kernels.h"
#include "tests/model/tiny_llm.h"
#include "tests/pretend/pretend_device.h"

namespace relmpi {
namespace {

const std::vector<std::vector<std::int32_t>> kTexts{
    {5, 6, 7, 8, 9}, {1, 2, 3}, {100, 90, 80, 70, 60, 50, 40, 30}};

Decoder decoder_on(const TinyLlm& tiny, at::Device device, at::ScalarType dtype = at::kFloat) {
  const LlmConfig config = tiny.decoder().config();
  return {tiny.folder(), config, dtype, one_place(config, device)};
}

// Prefill of all texts, then a step of the batch, then two more tokens of one text: all shapes of attention.
at::Tensor logits_of(Decoder& decoder) {
  KvCache cache = decoder.make_cache(static_cast<std::int64_t>(kTexts.size()), 100);
  std::vector<NewTokens> batch, rest;
  for (const auto& ids : kTexts) {
    const auto sequence = static_cast<std::int64_t>(batch.size());
    batch.push_back({sequence, std::span(ids).first(ids.size() - 1)});
    rest.push_back({sequence, std::span(ids).last(1)});
  }
  std::vector<at::Tensor> parts;
  for (const auto& tokens :
       {batch, rest, {{1, std::span(kTexts[0]).first(2)}}, {{2, std::span(kTexts[0]).first(1)}}})
    parts.push_back(decoder.logits(decoder.forward(tokens, cache).last).to(at::kCPU));
  return at::cat(parts);
}

TEST(PretendDevice, DecodesAsTheCpuDoes) {
  const GeneralKernels general;
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const TinyLlm tiny(family, true);
    for (const auto& [dtype, near] : {std::pair{at::kFloat, 1e-3}, {at::kBFloat16, 1.0}}) {
      Decoder cpu = decoder_on(tiny, at::kCPU, dtype), device = decoder_on(tiny, pretend_device(), dtype);
      EXPECT_LT((logits_of(device) - logits_of(cpu)).abs().max().item<double>(), near)
          << family;  // of some 40
    }
  }
}

TEST(PretendDevice, ADecodedTokenWaitsOnce) {
  const TinyLlm tiny;
  LlmFolder folder = open_llm_folder(tiny.folder());
  for (const SamplingOptions& sampling :
       {SamplingOptions{}, SamplingOptions{.temperature = 0.8, .top_k = 20, .top_p = 0.9},
        SamplingOptions{.temperature = 1, .min_p = 0.1, .repetition_penalty = 1.2}}) {
    std::vector<Request> requests;
    for (const auto& ids : kTexts) requests.push_back({ids, static_cast<std::int64_t>(requests.size())});
    const auto answers = [&](Decoder decoder) {
      return generate(folder, *plain_method(decoder, sampling, 7), requests,
                      {.max_new_tokens = 10, .ignore_end = true});
    };
    const GeneralKernels general;
    const auto cpu = answers(decoder_on(tiny, at::kCPU));
    Decoder decoder = decoder_on(tiny, pretend_device());
    reset_pretend_costs();
    const auto device = answers(std::move(decoder));
    for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_EQ(device[i].ids, cpu[i].ids) << i;
    // A prefill of each text and nine steps of all.
    EXPECT_EQ(pretend_costs().waits, static_cast<std::int64_t>(requests.size()) + 9);
  }
}

}  // namespace
}  // namespace relmpi
