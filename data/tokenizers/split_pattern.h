#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace relmpi {

// The part of a text from `begin` to `end`, in bytes.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Finds the matches of one pattern in one text after the other. One thread at a time.
class PatternMatcher {
 public:
  virtual ~PatternMatcher() = default;
  // The text, valid UTF-8, that next() goes through; it must stay until then.
  virtual void start(std::string_view text) = 0;
  // The next match, none of which overlap; false after the last one. Throws InputError if the text is too
  // much for the pattern.
  virtual bool next(TextRange& match) = 0;
};

// What a pre-tokenizer cuts text at. Not changed after it is made: threads share it, each with its matcher.
class SplitPattern {
 public:
  virtual ~SplitPattern() = default;
  virtual std::unique_ptr<PatternMatcher> matcher() const = 0;
};

// A regular expression as Hugging Face's tokenizers read it (Oniguruma's). The patterns of GPT-2, Llama 3 and
// Qwen2 are recognised and matched by code of their own, the others by ICU. Throws InputError for a pattern
// that uses what the two libraries read differently, such as \w and anchors, or that is no regular
// expression.
std::unique_ptr<SplitPattern> regex_pattern(const std::string& regex);

// The same always by ICU: the slow twin of the known ones.
std::unique_ptr<SplitPattern> icu_pattern(const std::string& regex);

// A fixed string, not empty.
std::unique_ptr<SplitPattern> literal_pattern(std::string text);

// One character of category N (digits, and numbers such as "½" and "Ⅷ").
std::unique_ptr<SplitPattern> digit_pattern();

// The regular expression that GPT-2 and the ByteLevel pre-tokenizer cut words with.
extern const char* const kGpt2Regex;

}  // namespace relmpi
