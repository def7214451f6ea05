#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/decoding/method.h"
#include "model/llm/llm_folder.h"

namespace relmpi {

// Where an answer ends.
struct GenerationOptions {
  std::int64_t max_new_tokens = 128;
  std::vector<std::string> stop;  // an answer ends before the first of them
  bool ignore_end = false;        // goes on beyond end tokens (for timing)

  // Throws InputError naming the option.
  void validate() const;
};

enum class FinishReason {
  kEnd,     // an end token, which is the last of the ids
  kStop,    // a stop string, which is not in the text
  kLength,  // max_new_tokens
  kContext  // the model's context is full
};
const char* to_string(FinishReason reason);
// Throws InputError for a name that to_string does not give.
FinishReason finish_reason_of(std::string_view name);

struct Request {
  std::vector<std::int32_t> prompt;
  std::int64_t index = 0;  // its random stream is a function of (seed, index), whatever its batch is
};

struct Answer {
  std::vector<std::int32_t> ids;  // of the answer alone
  std::string text;               // without special tokens
  FinishReason finish = FinishReason::kLength;
  double ttft = 0;                         // seconds from the start of the batch to the first token
  double latency = 0;                      // and to the last
  std::int64_t forward_passes = 0;         // of the model that answers
  std::int64_t drafted = 0, accepted = 0;  // tokens of drafts
};

// Text of request i that is certain now; called as it comes.
using OnText = std::function<void(std::size_t, const std::string&)>;

// Answers of a batch of requests that run together. Each prompt is run for itself, then all advance in
// common, and a finished one leaves the batch. Throws InputError for an empty prompt or one that fills the
// model's context, naming the request.
std::vector<Answer> generate(const LlmFolder& folder, DecodingMethod& method,
                             const std::vector<Request>& requests, const GenerationOptions& options,
                             const OnText& on_text = {});

}  // namespace relmpi
