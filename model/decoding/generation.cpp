#include "model/decoding/generation.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/error.h"
#include "model/decoding/answer_text.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

// In the order of FinishReason.
constexpr std::array<std::string_view, 4> kReasons{"end", "stop", "length", "context"};

// Requests of one batch and how far they are.
class Batch {
 public:
  Batch(const LlmFolder& folder, DecodingMethod& method, const std::vector<Request>& requests,
        const GenerationOptions& options, const OnText& on_text)
      : folder_(folder),
        method_(method),
        options_(options),
        on_text_(on_text),
        answers_(requests.size()),
        done_(requests.size(), false) {
    for (const Request& request : requests) {
      sequences_.push_back({request.index, static_cast<std::int64_t>(sequences_.size()), request.prompt,
                            request.prompt.size()});
      texts_.emplace_back(folder.tokenizer, options.stop);
    }
  }

  std::vector<Answer> run() {
    method_.start(sequences_, capacity());
    for (const Sequence& sequence : sequences_) step({&sequence});
    while (true) {
      std::vector<const Sequence*> active;
      for (std::size_t i = 0; i < sequences_.size(); ++i)
        if (!done_[i]) active.push_back(&sequences_[i]);
      if (active.empty()) return std::move(answers_);
      step(active);
    }
  }

 private:
  std::int64_t context() const { return folder_.config.max_position_embeddings; }

  // The last token of an answer is not run: a text may be one longer.
  std::int64_t capacity() const {
    std::int64_t most = 0;
    for (const Sequence& sequence : sequences_) {
      const auto length = static_cast<std::int64_t>(sequence.prompt);
      if (length == 0)
        throw InputError("prompt {} is empty: it has no token to go on from", sequence.index + 1);
      if (length >= context())
        throw InputError(
            "prompt {} has {} tokens; the model's context is {} (max_position_embeddings), answer included",
            sequence.index + 1, length, context());
      most = std::max(most, length);
    }
    return std::min(context(), most + options_.max_new_tokens);
  }

  void step(const std::vector<const Sequence*>& active) {
    const std::vector<Advance> advances = method_.advance(active);
    RELMPI_CHECK(advances.size() == active.size());
    const double now = std::chrono::duration<double>(Clock::now() - start_).count();
    for (std::size_t k = 0; k < active.size(); ++k)
      take(static_cast<std::size_t>(active[k]->slot), advances[k], now);
  }

  // The tokens up to where the answer ends, if it ends in this advance.
  void take(std::size_t i, const Advance& advance, double now) {
    RELMPI_CHECK(!advance.tokens.empty());
    Answer& answer = answers_[i];
    if (answer.ids.empty()) answer.ttft = now;
    answer.latency = now;
    ++answer.forward_passes;
    answer.drafted += advance.drafted;
    answer.accepted += advance.accepted;
    std::size_t taken = 0;
    while (taken < advance.tokens.size() && !done_[i]) append(i, advance.tokens[taken++]);
    if (taken < advance.tokens.size())
      method_.keep(sequences_[i].slot, static_cast<std::int64_t>(sequences_[i].tokens.size()));
  }

  void append(std::size_t i, std::int32_t token) {
    Answer& answer = answers_[i];
    Sequence& sequence = sequences_[i];
    answer.ids.push_back(token);
    sequence.tokens.push_back(token);
    bool done = true;
    if (texts_[i].push(token))
      answer.finish = FinishReason::kStop;
    else if (!options_.ignore_end && std::ranges::count(folder_.end_tokens, token) > 0)
      answer.finish = FinishReason::kEnd;
    else if (static_cast<std::int64_t>(answer.ids.size()) >= options_.max_new_tokens)
      answer.finish = FinishReason::kLength;
    else if (static_cast<std::int64_t>(sequence.tokens.size()) > context())
      answer.finish = FinishReason::kContext;
    else
      done = false;
    if (done) {
      if (answer.finish != FinishReason::kStop && texts_[i].finish()) answer.finish = FinishReason::kStop;
      answer.text = texts_[i].text();
      done_[i] = true;
    }
    if (on_text_)
      if (const std::string certain = texts_[i].take_certain(done); !certain.empty()) on_text_(i, certain);
  }

  const LlmFolder& folder_;
  DecodingMethod& method_;
  const GenerationOptions& options_;
  const OnText& on_text_;
  std::vector<Sequence> sequences_;
  std::vector<AnswerText> texts_;
  std::vector<Answer> answers_;
  std::vector<bool> done_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

void GenerationOptions::validate() const {
  constexpr std::int64_t kMost = 1 << 30;
  demand(max_new_tokens >= 1 && max_new_tokens <= kMost, "--max-new-tokens", max_new_tokens,
         fmt::format("1 to {}", kMost));
  for (const std::string& one : stop)
    if (one.empty()) throw InputError("--stop: an empty text would end every answer at once");
}

const char* to_string(FinishReason reason) { return kReasons.at(static_cast<std::size_t>(reason)).data(); }

FinishReason finish_reason_of(std::string_view name) {
  const auto* found = std::ranges::find(kReasons, name);
  if (found == kReasons.end()) throw InputError("\"{}\" is not a reason for an answer to end", name);
  return static_cast<FinishReason>(found - kReasons.begin());
}

std::vector<Answer> generate(const LlmFolder& folder, DecodingMethod& method,
                             const std::vector<Request>& requests, const GenerationOptions& options,
                             const OnText& on_text) {
  options.validate();
  if (requests.empty()) return {};
  return Batch(folder, method, requests, options, on_text).run();
}

}  // namespace relmpi
