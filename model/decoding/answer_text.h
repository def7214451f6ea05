#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizers/streaming_decoder.h"

namespace relmpi {

// The text of an answer as its tokens come, without special tokens, and whether a stop string is in it.
// Tokenizer and stop strings outlive it.
class AnswerText {
 public:
  AnswerText(const BpeTokenizer& tokenizer, const std::vector<std::string>& stop);

  // Says whether a stop string is complete; the text then ends before it.
  bool push(std::int32_t id) { return add(decoder_.push(id)); }
  bool finish() { return add(decoder_.finish()); }
  const std::string& text() const { return text_; }

  // What has not been taken yet and can no longer become part of a stop string; all, once it is `done`.
  std::string take_certain(bool done);

 private:
  bool add(const std::string& more);

  StreamingDecoder decoder_;
  const std::vector<std::string>& stop_;
  std::size_t longest_ = 0, taken_ = 0;
  std::string text_;
};

}  // namespace relmpi
