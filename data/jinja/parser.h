#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/jinja/lexer.h"
#include "data/jinja/syntax.h"

namespace relmpi::jinja {

// Goes over the tokens; what both parsers need.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string name)
      : tokens_(std::move(tokens)), name_(std::move(name)) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& before() const { return tokens_[at_ == 0 ? 0 : at_ - 1]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

  bool is(TokenKind kind) const { return now().kind == kind; }
  bool is_sign(std::string_view sign) const { return is(TokenKind::kSign) && now().text == sign; }
  bool is_name(std::string_view name) const { return is(TokenKind::kName) && now().text == name; }
  bool skip_sign(std::string_view sign);
  bool skip_name(std::string_view name);
  void expect_sign(std::string_view sign);
  std::string expect_name(const char* what);
  // Throws InputError at the current token.
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void unexpected() const;

  // Throws InputError if this goes deeper than Budget::kDepth.
  class Deeper {
   public:
    explicit Deeper(TokenStream& stream);
    ~Deeper() { --stream_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  std::vector<Token> tokens_;
  std::string name_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// Expressions, with jinja2's precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  ExprPtr expression(bool with_condition = true);
  // Values with commas between them are a tuple.
  ExprPtr tuple(bool with_condition = true, bool parentheses = false);
  // What can be assigned to: names, tuples of them and, in `set`, an attribute of a namespace.
  ExprPtr target(bool with_namespace);
  // |filter|filter of a filter block: the innermost has no input.
  ExprPtr filters(ExprPtr input);

 private:
  ExprPtr node(ExprKind kind, std::string name = "") const;
  ExprPtr join(ExprKind kind, std::string name, ExprPtr left, ExprPtr right) const;
  ExprPtr finish(ExprPtr expr) const;

  ExprPtr binary(std::size_t level);
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr unary(bool with_filter = true);
  ExprPtr primary();
  ExprPtr name_or_constant();
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr expr);
  ExprPtr filters_and_tests(ExprPtr expr);
  ExprPtr subscript(ExprPtr object);
  ExprPtr call(ExprPtr function);
  ExprPtr filter(ExprPtr input);
  ExprPtr test(ExprPtr value);
  void arguments(Expr& call);

  TokenStream& stream_;
};

// The statements of a template. Throws InputError "NAME:LINE: ..." for what jinja2 does not take either, and
// for blocks that are not built.
Body parse(const std::string& source, const std::string& name);

}  // namespace relmpi::jinja
