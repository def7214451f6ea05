#include "data/tokenizers/split_pattern.h"

#include "base/error.h"
#include "base/utf8.h"
#include "data/tokenizers/character_classes.h"
#include "data/tokenizers/word_pattern.h"

namespace relmpi {
namespace {

class LiteralMatcher final : public PatternMatcher {
 public:
  explicit LiteralMatcher(const std::string& literal) : literal_(literal) {}
  void start(std::string_view text) override {
    text_ = text;
    place_ = 0;
  }
  bool next(TextRange& match) override {
    const std::size_t at = text_.find(literal_, place_);
    if (at == std::string_view::npos) return false;
    match = {at, at + literal_.size()};
    place_ = match.end;
    return true;
  }

 private:
  const std::string& literal_;
  std::string_view text_;
  std::size_t place_ = 0;
};

class LiteralPattern final : public SplitPattern {
 public:
  explicit LiteralPattern(std::string literal) : literal_(std::move(literal)) {}
  std::unique_ptr<PatternMatcher> matcher() const override {
    return std::make_unique<LiteralMatcher>(literal_);
  }

 private:
  std::string literal_;
};

class DigitMatcher final : public PatternMatcher {
 public:
  void start(std::string_view text) override {
    text_ = text;
    place_ = 0;
  }
  bool next(TextRange& match) override {
    while (place_ < text_.size()) {
      const Utf8Step step = utf8_step(text_, place_);
      const std::size_t begin = place_;
      place_ += step.length;
      if ((classes_[step.character] & kNumber) == 0) continue;
      match = {begin, place_};
      return true;
    }
    return false;
  }

 private:
  std::string_view text_;
  std::size_t place_ = 0;
  const std::uint8_t* classes_ = character_classes();
};

class DigitPattern final : public SplitPattern {
 public:
  std::unique_ptr<PatternMatcher> matcher() const override { return std::make_unique<DigitMatcher>(); }
};

}  // namespace

std::unique_ptr<SplitPattern> regex_pattern(const std::string& regex) {
  auto known = known_word_pattern(regex);
  return known ? std::move(known) : icu_pattern(regex);
}

std::unique_ptr<SplitPattern> literal_pattern(std::string text) {
  if (text.empty()) throw InputError("the string to split at is empty");
  return std::make_unique<LiteralPattern>(std::move(text));
}

std::unique_ptr<SplitPattern> digit_pattern() { return std::make_unique<DigitPattern>(); }

}  // namespace relmpi
