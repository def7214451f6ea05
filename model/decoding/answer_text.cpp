#include "model/decoding/answer_text.h"

#include <algorithm>

namespace relmpi {

AnswerText::AnswerText(const BpeTokenizer& tokenizer, const std::vector<std::string>& stop)
    : decoder_(tokenizer, /*skip_special=*/true), stop_(stop) {
  for (const std::string& one : stop_) longest_ = std::max(longest_, one.size());
}

std::string AnswerText::take_certain(bool done) {
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

bool AnswerText::add(const std::string& more) {
  const std::size_t from = text_.size() - std::min(text_.size(), longest_);
  text_ += more;
  std::size_t first = std::string::npos;
  for (const std::string& one : stop_) first = std::min(first, text_.find(one, from));
  if (first != std::string::npos) text_.resize(first);
  return first != std::string::npos;
}

}  // namespace relmpi
