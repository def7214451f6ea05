#include "model/decoding/generation.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/random.h"
#include "base/torch_headers.h"
#include "data/tokenizers/streaming_decoder.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

// Text of an answer as it grows, and whether a stop string has come.
class AnswerText {
 public:
  AnswerText(const BpeTokenizer& tokenizer, const std::vector<std::string>& stop)
      : decoder_(tokenizer, /*skip_special=*/true), stop_(stop) {
    for (const std::string& one : stop_) longest_ = std::max(longest_, one.size());
  }

  // Says whether a stop string is complete; the text then ends before it.
  bool push(std::int32_t id) { return add(decoder_.push(id)); }
  bool finish() { return add(decoder_.finish()); }
  const std::string& text() const { return text_; }

  // What has not been taken yet and can no longer become part of a stop string.
  std::string take_certain(bool done) {
    std::size_t end = text_.size();
    if (!done && longest_ > 1) {
      end -= std::min(end, longest_ - 1);
      while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) ++end;
    }
    if (end <= taken_) return "";
    std::string certain = text_.substr(taken_, end - taken_);
    taken_ = end;
    return certain;
  }

 private:
  bool add(const std::string& more) {
    const std::size_t from = text_.size() - std::min(text_.size(), longest_);
    text_ += more;
    std::size_t first = std::string::npos;
    for (const std::string& one : stop_) first = std::min(first, text_.find(one, from));
    if (first != std::string::npos) text_.resize(first);
    return first != std::string::npos;
  }

  StreamingDecoder decoder_;
  const std::vector<std::string>& stop_;
  std::size_t longest_ = 0, taken_ = 0;
  std::string text_;
};

// Requests of one batch and how far they are.
class Batch {
 public:
  Batch(Llm& llm, const std::vector<Request>& requests, const GenerationOptions& options,
        const OnText& on_text)
      : llm_(llm), requests_(requests), options_(options), on_text_(on_text), answers_(requests.size()) {
    for (const Request& request : requests) {
      histories_.push_back(request.prompt);
      texts_.emplace_back(llm.tokenizer, options.stop);
    }
  }

  std::vector<Answer> run() {
    KvCache cache = llm_.decoder.make_cache(static_cast<std::int64_t>(requests_.size()), room());
    for (std::size_t i = 0; i < requests_.size(); ++i) step({i}, cache);
    while (true) {
      std::vector<std::size_t> active;
      for (std::size_t i = 0; i < requests_.size(); ++i)
        if (!done_.contains(i)) active.push_back(i);
      if (active.empty()) return std::move(answers_);
      step(active, cache);
    }
  }

 private:
  std::int64_t context() const { return llm_.decoder.config().max_position_embeddings; }

  std::int64_t room() const {
    std::int64_t most = 0;
    for (const Request& request : requests_) {
      const auto length = static_cast<std::int64_t>(request.prompt.size());
      if (length == 0)
        throw InputError("prompt {} is empty: it has no token to go on from", request.index + 1);
      if (length >= context())
        throw InputError(
            "prompt {} has {} tokens; the model's context is {} (max_position_embeddings), answer included",
            request.index + 1, length, context());
      most = std::max(most, length);
    }
    return std::min(context(), most + options_.max_new_tokens);
  }

  // One forward pass over what the requests have beyond the cache, and the next token of each.
  void step(const std::vector<std::size_t>& active, KvCache& cache) {
    std::vector<NewTokens> batch;
    std::vector<std::int64_t> last_rows;
    std::int64_t row = -1;
    for (const std::size_t i : active) {
      const auto sequence = static_cast<std::int64_t>(i);
      batch.push_back(
          {sequence, std::span(histories_[i]).subspan(static_cast<std::size_t>(cache.length(sequence)))});
      last_rows.push_back(row += static_cast<std::int64_t>(batch.back().tokens.size()));
    }
    at::Tensor hidden = llm_.decoder.forward(batch, cache).last;
    if (hidden.size(0) > static_cast<std::int64_t>(active.size()))
      hidden = hidden.index_select(0, at::tensor(last_rows, at::kLong).to(hidden.device()));
    const auto tokens = choose(llm_.decoder.logits(hidden), active);
    const double now = std::chrono::duration<double>(Clock::now() - start_).count();
    for (std::size_t k = 0; k < active.size(); ++k) append(active[k], tokens[k], now);
  }

  std::vector<std::int32_t> choose(const at::Tensor& logits, const std::vector<std::size_t>& active) {
    std::vector<std::int32_t> tokens;
    const SamplingOptions& sampling = options_.sampling;
    if (sampling.greedy() && sampling.repetition_penalty == 1) {
      const auto [most, best] = logits.max(-1);  // of a row with a NaN the maximum is NaN
      const at::Tensor chosen = best.masked_fill(most.isfinite().logical_not_(), -1).to(at::kCPU);
      for (std::int64_t k = 0; k < chosen.size(0); ++k) {
        tokens.push_back(static_cast<std::int32_t>(chosen.const_data_ptr<std::int64_t>()[k]));
        if (tokens.back() < 0) logits_not_finite();
      }
      return tokens;
    }
    const at::Tensor host = logits.to(at::kCPU).contiguous();
    for (std::size_t k = 0; k < active.size(); ++k) {
      const auto row = host[static_cast<std::int64_t>(k)];
      const std::size_t i = active[k];
      Random random(options_.seed, "next token", requests_[i].index, answers_[i].ids.size());
      tokens.push_back(choose_token({row.data_ptr<float>(), static_cast<std::size_t>(row.numel())},
                                    histories_[i], sampling, random.uniform()));
    }
    return tokens;
  }

  void append(std::size_t i, std::int32_t token, double now) {
    Answer& answer = answers_[i];
    if (answer.ids.empty()) answer.ttft = now;
    answer.latency = now;
    ++answer.forward_passes;
    answer.ids.push_back(token);
    histories_[i].push_back(token);
    const bool ended = !options_.ignore_end && std::find(llm_.end_tokens.begin(), llm_.end_tokens.end(),
                                                         token) != llm_.end_tokens.end();
    bool done = true;
    if (texts_[i].push(token))
      answer.finish = FinishReason::kStop;
    else if (ended)
      answer.finish = FinishReason::kEnd;
    else if (static_cast<std::int64_t>(answer.ids.size()) >= options_.max_new_tokens)
      answer.finish = FinishReason::kLength;
    else if (static_cast<std::int64_t>(histories_[i].size()) > context())
      answer.finish = FinishReason::kContext;
    else
      done = false;
    if (done) {
      if (answer.finish != FinishReason::kStop && texts_[i].finish()) answer.finish = FinishReason::kStop;
      answer.text = texts_[i].text();
      done_.insert(i);
    }
    if (on_text_)
      if (const std::string certain = texts_[i].take_certain(done); !certain.empty()) on_text_(i, certain);
  }

  Llm& llm_;
  const std::vector<Request>& requests_;
  const GenerationOptions& options_;
  const OnText& on_text_;
  std::vector<std::vector<std::int32_t>> histories_;  // prompt and answer
  std::vector<AnswerText> texts_;
  std::vector<Answer> answers_;
  std::set<std::size_t> done_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

void GenerationOptions::validate() const {
  sampling.validate();
  constexpr std::int64_t kMost = 1 << 30;
  if (max_new_tokens < 1 || max_new_tokens > kMost)
    throw InputError("--max-new-tokens is {}, but must be 1 to {}", max_new_tokens, kMost);
  for (const std::string& one : stop)
    if (one.empty()) throw InputError("--stop: an empty text would end every answer at once");
}

const char* to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEnd:
      return "end";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
  }
  RELMPI_CHECK(false, "unnamed reason");
}

std::vector<Answer> generate(Llm& llm, const std::vector<Request>& requests, const GenerationOptions& options,
                             const OnText& on_text) {
  options.validate();
  if (requests.empty()) return {};
  return Batch(llm, requests, options, on_text).run();
}

}  // namespace relmpi
