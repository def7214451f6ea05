#pragma once

#include <cstdint>
#include <string>

#include "data/tokenizers/bpe_tokenizer.h"

namespace relmpi {

// The text of ids that come one at a time. What push() and finish() give, end to end, is decode() of all ids.
class StreamingDecoder {
 public:
  // Keeps a reference to the tokenizer.
  explicit StreamingDecoder(const BpeTokenizer& tokenizer, bool skip_special = false);

  // The text that is certain now: without the bytes at the end that may become a character.
  std::string push(std::int32_t id);
  // The rest, U+FFFD for an incomplete character; the decoder then starts over.
  std::string finish();

 private:
  const BpeTokenizer& tokenizer_;
  bool skip_special_;
  std::string held_;  // at most three bytes between calls
};

}  // namespace relmpi
