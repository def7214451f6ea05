#include "data/tokenizers/word_pattern.h"

#include "base/utf8.h"
#include "data/tokenizers/character_classes.h"

namespace relmpi {
namespace {

// What the two families of patterns share: a place in a text and runs of characters from there. Every
// alternative begins at the place and the first one that matches is taken, as in the regular expressions;
// each character is looked at a fixed number of times, so that a text takes time in proportion to its length.
class WordMatcher : public PatternMatcher {
 public:
  void start(std::string_view text) override {
    text_ = text;
    place_ = 0;
  }

  bool next(TextRange& match) override {
    if (place_ >= text_.size()) return false;
    match = {place_, end_of_match(place_)};
    place_ = match.end;
    return true;
  }

 protected:
  // The end of the match that begins at a character.
  virtual std::size_t end_of_match(std::size_t begin) const = 0;

  bool is_end(std::size_t at) const { return at >= text_.size(); }
  unsigned classes_at(std::size_t at) const {
    return is_end(at) ? 0 : classes_[utf8_step(text_, at).character];
  }
  std::size_t after(std::size_t at) const { return at + utf8_step(text_, at).length; }
  bool is_other(std::size_t at) const {
    return !is_end(at) && (classes_at(at) & (kLetter | kNumber | kSpace)) == 0;
  }

  // The end of the characters from `at` on of any of the classes.
  std::size_t run(std::size_t at, unsigned classes) const {
    while ((classes_at(at) & classes) != 0) at = after(at);
    return at;
  }
  // The same for those that are no letter, number or space.
  std::size_t run_of_others(std::size_t at) const {
    while (is_other(at)) at = after(at);
    return at;
  }

  // The end of one of 's 't 'm 'd 'll 've 're at the apostrophe, or `begin` if there is none. Unicode
  // folds U+017F to s.
  std::size_t contraction(std::size_t begin, bool any_case) const {
    const auto letter = [&](std::size_t at) {
      const char c = is_end(at) ? '\0' : text_[at];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(begin + 1), second = letter(begin + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
    if (any_case && text_.substr(begin + 1, 2) == "\u017F") return begin + 3;
    const bool two = (first == 'l' && second == 'l') || ((first == 'v' || first == 'r') && second == 'e');
    return two ? begin + 3 : begin;
  }

  // \s+(?!\S)|\s+ for the white space from `begin` to `end`: all of it before the end of the text, else all
  // but the last character, which goes to the word after it.
  std::size_t spaces(std::size_t begin, std::size_t end) const {
    if (is_end(end)) return end;
    std::size_t last = end - 1;
    while ((static_cast<unsigned char>(text_[last]) & 0xC0) == 0x80) --last;
    return last > begin ? last : end;
  }

  std::string_view text_;
  std::size_t place_ = 0;
  const std::uint8_t* classes_ = character_classes();
};

class Gpt2Matcher final : public WordMatcher {
  std::size_t end_of_match(std::size_t begin) const override {
    if (text_[begin] == '\'') {
      const std::size_t end = contraction(begin, false);
      if (end > begin) return end;
    }
    const std::size_t word = text_[begin] == ' ' ? begin + 1 : begin;
    const unsigned classes = classes_at(word);
    if ((classes & kLetter) != 0) return run(word, kLetter);
    if ((classes & kNumber) != 0) return run(word, kNumber);
    if (is_other(word)) return run_of_others(word);
    return spaces(begin, run(begin, kSpace));
  }
};

// Llama 3 and Qwen2, which differ in how many digits stand together.
class Llama3Matcher final : public WordMatcher {
 public:
  explicit Llama3Matcher(int digits) : digits_(digits) {}

 private:
  std::size_t end_of_match(std::size_t begin) const override {
    if (text_[begin] == '\'') {
      const std::size_t end = contraction(begin, true);
      if (end > begin) return end;
    }
    const unsigned classes = classes_at(begin);
    if ((classes & kLetter) != 0) return run(begin, kLetter);
    if ((classes & kNumber) != 0) return numbers(begin);
    const std::size_t second = after(begin);
    if ((classes & kNewline) == 0 && (classes_at(second) & kLetter) != 0) return run(second, kLetter);
    const std::size_t other = text_[begin] == ' ' ? second : begin;
    if (is_other(other)) return run(run_of_others(other), kNewline);
    return white_space(begin);
  }

  std::size_t numbers(std::size_t at) const {
    for (int count = 0; count < digits_ && (classes_at(at) & kNumber) != 0; ++count) at = after(at);
    return at;
  }

  // Up to the last line end of the run, else as in GPT-2.
  std::size_t white_space(std::size_t begin) const {
    std::size_t newline = begin, at = begin;
    for (unsigned classes = classes_at(at); (classes & kSpace) != 0; classes = classes_at(at)) {
      at = after(at);
      if ((classes & kNewline) != 0) newline = at;
    }
    return newline > begin ? newline : spaces(begin, at);
  }

  int digits_;
};

class Gpt2Pattern final : public SplitPattern {
 public:
  std::unique_ptr<PatternMatcher> matcher() const override { return std::make_unique<Gpt2Matcher>(); }
};

class Llama3Pattern final : public SplitPattern {
 public:
  explicit Llama3Pattern(int digits) : digits_(digits) {}
  std::unique_ptr<PatternMatcher> matcher() const override {
    return std::make_unique<Llama3Matcher>(digits_);
  }

 private:
  int digits_;
};

// GPT-2's own way to write it.
constexpr const char* kGpt2RegexLong =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace

const char* const kGpt2Regex = R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::unique_ptr<SplitPattern> known_word_pattern(const std::string& regex) {
  if (regex == kGpt2Regex || regex == kGpt2RegexLong) return std::make_unique<Gpt2Pattern>();
  if (regex == kLlama3Regex) return std::make_unique<Llama3Pattern>(3);
  if (regex == kQwen2Regex) return std::make_unique<Llama3Pattern>(1);
  return nullptr;
}

}  // namespace relmpi
