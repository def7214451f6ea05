#include "model/llm/decoder.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/torch_headers.h"
#include "model/kernels/few_rows_linear.h"
#include "tests/model/own_kernels_only.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;

Ids text(std::size_t size, std::int32_t seed = 1) {
  Ids ids;
  for (std::size_t i = 0; i < size; ++i)
    ids.push_back(static_cast<std::int32_t>((seed * 37 + i * i * 13) % 250));
  return ids;
}

at::Tensor logits_of(Decoder& decoder, const Ids& ids) {
  KvCache cache = decoder.make_cache(1, static_cast<std::int64_t>(ids.size()));
  return decoder.logits(decoder.forward({{0, ids}}, cache).last);
}

double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Decoder, ACacheFilledPieceByPieceGivesTheSameLogits) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const TinyLlm tiny(family, true);
    Decoder decoder = tiny.decoder();
    const Ids ids = text(60);
    const at::Tensor whole = logits_of(decoder, ids);
    KvCache cache = decoder.make_cache(1, 60);
    std::vector<at::Tensor> parts;
    for (std::size_t first = 0, size = 1; first < ids.size(); first += size, size = size % 25 + 7) {
      const auto piece = std::span(ids).subspan(first, std::min(size, ids.size() - first));
      parts.push_back(decoder.logits(decoder.forward({{0, piece}}, cache).last));
    }
    EXPECT_LT(difference(at::cat(parts), whole), 1e-3) << family;  // logits of some 40
    EXPECT_EQ(cache.length(0), 60);
  }
}

TEST(Decoder, FewRowsHaveTheSameBitsAloneInABatchAndTokenByToken) {
  OWN_KERNELS_ONLY();
  const TinyLlm tiny;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    Decoder decoder = tiny.decoder(dtype);
    const Ids a = text(14, 1), b = text(7, 2), c = text(11, 3);
    ASSERT_EQ(a.size() + b.size() + c.size(), static_cast<std::size_t>(kFewRows));
    KvCache cache = decoder.make_cache(3, 14);
    const at::Tensor batch = decoder.logits(decoder.forward({{2, a}, {0, b}, {1, c}}, cache).last);
    EXPECT_TRUE(at::equal(batch.narrow(0, 0, 14), logits_of(decoder, a)));
    EXPECT_TRUE(at::equal(batch.narrow(0, 14, 7), logits_of(decoder, b)));
    EXPECT_TRUE(at::equal(batch.narrow(0, 21, 11), logits_of(decoder, c)));
    KvCache one = decoder.make_cache(1, 14);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const at::Tensor token = decoder.logits(decoder.forward({{0, std::span(a).subspan(i, 1)}}, one).last);
      EXPECT_TRUE(at::equal(token[0], batch[static_cast<std::int64_t>(i)])) << i;
    }
  }
}

TEST(Decoder, LogitsAreInFullPrecisionForAnyNumberOfRows) {
  OWN_KERNELS_ONLY();
  const TinyLlm tiny;
  Decoder decoder = tiny.decoder(at::kBFloat16);
  const Ids ids = text(kFewRows + 9);
  KvCache cache = decoder.make_cache(1, static_cast<std::int64_t>(ids.size()));
  const at::Tensor hidden = decoder.forward({{0, ids}}, cache).last, all = decoder.logits(hidden);
  EXPECT_FALSE(at::equal(all, all.to(at::kBFloat16).to(at::kFloat))) << "rounded to 16 bits";
  for (std::int64_t row = 0; row < hidden.size(0); ++row)
    EXPECT_TRUE(at::equal(decoder.logits(hidden.narrow(0, row, 1))[0], all[row])) << row;
}

TEST(Decoder, WhatWasTruncatedIsForgotten) {
  OWN_KERNELS_ONLY();
  const TinyLlm tiny;
  Decoder decoder = tiny.decoder();
  const Ids right = text(9), wrong = text(5, 9);
  KvCache cache = decoder.make_cache(1, 12);
  decoder.forward({{0, std::span(right).first(6)}}, cache);
  decoder.forward({{0, wrong}}, cache);
  cache.truncate(0, 6);
  const at::Tensor rest = decoder.logits(decoder.forward({{0, std::span(right).subspan(6)}}, cache).last);
  EXPECT_TRUE(at::equal(rest, logits_of(decoder, right).narrow(0, 6, 3)));
}

TEST(Decoder, SeveralDevicesGiveTheSameBitsAndCopyAtBordersAlone) {
  const TinyLlm tiny("qwen2", true);
  Decoder one = tiny.decoder();
  const Ids ids = text(30);
  const at::Tensor wanted = logits_of(one, ids);
  EXPECT_EQ(one.copies(), 0);
  // 0 | 0 1 0 | 1: embedding and layer 0 share a device, then three borders, the last before the head.
  for (const auto& [slots, copies] : {std::pair{2, 3}, {3, 2}}) {
    Decoder several = tiny.decoder(at::kFloat, static_cast<std::size_t>(slots));
    EXPECT_TRUE(at::equal(logits_of(several, ids), wanted)) << slots;
    EXPECT_EQ(several.copies(), copies) << slots;
    logits_of(several, ids);
    EXPECT_EQ(several.copies(), 2 * copies) << slots;
  }
}

TEST(Decoder, LayersAskedForAreThoseBeforeTheNorm) {
  const TinyLlm tiny;
  Decoder decoder = tiny.decoder();
  const Ids ids = text(4);
  KvCache cache = decoder.make_cache(1, 4);
  const Hidden hidden = decoder.forward({{0, ids}}, cache, {0, 2, 3});
  EXPECT_EQ(hidden.after.size(), 3U);
  EXPECT_TRUE(at::equal(hidden.after.at(3), hidden.last));
  EXPECT_TRUE(at::equal(hidden.after.at(0)[1], decoder.weights().embedding[ids[1]]));
  EXPECT_FALSE(at::equal(hidden.after.at(2), hidden.last));
}

TEST(Decoder, HalfPrecisionIsNearFullPrecision) {
  const TinyLlm tiny;
  Decoder full = tiny.decoder();
  const Ids ids = text(20);
  const at::Tensor wanted = logits_of(full, ids);
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    Decoder low = tiny.decoder(dtype);
    EXPECT_LT(difference(logits_of(low, ids), wanted), dtype == at::kHalf ? 0.5 : 4.0);
  }
}

TEST(Decoder, RefusesWhatDoesNotFit) {
  const TinyLlm tiny;
  Decoder decoder = tiny.decoder();
  KvCache cache = decoder.make_cache(1, 4);
  const Ids five = text(5), outside{1, 260}, negative{-1};
  EXPECT_NE(input_error([&] { decoder.forward({{0, five}}, cache); }).find("room for 4"), std::string::npos);
  EXPECT_NE(input_error([&] {
              decoder.forward({{0, outside}}, cache);
            }).find("token id 260"),
            std::string::npos);
  EXPECT_NE(input_error([&] {
              decoder.forward({{0, negative}}, cache);
            }).find("token id -1"),
            std::string::npos);
  EXPECT_EQ(cache.length(0), 0);
  EXPECT_NE(input_error([&] { decoder.make_cache(1, 701); }).find("1 to 700"), std::string::npos);
}

// What is said of a folder whose contents `change` has altered.
template <typename Change>
std::string error_after(const Change& change) {
  TinyLlm tiny("qwen2");
  change(tiny);
  tiny.save();
  return input_error([&] { tiny.open(); });
}

TEST(LlmFolder, ErrorsNameWhatIsWrong) {
  const auto has = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << '"' << error << "\" does not say " << part;
  };
  has(error_after([](TinyLlm& t) { t.tensors.erase(t.tensors.begin() + 4); }), "k_proj.weight is missing");
  has(error_after([](TinyLlm& t) { t.tensors[4].second = at::randn({32, 47}); }), "[32, 47]");
  has(error_after([](TinyLlm& t) {
        t.tensors[4].second = at::ones({32, 48}, at::kLong);
      }),
      "weights are expected");
  has(error_after(
          [](TinyLlm& t) { t.tensors.emplace_back("model.layers.3.mlp.up_proj.weight", at::randn({3})); }),
      "no place in the model");
  has(error_after([](TinyLlm& t) { t.config["model_type"] = "mamba"; }), "\"mamba\"");
  has(error_after([](TinyLlm& t) { t.config["use_sliding_window"] = true; }), "sliding windows");
  has(error_after([](TinyLlm& t) { t.config["hidden_act"] = "gelu"; }), "\"gelu\"");
  has(error_after([](TinyLlm& t) { t.config["num_key_value_heads"] = 4; }),
      "multiple of num_key_value_heads");
  has(error_after([](TinyLlm& t) { t.config["head_dim"] = 15; }),
      "config.json: model configuration: head_dim is 15");
  has(error_after([](TinyLlm& t) { t.config["eos_token_id"] = {1, 260}; }), "eos_token_id 260 is outside");
  has(error_after([](TinyLlm& t) { t.config["num_attention_heads"] = 0; }), "num_attention_heads is 0");
  has(error_after([](TinyLlm& t) { t.config["hidden_size"] = "48"; }), "wrong kind");
  has(error_after([](TinyLlm& t) {
        t.config["rope_scaling"] = {{"rope_type", "longrope"}};
      }),
      "\"longrope\"");
  has(error_after([](TinyLlm& t) { t.config["quantization_config"] = {{"bits", 4}}; }), "quantised");
}

// Of AutoModel's save_pretrained: no "model." before the names.
TEST(LlmFolder, NamesMayBeginInsideTheModel) {
  TinyLlm tiny("qwen3", /*tied=*/true);
  Decoder usual = tiny.decoder();
  for (auto& [name, tensor] : tiny.tensors)
    if (name.starts_with("model.")) name.erase(0, 6);
  tiny.save();
  Decoder bare = tiny.decoder();
  EXPECT_TRUE(at::equal(logits_of(bare, text(9)), logits_of(usual, text(9))));
}

// Some tokenizers have names for tokens that the model never had.
TEST(LlmFolder, TokensBeyondTheEmbeddingAreRefusedWhenTheyAreUsed) {
  TinyLlm tiny("qwen3", /*tied=*/true);
  const std::int32_t beyond = tiny.config["vocab_size"];
  for (std::int32_t id = 257; id <= beyond; ++id)
    tiny.tokenizer["added_tokens"].push_back({{"id", id},
                                              {"content", fmt::format("<|unused{}|>", id)},
                                              {"single_word", false},
                                              {"lstrip", false},
                                              {"rstrip", false},
                                              {"normalized", false},
                                              {"special", true}});
  tiny.save();
  Llm llm = tiny.open();
  const Ids ids = llm.folder.tokenizer.encode(fmt::format("<|unused{}|>", beyond));
  EXPECT_EQ(ids, Ids{beyond});
  EXPECT_NE(input_error([&] { logits_of(llm.decoder, ids); }).find(fmt::format("token id {}", beyond)),
            std::string::npos);
}

TEST(LlmFolder, YarnLengthensTheContext) {
  TinyLlm tiny;
  tiny.config["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 4.0}};
  tiny.save();
  EXPECT_EQ(tiny.decoder().config().max_position_embeddings, 2800);
  tiny.config["rope_scaling"]["original_max_position_embeddings"] = 100;
  tiny.save();
  EXPECT_EQ(tiny.decoder().config().max_position_embeddings, 700) << "longer already";
}

TEST(LlmFolder, TheTypeOfTheWeightsIsTheOptionsOrTheFiles) {
  LlmConfig config;
  EXPECT_EQ(weight_dtype("", config), at::kFloat);
  config.dtype = "bfloat16";
  EXPECT_EQ(weight_dtype("", config), at::kBFloat16);
  EXPECT_EQ(weight_dtype("fp16", config), at::kHalf);
  config.dtype = "float64";
  EXPECT_NE(
      input_error([&] { weight_dtype("", config); }).find("config.json says that the weights are float64"),
      std::string::npos);
  EXPECT_NE(input_error([&] { weight_dtype("int4", config); }).find("--dtype int4"), std::string::npos);
}

TEST(LlmFolder, ShardsAreReadAndTheirFaultsNamed) {
  const TinyLlm tiny;
  Decoder whole = tiny.decoder();
  const Ids ids = text(6);
  const at::Tensor wanted = logits_of(whole, ids);
  tiny.save_sharded();
  Decoder sharded = tiny.decoder();
  EXPECT_TRUE(at::equal(logits_of(sharded, ids), wanted));
  const auto file = tiny.folder() / "model.safetensors.index.json";
  const std::string index = read_file(file);
  const auto error_with = [&](const std::string& what, const std::string& with) {
    std::string changed = index;
    changed.replace(changed.find(what), what.size(), with);
    write_file_atomic(file, changed);
    return input_error([&] { tiny.decoder(); });
  };
  EXPECT_NE(error_with("model-1.safetensors", "model-7.safetensors").find("model-7.safetensors is missing"),
            std::string::npos);
  EXPECT_NE(error_with("model-1.safetensors", "../model-1.safetensors").find("no file name"),
            std::string::npos);
  EXPECT_NE(error_with("model-1.safetensors", "model-0.safetensors").find("holds no tensor"),
            std::string::npos);
  EXPECT_NE(error_with("weight_map", "weights").find("weight_map"), std::string::npos);
}

}  // namespace
}  // namespace relmpi
