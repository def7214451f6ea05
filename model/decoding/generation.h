#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/decoding/sampling.h"
#include "model/llm/llm.h"

namespace relmpi {

struct GenerationOptions {
  std::int64_t max_new_tokens = 128;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // an answer ends before the first of them
  std::uint64_t seed = 0;
  bool ignore_end = false;  // goes on beyond end tokens (for timing)

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

struct Request {
  std::vector<std::int32_t> prompt;
  std::int64_t index = 0;  // its random stream is a function of (seed, index), whatever its batch is
};

struct Answer {
  std::vector<std::int32_t> ids;  // of the answer alone
  std::string text;               // without special tokens
  FinishReason finish = FinishReason::kLength;
  double ttft = 0;     // seconds from the start of the batch to the first token
  double latency = 0;  // and to the last
  std::int64_t forward_passes = 0;
};

// Text of request i that is certain now; called as it comes.
using OnText = std::function<void(std::size_t, const std::string&)>;

// Answers of a batch of requests that run together. Each prompt is run for itself, then all decode in common,
// and a finished one leaves the batch: on a CPU in fp32 and bf16, for up to kFewRows requests, an answer has
// the same bits in any batch. Elsewhere products round differently for different numbers of rows, so that a
// near tie may turn out differently. Throws InputError for an empty prompt or one that fills the model's
// context, naming the request.
std::vector<Answer> generate(Llm& llm, const std::vector<Request>& requests, const GenerationOptions& options,
                             const OnText& on_text = {});

}  // namespace relmpi
