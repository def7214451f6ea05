#pragma once

#include <string>
#include <vector>

namespace relmpi::jinja {

enum class TokenKind {
  kData,        // text between tags
  kPrintBegin,  // {{
  kPrintEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kText,     // a string literal, its escapes resolved
  kInteger,  // its digits
  kFloat,
  kSign,  // an operator or a bracket
  kEnd
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;
  std::size_t begin, end;  // in the source
};

// The template's text as jinja2 3.1 takes it: line ends are '\n', and one at the end is left out.
std::string normalized_source(std::string source);

// Cuts a normalized source as jinja2 does with trim_blocks and lstrip_blocks. Comments are left out. Throws
// InputError "NAME:LINE: ..." for what is no template. `name`: the file's.
std::vector<Token> tokenize(const std::string& source, const std::string& name);

}  // namespace relmpi::jinja
