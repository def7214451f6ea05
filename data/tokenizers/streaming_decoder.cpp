#include "data/tokenizers/streaming_decoder.h"

#include <utility>

#include "base/utf8.h"

namespace relmpi {

StreamingDecoder::StreamingDecoder(const BpeTokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamingDecoder::push(std::int32_t id) {
  if (skip_special_ && tokenizer_.is_special(id)) return "";
  held_ += tokenizer_.bytes(id);
  std::size_t certain = 0;
  while (certain < held_.size()) {
    const Utf8Step step = utf8_step(held_, certain);
    if (step.kind == Utf8Step::Kind::kUnfinished) break;
    certain += step.length;
  }
  std::string text = utf8_lossy(std::string_view(held_).substr(0, certain));
  held_.erase(0, certain);
  return text;
}

std::string StreamingDecoder::finish() { return utf8_lossy(std::exchange(held_, "")); }

}  // namespace relmpi
