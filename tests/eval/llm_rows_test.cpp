// Rows and figures of decode and likelihood, without a program around them.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "base/torch_headers.h"
#include "eval/llm/choices.h"
#include "eval/llm/decode_benchmark.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

TEST(DecodeBenchmark, FiguresAreSumsDividedOnce) {
  DecodeBenchmark benchmark{.method = "plain", .seconds = 2};
  EXPECT_EQ(benchmark.throughput(), 0);
  EXPECT_EQ(benchmark.mean_ttft(), 0);
  EXPECT_EQ(benchmark.acceptance_rate(), 0);
  benchmark.rows = {
      {{{1, 2}, 0}, {.ids = {3, 4, 5}, .ttft = 0.25, .latency = 1, .drafted = 9, .accepted = 3}},
      {{{7}, 1}, {.ids = {8}, .ttft = 0.75, .latency = 2, .drafted = 1, .accepted = 1}}};
  EXPECT_EQ(benchmark.tokens(), 4);
  EXPECT_EQ(benchmark.throughput(), 2);
  EXPECT_EQ(benchmark.mean_ttft(), 0.5);
  EXPECT_EQ(benchmark.mean_latency(), 1.5);
  EXPECT_EQ(benchmark.acceptance_rate(), 0.4);  // not the mean of 1/3 and 1
  const auto document = to_json(benchmark);
  EXPECT_EQ(document.at("avg_acceptance_rate"), 0.4);
  EXPECT_EQ(document.at("requests").size(), 2U);
}

TEST(DecodeBenchmark, ARowComesBackFromItsJson) {
  for (const FinishReason reason :
       {FinishReason::kEnd, FinishReason::kStop, FinishReason::kLength, FinishReason::kContext}) {
    const DecodedRequest row{{{1, 2}, 7},
                             {.ids = {3},
                              .text = "\u4eca\n",
                              .finish = reason,
                              .ttft = 0.1,
                              .latency = 1.0 / 3,
                              .forward_passes = 5,
                              .drafted = 4,
                              .accepted = 2}};
    const DecodedRequest read = decoded_request(nlohmann::json::parse(to_json(row).dump()));
    EXPECT_EQ(to_json(read), to_json(row));
    EXPECT_EQ(read.answer.finish, reason);
    EXPECT_EQ(read.answer.latency, 1.0 / 3);
  }
  EXPECT_NE(input_error([] { finish_reason_of("stopped"); }).find("\"stopped\""), std::string::npos);
}

ChoiceItem item_in(const TinyLlm& tiny, const std::string& line) {
  const auto file = tiny.folder() / "items.jsonl";
  write_file_atomic(file, "\n" + line + "\n");
  return read_choice_items(file).at(0);
}

TEST(Choices, ATokenOverTheBorderBelongsToTheContinuation) {
  TinyLlm tiny;
  tiny.tokenizer["model"]["vocab"]["ab"] = 256;
  tiny.tokenizer["added_tokens"][0]["id"] = 257;
  tiny.tokenizer["model"]["merges"] = {"a b"};
  tiny.save();
  const LlmFolder folder = open_llm_folder(tiny.folder());
  const auto choices =
      encode_choices(item_in(tiny, R"({"context": "xa", "continuations": ["b", "c"]})"), folder);
  EXPECT_EQ(choices.at(0).context, (std::vector<std::int32_t>{'x'}));
  EXPECT_EQ(choices.at(0).continuation, (std::vector<std::int32_t>{256}));
  EXPECT_EQ(choices.at(1).context, (std::vector<std::int32_t>{'x', 'a'}));
  EXPECT_EQ(choices.at(1).continuation, (std::vector<std::int32_t>{'c'}));
  const auto error = [&](const std::string& line) {
    return input_error([&] { encode_choices(item_in(tiny, line), folder); });
  };
  EXPECT_NE(
      error(R"({"context": "a", "continuations": ["b"]})").find("items.jsonl:2: no token of the context"),
      std::string::npos);
  EXPECT_NE(error(R"({"context": "x", "labels": ["ab", "bc"]})").find("label \"bc\" is 2 tokens"),
            std::string::npos);
  EXPECT_NE(error(R"({"context": "x", "labels": ["a"], "answer": 1})").find("must be 0 to 0"),
            std::string::npos);
}

TEST(Choices, ScoresAreThoseOfTheModelAndCountedOnce) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const ChoiceItem item = item_in(tiny, R"({"context": "abc", "continuations": ["de", "f"], "answer": 1})");
  const auto scores = score_item(llm, item, encode_choices(item, llm.folder));
  ASSERT_EQ(scores.log_likelihoods.size(), 2U);
  EXPECT_EQ(scores.tokens, (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(scores.best, scores.log_likelihoods[0] >= scores.log_likelihoods[1] ? 0U : 1U);
  EXPECT_EQ(scores.best_per_byte, scores.log_likelihoods[0] / 2 >= scores.log_likelihoods[1] ? 0U : 1U);
  const ChoiceItem labels = item_in(tiny, R"({"context": "abc", "labels": ["d", "f"]})");
  const auto shares = score_item(llm, labels, encode_choices(labels, llm.folder));
  EXPECT_NEAR(shares.probabilities.at(0) + shares.probabilities.at(1), 1, 1e-12);

  ChoiceCounts counts;
  counts.add(item, {.best = 1, .best_per_byte = 0});
  counts.add(labels, {.best = 1, .best_per_byte = 1});  // has no answer
  counts.add(item, {.best = 0, .best_per_byte = 0});
  EXPECT_EQ(to_json(counts).dump(), R"({"items":3,"answered":2,"accuracy":0.5,"accuracy_per_byte":0.0})");
  EXPECT_EQ(to_json(ChoiceCounts{.items = 1}).dump(), R"({"items":1,"answered":0})");
}

}  // namespace
}  // namespace relmpi
