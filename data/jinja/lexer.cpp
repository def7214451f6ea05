#include "data/jinja/lexer.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  Lexer(const std::string& source, const std::string& name) : source_(source), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data();
    add(TokenKind::kEnd, "", at_);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    throw InputError("{}:{}: {}", name_, line_at(at), what);
  }

  int line_at(std::size_t at) const {
    return 1 + static_cast<int>(
                   std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  }

  bool here(std::string_view what) const { return source_.compare(at_, what.size(), what) == 0; }

  void add(TokenKind kind, std::string text, std::size_t begin) {
    for (; counted_ < begin; ++counted_) line_ += source_[counted_] == '\n' ? 1 : 0;
    tokens_.push_back({kind, std::move(text), line_, begin, at_});
  }

  void skip_space() {
    while (at_ < source_.size() && is_space_at(source_, at_)) at_ += utf8_step(source_, at_).length;
  }

  // The text up to the next tag, then the tag.
  void data() {
    const std::size_t begin = at_;
    std::size_t tag = begin;
    do tag = source_.find('{', tag);
    while (tag != std::string::npos && tag + 1 < source_.size() &&
           std::string_view("%{#").find(source_[tag + 1]) == std::string_view::npos && ++tag != 0);
    if (tag == std::string::npos || tag + 1 == source_.size()) {
      at_ = source_.size();
      add(TokenKind::kData, source_.substr(begin), begin);
      return;
    }
    const char kind = source_[tag + 1];
    at_ = tag + 2;
    const char sign = at_ < source_.size() && (here("-") || here("+")) ? source_[at_++] : ' ';
    add_data(begin, tag, sign, kind != '{');
    if (kind == '#') return comment(tag);
    if (kind == '%' && raw(tag)) return;
    add(kind == '%' ? TokenKind::kBlockBegin : TokenKind::kPrintBegin, "", tag);
    code(tag, kind == '%');
  }

  // The text before a tag: '-' takes the white space before it, and lstrip_blocks what stands before a
  // block on its line.
  void add_data(std::size_t begin, std::size_t end, char sign, bool strips_line) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = strip(text, false, true);
    } else if (sign != '+' && strips_line) {
      const std::size_t newline = text.rfind('\n');
      const bool line_start = begin == 0 || source_[begin - 1] == '\n';
      const std::size_t from = newline == std::string_view::npos ? 0 : newline + 1;
      if ((from > 0 || line_start) && strip(text.substr(from), true, false).empty())
        text = text.substr(0, from);
    }
    if (!text.empty()) add(TokenKind::kData, std::string(text), begin);
  }

  // Behind the end of a block or a comment: '-' takes all white space, else trim_blocks one line end.
  bool block_end(std::string_view mark) {
    const char sign = here("-") || here("+") ? source_[at_] : ' ';
    if (source_.compare(at_ + (sign == ' ' ? 0 : 1), mark.size(), mark) != 0) return false;
    at_ += mark.size() + (sign == ' ' ? 0 : 1);
    if (sign == '-')
      skip_space();
    else if (sign == ' ' && at_ < source_.size() && here("\n"))
      ++at_;
    return true;
  }

  bool print_end() {
    if (!here("}}") && !here("-}}")) return false;
    const bool strips = here("-");
    at_ += strips ? 3 : 2;
    if (strips) skip_space();
    return true;
  }

  void comment(std::size_t tag) {
    for (; at_ < source_.size(); ++at_)
      if (block_end("#}")) return;
    fail(tag, "this comment has no end, #}");
  }

  // {% raw %}...{% endraw %}; false, and nothing done, if it is another block.
  bool raw(std::size_t tag) {
    const std::size_t start = at_;
    skip_space();
    const bool is_raw = here("raw");
    if (is_raw) at_ += 3;
    if (is_raw) skip_space();
    if (!is_raw || !(here("%}") || here("-%}"))) {
      at_ = start;
      return false;
    }
    const bool strips = here("-");
    at_ += strips ? 3 : 2;
    if (strips) skip_space();
    const std::size_t begin = at_;
    for (std::size_t end = source_.find("{%", begin); end != std::string::npos;
         end = source_.find("{%", end + 2)) {
      at_ = end + 2;
      const char sign = here("-") || here("+") ? source_[at_++] : ' ';
      skip_space();
      if (!here("endraw")) continue;
      at_ += 6;
      skip_space();
      if (!block_end("%}")) continue;
      add_data(begin, end, sign, true);
      return true;
    }
    fail(tag, "{% raw %} has no {% endraw %}");
  }

  // What is between the marks of a tag.
  void code(std::size_t tag, bool block) {
    std::string open;  // brackets
    for (;;) {
      const std::size_t begin = at_;
      if (open.empty() && (block ? block_end("%}") : print_end())) {
        add(block ? TokenKind::kBlockEnd : TokenKind::kPrintEnd, "", begin);
        return;
      }
      if (at_ >= source_.size()) fail(tag, fmt::format("this tag has no end, {}", block ? "%}" : "}}"));
      const char c = source_[at_];
      if (is_space_at(source_, at_))
        skip_space();
      else if (is_digit(c))
        number();
      else if (is_name_start(c))
        name();
      else if (c == '\'' || c == '"')
        text(c);
      else
        sign(open);
    }
  }

  void digits() {
    while (at_ < source_.size() && is_digit(source_[at_])) ++at_;
  }

  void number() {
    const std::size_t begin = at_;
    digits();
    const auto digit_at = [&](std::size_t at) { return at < source_.size() && is_digit(source_[at]); };
    bool is_float = false;
    const bool behind_dot = begin > 0 && source_[begin - 1] == '.';
    if (!behind_dot && at_ < source_.size() && source_[at_] == '.' && digit_at(at_ + 1)) {
      is_float = true;
      ++at_;
      digits();
    }
    if (!behind_dot && at_ < source_.size() && (source_[at_] == 'e' || source_[at_] == 'E')) {
      const std::size_t sign =
          at_ + 1 < source_.size() && (source_[at_ + 1] == '+' || source_[at_ + 1] == '-') ? 1 : 0;
      if (digit_at(at_ + 1 + sign)) {
        is_float = true;
        at_ += 1 + sign;
        digits();
      }
    }
    const std::string digits_text = source_.substr(begin, at_ - begin);
    if (at_ < source_.size() && is_name_start(source_[at_]))
      fail(begin, fmt::format("{}{}...: only plain decimal numbers are read", digits_text, source_[at_]));
    if (!is_float && digits_text.size() > 1 && digits_text[0] == '0' &&
        digits_text.find_first_not_of('0') != std::string::npos)
      fail(begin, fmt::format("the number {} begins with 0", digits_text));
    add(is_float ? TokenKind::kFloat : TokenKind::kInteger, digits_text, begin);
  }

  void name() {
    const std::size_t begin = at_;
    while (at_ < source_.size() && (is_name_start(source_[at_]) || is_digit(source_[at_]))) ++at_;
    if (at_ < source_.size() && static_cast<unsigned char>(source_[at_]) >= 0x80)
      fail(begin, "names with other letters than a to z are not read");
    add(TokenKind::kName, source_.substr(begin, at_ - begin), begin);
  }

  void text(char quote) {
    const std::size_t begin = at_++;
    std::string out;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\')
        escape(begin, out);
      else
        out += source_[at_++];
    }
    if (at_ >= source_.size()) fail(begin, "this text has no end");
    ++at_;
    add(TokenKind::kText, std::move(out), begin);
  }

  // Python's escapes in string literals.
  void escape(std::size_t begin, std::string& out) {
    ++at_;
    if (at_ >= source_.size()) fail(begin, "this text has no end");
    const char c = source_[at_++];
    constexpr std::string_view kNames = "nrtabfv\\'\"", kCharacters = "\n\r\t\a\b\f\v\\'\"";
    if (const std::size_t at = kNames.find(c); at != std::string_view::npos) {
      out += kCharacters[at];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_utf8(out, code_point(begin, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (is_digit(c) || c == 'N') {
      fail(begin, fmt::format("the escape \\{} is not read", c));
    } else if (c != '\n') {
      out += '\\';
      out += c;
    }
  }

  char32_t code_point(std::size_t begin, std::size_t count) {
    const std::string hex = source_.substr(at_, count);
    if (hex.size() < count || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      fail(begin, "an escape of this text has too few digits");
    at_ += count;
    const unsigned long code = std::stoul(hex, nullptr, 16);
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
      fail(begin, fmt::format("an escape of this text, {}, is no character", hex));
    return static_cast<char32_t>(code);
  }

  void sign(std::string& open) {
    const std::size_t begin = at_;
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    std::string_view found = std::string_view(source_).substr(at_, 1);
    for (const std::string_view two : kTwo)
      if (here(two)) found = two;
    constexpr std::string_view kOne = "+-/*%~[](){}<>=.:|,;";
    if (found.size() == 1 && kOne.find(found) == std::string_view::npos)
      fail(begin, fmt::format("unexpected '{}'", source_.substr(at_, utf8_step(source_, at_).length)));
    if (found == "(" || found == "[" || found == "{") open += found;
    if (found == ")" || found == "]" || found == "}") {
      const char wanted = found == ")" ? '(' : found == "]" ? '[' : '{';
      if (open.empty() || open.back() != wanted) fail(begin, fmt::format("unexpected '{}'", found));
      open.pop_back();
    }
    at_ += found.size();
    add(TokenKind::kSign, std::string(found), begin);
  }

  const std::string& source_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0;  // characters whose line ends are in line_
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalized_source(std::string source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::vector<Token> tokenize(const std::string& source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace relmpi::jinja
