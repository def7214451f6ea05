// generate() with a method that hands out several tokens at a time, against plain decoding.

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "base/torch_headers.h"
#include "model/decoding/generation.h"
#include "model/decoding/method.h"
#include "model/decoding/plain.h"
#include "tests/model/own_kernels_only.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

// Plain decoding that keeps its tokens back until it has `portion` of them, as a draft that is accepted
// whole.
class Portions : public DecodingMethod {
 public:
  Portions(Decoder& decoder, const SamplingOptions& sampling, std::uint64_t seed, std::size_t portion)
      : plain_(plain_method(decoder, sampling, seed)), portion_(portion) {}

  std::string_view name() const override { return "portions"; }

  void start(std::span<const Sequence> batch, std::int64_t capacity) override {
    lengths.clear();
    capacity_ = capacity;
    plain_->start(batch, capacity);
  }

  std::vector<Advance> advance(std::span<const Sequence* const> active) override {
    std::vector<Advance> out;
    for (const Sequence* sequence : active) {
      EXPECT_FALSE(kept.contains(sequence->slot)) << "a text that has ended";
      Sequence text = *sequence;
      Advance& mine = out.emplace_back();
      while (mine.tokens.size() < portion_ && static_cast<std::int64_t>(text.tokens.size()) <= capacity_) {
        const Sequence* const one[] = {&text};
        mine.tokens.push_back(plain_->advance(one)[0].tokens.at(0));
        text.tokens.push_back(mine.tokens.back());
      }
      mine.drafted = static_cast<std::int64_t>(mine.tokens.size());
      mine.accepted = mine.drafted - 1;
      lengths[sequence->slot] = static_cast<std::int64_t>(text.tokens.size());
    }
    return out;
  }

  void keep(std::int64_t slot, std::int64_t tokens) override {
    EXPECT_LT(tokens, lengths.at(slot)) << "nothing was cut off";
    kept[slot] = tokens;
    plain_->keep(slot, tokens);
  }

  Figures figures() const override { return plain_->figures(); }

  std::map<std::int64_t, std::int64_t> lengths, kept;  // by slot

 private:
  std::unique_ptr<DecodingMethod> plain_;
  std::size_t portion_;
  std::int64_t capacity_ = 0;
};

std::vector<Request> requests_of(const Llm& llm) {
  std::vector<Request> requests;
  for (const char* text : {"abc", "a longer prompt than the first one is", "3", "what comes next? "})
    requests.push_back({llm.folder.tokenizer.encode(text), static_cast<std::int64_t>(requests.size())});
  return requests;
}

struct Case {
  GenerationOptions options;
  SamplingOptions sampling;
};

// Answers in portions of several sizes, each as plain decoding gives it, to the last byte that is shown.
void expect_alike(Llm& llm, const std::vector<Request>& requests, const Case& one, FinishReason reason) {
  std::map<std::size_t, std::string> shown;
  const auto show = [&](std::size_t i, const std::string& text) { shown[i] += text; };
  const auto wanted =
      generate(llm.folder, *plain_method(llm.decoder, one.sampling, 9), requests, one.options, show);
  const auto wanted_shown = shown;
  EXPECT_TRUE(std::ranges::any_of(wanted, [&](const Answer& answer) { return answer.finish == reason; }));
  for (const std::size_t portion : {2, 3, 7}) {
    shown.clear();
    Portions method(llm.decoder, one.sampling, 9, portion);
    const auto found = generate(llm.folder, method, requests, one.options, show);
    EXPECT_EQ(shown, wanted_shown);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      SCOPED_TRACE(fmt::format("request {}, portions of {}", i, portion));
      const auto slot = static_cast<std::int64_t>(i);
      const auto ids = static_cast<std::int64_t>(wanted[i].ids.size()),
                 size = static_cast<std::int64_t>(portion);
      EXPECT_EQ(found[i].ids, wanted[i].ids);
      EXPECT_EQ(found[i].text, wanted[i].text);
      EXPECT_EQ(found[i].finish, wanted[i].finish);
      EXPECT_EQ(found[i].forward_passes, (ids + size - 1) / size);
      EXPECT_EQ(found[i].drafted - found[i].accepted, found[i].forward_passes);
      const auto length = static_cast<std::int64_t>(requests[i].prompt.size()) + ids;
      const std::int64_t given = method.lengths.at(slot);
      EXPECT_EQ(method.kept.contains(slot), length < given);
      EXPECT_EQ(method.kept.contains(slot) ? method.kept.at(slot) : given, length);
    }
  }
}

TEST(DecodingMethod, SeveralTokensAtATimeGiveTheSameAnswers) {
  OWN_KERNELS_ONLY();
  const TinyLlm tiny;
  for (const char* dtype : {"fp32", "bf16"}) {
    Llm llm = tiny.open(dtype);
    const auto requests = requests_of(llm);
    for (const double temperature : {0.0, 1.5}) {
      const SamplingOptions sampling{.temperature = temperature, .repetition_penalty = 1.1};
      expect_alike(llm, requests, {{.max_new_tokens = 20, .ignore_end = true}, sampling},
                   FinishReason::kLength);
    }
  }
}

TEST(DecodingMethod, AnAnswerEndsInsideADraft) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto requests = requests_of(llm);
  const SamplingOptions sampling{.temperature = 1.5};
  const auto free = generate(llm.folder, *plain_method(llm.decoder, sampling, 9), requests,
                             {.max_new_tokens = 40, .ignore_end = true});
  llm.folder.end_tokens = {free[0].ids[4], free[1].ids[9], free[2].ids[13]};
  expect_alike(llm, requests, {{.max_new_tokens = 40}, sampling}, FinishReason::kEnd);

  GenerationOptions options{.max_new_tokens = 40, .ignore_end = true};
  for (const std::size_t i : {0, 1, 3})
    options.stop.push_back(free[i].text.substr(free[i].text.size() / 2, 3));
  expect_alike(llm, requests, {options, sampling}, FinishReason::kStop);
}

TEST(DecodingMethod, TheContextEndsInsideADraft) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const std::vector<Request> requests{{llm.folder.tokenizer.encode(std::string(690, 'x')), 0},
                                      {llm.folder.tokenizer.encode(std::string(680, 'y')), 1}};
  expect_alike(llm, requests, {{.max_new_tokens = 500, .ignore_end = true}, {}}, FinishReason::kContext);
}

// So that an answer is the same in any batch, on any rank and after a restart.
TEST(DecodingMethod, ATokenIsDrawnFromTheStreamOfItsRequestAndItsPlace) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const SamplingOptions sampling{.temperature = 1.5};
  const std::vector<Request> requests{{llm.folder.tokenizer.encode("abc"), 41}};
  const auto answer = generate(llm.folder, *plain_method(llm.decoder, sampling, 9), requests,
                               {.max_new_tokens = 12, .ignore_end = true})[0];
  auto text = requests[0].prompt;
  for (std::size_t i = 0; i < answer.ids.size(); ++i) {
    KvCache cache = llm.decoder.make_cache(1, std::ssize(text));
    const at::Tensor hidden = llm.decoder.forward({{0, text}}, cache).last;
    const at::Tensor logits = llm.decoder.logits(hidden.narrow(0, hidden.size(0) - 1, 1)).contiguous();
    Random random(9, "next token", 41, i);
    const std::span row(logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel()));
    ASSERT_EQ(answer.ids[i], choose_token(row, text, sampling, random.uniform())) << i;
    text.push_back(answer.ids[i]);
  }
}

TEST(DecodingMethod, WorkIsCounted) {
  const TinyLlm tiny;
  Llm llm = tiny.open();
  const auto method = plain_method(llm.decoder);
  EXPECT_EQ(method->name(), "plain");
  generate(llm.folder, *method, requests_of(llm), {.max_new_tokens = 5, .ignore_end = true});
  EXPECT_EQ(method->figures().target_calls, 4 + 4);  // four prompts, then four tokens in common
  EXPECT_GT(method->figures().target_seconds, 0);
}

}  // namespace
}  // namespace relmpi
