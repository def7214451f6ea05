#include "model/decoding/generation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/torch_headers.h"
#include "model/decoding/plain.h"
#include "model/decoding/scoring.h"
#include "tests/model/own_kernels_only.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;

std::vector<Request> requests_of(const Llm& llm, const std::vector<std::string>& texts) {
  std::vector<Request> requests;
  for (const std::string& text : texts)
    requests.push_back({llm.folder.tokenizer.encode(text), static_cast<std::int64_t>(requests.size())});
  return requests;
}

std::vector<Answer> answers_of(Llm& llm, const std::vector<Request>& requests,
                               const GenerationOptions& options, const OnText& on_text = {}) {
  return generate(llm.folder, *plain_method(llm.decoder), requests, options, on_text);
}

// Token by token, each time over the whole text again.
Ids slow_greedy(Llm& llm, Ids text, std::int64_t tokens) {
  Ids answer;
  for (std::int64_t i = 0; i < tokens; ++i) {
    KvCache cache = llm.decoder.make_cache(1, static_cast<std::int64_t>(text.size()));
    const at::Tensor hidden = llm.decoder.forward({{0, text}}, cache).last;
    const auto next =
        llm.decoder.logits(hidden.narrow(0, hidden.size(0) - 1, 1)).argmax().item<std::int64_t>();
    answer.push_back(static_cast<std::int32_t>(next));
    text.push_back(answer.back());
  }
  return answer;
}

TEST(Generation, GreedyIsTheMostProbableTokenEachTime) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto requests = requests_of(llm, {"abc", "a longer prompt than the first one is"});
  const auto answers = answers_of(llm, requests, {.max_new_tokens = 20, .ignore_end = true});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(answers[i].ids, slow_greedy(llm, requests[i].prompt, 20)) << i;
    EXPECT_EQ(answers[i].finish, FinishReason::kLength);
    EXPECT_EQ(answers[i].forward_passes, 20);
  }
}

TEST(Generation, AnAnswerDoesNotDependOnItsBatch) {
  OWN_KERNELS_ONLY();
  const TinyLlm tiny;
  for (const char* dtype : {"fp32", "bf16"}) {
    Llm llm = tiny.open(dtype);
    for (const double temperature : {0.0, 1.5}) {
      const auto method = plain_method(llm.decoder, {.temperature = temperature}, 5);
      const auto requests =
          requests_of(llm, {"one", "two, with some more words to read", "3", "the fourth text"});
      const auto together = generate(llm.folder, *method, requests, {.max_new_tokens = 30});
      for (std::size_t i = 0; i < requests.size(); ++i)
        EXPECT_EQ(generate(llm.folder, *method, {requests[i]}, {.max_new_tokens = 30})[0].ids,
                  together[i].ids)
            << dtype << " " << i;
    }
  }
}

TEST(Generation, AnEndTokenEndsAnAnswer) {
  TinyLlm tiny;
  Llm llm = tiny.open();
  const auto request = requests_of(llm, {"abc"});
  const Ids free = answers_of(llm, request, {.max_new_tokens = 12, .ignore_end = true})[0].ids;
  llm.folder.end_tokens = {300, free[4]};
  const auto first = static_cast<std::size_t>(std::find(free.begin(), free.end(), free[4]) - free.begin());
  const Answer answer = answers_of(llm, request, {.max_new_tokens = 12})[0];
  EXPECT_EQ(answer.finish, FinishReason::kEnd);
  EXPECT_EQ(answer.ids, Ids(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(first) + 1));
}

TEST(Generation, AStopStringEndsAnAnswerBeforeItAndIsNeverShown) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto request = requests_of(llm, {"abc"});
  const Answer free = answers_of(llm, request, {.max_new_tokens = 40, .ignore_end = true})[0];
  // Two tokens' bytes from the middle of the answer, which are text for themselves.
  std::size_t at = std::string::npos;
  for (std::size_t i = 1; i + 1 < free.text.size() && at == std::string::npos; ++i)
    if (free.text[i] > 0 && free.text[i + 1] > 0 && free.text.find(free.text.substr(i, 2)) == i) at = i;
  ASSERT_NE(at, std::string::npos) << "no two ASCII characters in a row";
  std::string shown;
  const Answer answer = answers_of(
      llm, request, {.max_new_tokens = 40, .stop = {"never", free.text.substr(at, 2)}, .ignore_end = true},
      [&](std::size_t, const std::string& text) { shown += text; })[0];
  EXPECT_EQ(answer.finish, FinishReason::kStop);
  EXPECT_EQ(answer.text, free.text.substr(0, at));
  EXPECT_EQ(shown, answer.text);
}

TEST(Generation, TheContextEndsAnAnswer) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto near = requests_of(llm, {std::string(695, 'x')});
  const Answer answer = answers_of(llm, near, {.max_new_tokens = 50, .ignore_end = true})[0];
  EXPECT_EQ(answer.finish, FinishReason::kContext);
  EXPECT_EQ(answer.ids.size(), 6U);  // the last one needs no room
  const auto full = requests_of(llm, {std::string(700, 'x')});
  EXPECT_NE(input_error([&] { answers_of(llm, full, {}); }).find("prompt 1 has 700 tokens"),
            std::string::npos);
  EXPECT_NE(input_error([&] { answers_of(llm, {{.prompt = {}, .index = 4}}, {}); }).find("prompt 5 is empty"),
            std::string::npos);
}

TEST(Scoring, LogLikelihoodsAreThoseOfTheWholeText) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const Ids context = llm.folder.tokenizer.encode("question: ");
  const std::vector<Ids> choices{llm.folder.tokenizer.encode("yes"),
                                 llm.folder.tokenizer.encode("a long answer of twenty tokens"),
                                 llm.folder.tokenizer.encode("n")};
  const auto scores = score_continuations(llm, context, choices);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Ids all = context;
    all.insert(all.end(), choices[i].begin(), choices[i].end());
    KvCache cache = llm.decoder.make_cache(1, static_cast<std::int64_t>(all.size()));
    const at::Tensor log_p =
        at::log_softmax(llm.decoder.logits(llm.decoder.forward({{0, all}}, cache).last), -1);
    double sum = 0;
    for (std::size_t k = 0; k < choices[i].size(); ++k)
      sum += log_p[static_cast<std::int64_t>(context.size() + k - 1)][choices[i][k]].item<double>();
    EXPECT_NEAR(scores[i].log_likelihood, sum, 1e-3) << i;
    EXPECT_EQ(scores[i].token_log_p.size(), choices[i].size());
  }
  const Ids said = slow_greedy(llm, context, 5);
  EXPECT_TRUE(score_continuations(llm, context, {said})[0].greedy);
  EXPECT_FALSE(scores[1].greedy);
  EXPECT_NE(input_error([&] { score_continuations(llm, {}, {said}); }).find("context is empty"),
            std::string::npos);
  EXPECT_NE(input_error([&] { score_continuations(llm, context, {{}}); }).find("continuation is empty"),
            std::string::npos);
}

TEST(Scoring, ALongContinuationIsTheSumOfItsPieces) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const Ids context = llm.folder.tokenizer.encode("Once");
  const Ids all = llm.folder.tokenizer.encode(std::string(150, 'x') +
                                              " and so on, for more rows than are scored at once");
  const auto whole = score_continuations(llm, context, {all})[0];
  ASSERT_EQ(whole.token_log_p.size(), all.size());
  double sum = 0;
  for (const double value : whole.token_log_p) sum += value;
  EXPECT_NEAR(whole.log_likelihood, sum, 1e-9);
  Ids before = context;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(score_continuations(llm, before, {{all[i]}})[0].log_likelihood, whole.token_log_p[i], 1e-3)
        << i;
    before.push_back(all[i]);
  }
}

TEST(Scoring, LogitsThatAreNotFiniteAreAnError) {
  TinyLlm tiny;
  for (auto& [name, tensor] : tiny.tensors)
    if (name == "model.norm.weight") tensor.fill_(std::nan(""));
  tiny.save();
  Llm llm = tiny.open();
  const Ids context = llm.folder.tokenizer.encode("abc");
  EXPECT_THROW(answers_of(llm, {{context}}, {}), RuntimeError);
  EXPECT_THROW(generate(llm.folder, *plain_method(llm.decoder, {.temperature = 1}), {{context}}, {}),
               RuntimeError);
  EXPECT_THROW(score_continuations(llm, context, {{65}}), RuntimeError);
  EXPECT_THROW(next_token_distribution(llm, context, {65, 66}), RuntimeError);
  std::vector<float> infinite{1, INFINITY, 2};
  EXPECT_THROW(choose_token(infinite, {}, {.temperature = 1}, 0.5), RuntimeError);
}

TEST(Scoring, LabelsShareTheNextTokensDistribution) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const Ids context = llm.folder.tokenizer.encode("A or B? ");
  const auto both = next_token_distribution(llm, context, {65, 66});
  const double a = score_continuations(llm, context, {{65}})[0].log_likelihood,
               b = score_continuations(llm, context, {{66}})[0].log_likelihood;
  EXPECT_NEAR(both.probabilities[0] + both.probabilities[1], 1, 1e-12);
  EXPECT_NEAR(std::log(both.probabilities[0] / both.probabilities[1]), a - b, 1e-9);
  EXPECT_NEAR(both.mass, std::exp(a) + std::exp(b), 1e-12);
  EXPECT_NE(input_error([&] {
              next_token_distribution(llm, context, {65, 65});
            }).find("twice"),
            std::string::npos);
}

TEST(Placement, AMapIsRehearsedOnTheCpuWithTheSameResult) {
  const TinyLlm tiny;
  Llm whole = tiny.open();
  LlmPlacement where;
  where.dtype = "fp32";
  where.max_memory = "0=300kB,1=300kB,cpu=1GB";
  where.rehearse = true;
  Llm several = tiny.load(where, {});
  EXPECT_GT(several.decoder.places().devices.size(), 1U);
  const auto requests = requests_of(whole, {"abc", "and another"});
  const auto wanted = answers_of(whole, requests, {.max_new_tokens = 9}),
             found = answers_of(several, requests, {.max_new_tokens = 9});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(found[i].ids, wanted[i].ids);
  EXPECT_GT(several.decoder.copies(), 0);

  where.max_memory = "0=300kB,1=300kB,cpu=1MB";
  EXPECT_NE(input_error([&] { tiny.load(where, {}, 200); }).find("(--batch)"), std::string::npos);
  where.rehearse = false;
  EXPECT_NE(input_error([&] { tiny.load(where, {}); }).find("GPU 0, which is not here"), std::string::npos);
  where.rehearse = true;
  where.max_memory = "0=100kB,cpu=100kB";
  EXPECT_NE(input_error([&] { tiny.load(where, {}); }).find("on disk"), std::string::npos);
  where.max_memory = "";
  where.placement.device_map = "cuda:3";
  EXPECT_NE(input_error([&] {
              tiny.load(where, {{Place::cpu(), 1 << 30}});
            }).find("cuda:3"),
            std::string::npos);
}

}  // namespace
}  // namespace relmpi
