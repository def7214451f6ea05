#include "model/llm/generation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/torch_headers.h"
#include "model/llm/scoring.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;

std::vector<Request> requests_of(const Llm& llm, const std::vector<std::string>& texts) {
  std::vector<Request> requests;
  for (const std::string& text : texts)
    requests.push_back({llm.tokenizer.encode(text), static_cast<std::int64_t>(requests.size())});
  return requests;
}

// Token by token, each time over the whole text anew.
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
  const auto answers = generate(llm, requests, {.max_new_tokens = 20, .ignore_end = true});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(answers[i].ids, slow_greedy(llm, requests[i].prompt, 20)) << i;
    EXPECT_EQ(answers[i].finish, FinishReason::kLength);
    EXPECT_EQ(answers[i].forward_passes, 20);
  }
}

TEST(Generation, AnAnswerDoesNotDependOnItsBatch) {
  const TinyLlm tiny;
  for (const char* dtype : {"fp32", "bf16"}) {
    Llm llm = tiny.open(dtype);
    for (const double temperature : {0.0, 1.5}) {
      const GenerationOptions options{
          .max_new_tokens = 30, .sampling = {.temperature = temperature}, .seed = 5};
      const auto requests =
          requests_of(llm, {"one", "two, with some more words to read", "3", "the fourth text"});
      const auto together = generate(llm, requests, options);
      for (std::size_t i = 0; i < requests.size(); ++i)
        EXPECT_EQ(generate(llm, {requests[i]}, options)[0].ids, together[i].ids) << dtype << " " << i;
    }
  }
}

TEST(Generation, AnEndTokenEndsAnAnswer) {
  TinyLlm tiny;
  Llm llm = tiny.open();
  const auto request = requests_of(llm, {"abc"});
  const Ids free = generate(llm, request, {.max_new_tokens = 12, .ignore_end = true})[0].ids;
  llm.end_tokens = {300, free[4]};
  const auto first = static_cast<std::size_t>(std::find(free.begin(), free.end(), free[4]) - free.begin());
  const Answer answer = generate(llm, request, {.max_new_tokens = 12})[0];
  EXPECT_EQ(answer.finish, FinishReason::kEnd);
  EXPECT_EQ(answer.ids, Ids(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(first) + 1));
}

TEST(Generation, AStopStringEndsAnAnswerBeforeItAndIsNeverShown) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto request = requests_of(llm, {"abc"});
  const Answer free = generate(llm, request, {.max_new_tokens = 40, .ignore_end = true})[0];
  // Two tokens' bytes from the middle of the answer, which are text for themselves.
  std::size_t at = std::string::npos;
  for (std::size_t i = 1; i + 1 < free.text.size() && at == std::string::npos; ++i)
    if (free.text[i] > 0 && free.text[i + 1] > 0 && free.text.find(free.text.substr(i, 2)) == i) at = i;
  ASSERT_NE(at, std::string::npos) << "no two ASCII characters in a row";
  std::string shown;
  const Answer answer = generate(
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
  const Answer answer = generate(llm, near, {.max_new_tokens = 50, .ignore_end = true})[0];
  EXPECT_EQ(answer.finish, FinishReason::kContext);
  EXPECT_EQ(answer.ids.size(), 6U);  // the last one needs no room
  const auto full = requests_of(llm, {std::string(700, 'x')});
  EXPECT_NE(input_error([&] { generate(llm, full, {}); }).find("prompt 1 has 700 tokens"), std::string::npos);
  EXPECT_NE(input_error([&] { generate(llm, {{.prompt = {}, .index = 4}}, {}); }).find("prompt 5 is empty"),
            std::string::npos);
}

TEST(Sampling, FiltersAreThoseOfHuggingFace) {
  const auto of = [](SamplingOptions options, const Ids& history = {}) {
    std::vector<float> logits;
    for (const double p : {0.1, 0.4, 0.3, 0.15, 0.05}) logits.push_back(static_cast<float>(std::log(p)));
    return candidates(logits, history, options);
  };
  const auto tokens = [](const std::vector<Candidate>& list) {
    Ids ids;
    for (const Candidate& one : list) ids.push_back(one.token);
    return ids;
  };
  EXPECT_EQ(tokens(of({.temperature = 1})), (Ids{0, 1, 2, 3, 4}));
  EXPECT_NEAR(of({.temperature = 1})[2].probability, 0.3, 1e-6);
  EXPECT_NEAR(of({.temperature = 0.5})[1].probability, 0.16 / (0.16 + 0.09 + 0.0225 + 0.01 + 0.0025), 1e-6);
  EXPECT_EQ(tokens(of({.temperature = 1, .top_k = 2})), (Ids{1, 2}));
  EXPECT_NEAR(of({.temperature = 1, .top_k = 2})[0].probability, 4.0 / 7, 1e-6);
  EXPECT_EQ(tokens(of({.temperature = 1, .top_p = 0.71})), (Ids{1, 2, 3}));
  EXPECT_EQ(tokens(of({.temperature = 1, .top_p = 0.01})), (Ids{1}));
  EXPECT_EQ(tokens(of({.temperature = 1, .min_p = 0.3})), (Ids{1, 2, 3}));
  // Once, though it is there twice; log 0.4 < 0 is multiplied.
  const auto weakened = of({.temperature = 1, .repetition_penalty = 2}, {1, 1});
  EXPECT_NEAR(weakened[1].probability / weakened[2].probability, 0.16 / 0.3, 1e-6);
  std::vector<float> tied{1, 2, 2, 2, 0};
  EXPECT_EQ(tokens(candidates(tied, {}, {.temperature = 1, .top_k = 2})), (Ids{1, 2, 3}))
      << "equal to the last";
}

// All tokens sorted, filter after filter.
std::vector<Candidate> slow_candidates(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<Candidate> list;
  for (std::size_t i = 0; i < logits.size(); ++i)
    list.push_back({static_cast<std::int32_t>(i), std::exp(logits[i] / options.temperature)});
  std::stable_sort(list.begin(), list.end(),
                   [](const Candidate& a, const Candidate& b) { return a.probability > b.probability; });
  if (options.top_k > 0) list.resize(std::min(list.size(), static_cast<std::size_t>(options.top_k)));
  const auto normalise = [&] {
    double sum = 0;
    for (const Candidate& one : list) sum += one.probability;
    for (Candidate& one : list) one.probability /= sum;
  };
  normalise();
  double sum = 0;
  std::size_t kept = 0;
  while (kept < list.size() && sum < options.top_p) sum += list[kept++].probability;
  if (options.top_p < 1) list.resize(kept);
  while (list.back().probability < options.min_p * list.front().probability) list.pop_back();
  normalise();
  std::sort(list.begin(), list.end(),
            [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
  return list;
}

TEST(Sampling, EqualsTheSlowTwin) {
  at::manual_seed(3);
  const std::vector<SamplingOptions> kinds{{.temperature = 0.7},
                                           {.temperature = 1, .top_k = 50},
                                           {.temperature = 2, .top_p = 0.9},
                                           {.temperature = 1, .top_p = 0.999},
                                           {.temperature = 1.3, .min_p = 0.05},
                                           {.temperature = 1, .top_k = 400, .top_p = 0.8, .min_p = 0.01}};
  for (const std::int64_t size : {1, 7, 1000})
    for (const SamplingOptions& options : kinds) {
      const at::Tensor random = at::randn({size}) * 3;
      std::vector<float> logits(random.data_ptr<float>(), random.data_ptr<float>() + size);
      const auto wanted = slow_candidates(logits, options), found = candidates(logits, {}, options);
      ASSERT_EQ(found.size(), wanted.size()) << size << " " << options.top_k << " " << options.top_p;
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].token, wanted[i].token);
        EXPECT_NEAR(found[i].probability, wanted[i].probability, 1e-12);
      }
    }
}

TEST(Sampling, FollowsTheProbabilities) {
  std::vector<int> counts(3);
  for (int i = 0; i < 1000; ++i) {
    std::vector<float> logits{std::log(0.2F), std::log(0.5F), std::log(0.3F)};
    ++counts[static_cast<std::size_t>(choose_token(logits, {}, {.temperature = 1}, (i + 0.5) / 1000))];
  }
  EXPECT_EQ(counts, (std::vector<int>{200, 500, 300}));
  std::vector<float> tied{1, 3, 3};
  EXPECT_EQ(choose_token(tied, {}, {}, 0.9), 1) << "greedy: the first of equals";
  EXPECT_NE(input_error([] { SamplingOptions{.top_p = 0}.validate(); }).find("--top-p is 0"),
            std::string::npos);
  EXPECT_NE(input_error([] { SamplingOptions{.temperature = -1}.validate(); }).find("--temperature"),
            std::string::npos);
}

TEST(Scoring, LogLikelihoodsAreThoseOfTheWholeText) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const Ids context = llm.tokenizer.encode("question: ");
  const std::vector<Ids> choices{llm.tokenizer.encode("yes"),
                                 llm.tokenizer.encode("a long answer of twenty tokens"),
                                 llm.tokenizer.encode("n")};
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
  const Ids context = llm.tokenizer.encode("Once");
  const Ids all =
      llm.tokenizer.encode(std::string(150, 'x') + " and so on, for more rows than are scored at once");
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
  const Ids context = llm.tokenizer.encode("abc");
  EXPECT_THROW(generate(llm, {{context}}, {}), RuntimeError);
  EXPECT_THROW(generate(llm, {{context}}, {.sampling = {.temperature = 1}}), RuntimeError);
  EXPECT_THROW(score_continuations(llm, context, {{65}}), RuntimeError);
  EXPECT_THROW(next_token_distribution(llm, context, {65, 66}), RuntimeError);
  std::vector<float> infinite{1, INFINITY, 2};
  EXPECT_THROW(choose_token(infinite, {}, {.temperature = 1}, 0.5), RuntimeError);
}

TEST(Scoring, LabelsShareTheNextTokensDistribution) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const Ids context = llm.tokenizer.encode("A or B? ");
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
  LlmOptions options;
  options.folder = tiny.folder();
  options.dtype = "fp32";
  options.length = 10;
  options.rehearse = true;
  options.max_memory = "0=300kB,1=300kB,cpu=1GB";
  Llm several = open_llm(options);
  EXPECT_GT(several.decoder.places().devices.size(), 1U);
  const auto requests = requests_of(whole, {"abc", "and another"});
  const auto wanted = generate(whole, requests, {.max_new_tokens = 9}),
             found = generate(several, requests, {.max_new_tokens = 9});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(found[i].ids, wanted[i].ids);
  EXPECT_GT(several.decoder.copies(), 0);

  options.max_memory = "0=300kB,1=300kB,cpu=1MB";
  options.batch = 200;
  EXPECT_NE(input_error([&] { open_llm(options); }).find("(--batch)"), std::string::npos);
  options.batch = 1;
  options.rehearse = false;
  EXPECT_NE(input_error([&] { open_llm(options); }).find("GPU 0, which is not here"), std::string::npos);
  options.rehearse = true;
  options.max_memory = "0=100kB,cpu=100kB";
  EXPECT_NE(input_error([&] { open_llm(options); }).find("on disk"), std::string::npos);
  options.max_memory = "";
  options.placement.device_map = "cuda:3";
  options.at_hand = {{Place::cpu(), 1 << 30}};
  EXPECT_NE(input_error([&] { open_llm(options); }).find("cuda:3"), std::string::npos);
}

}  // namespace
}  // namespace relmpi
