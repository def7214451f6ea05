#include "data/jinja/parser.h"

#include <algorithm>

#include "base/error.h"

namespace relmpi::jinja {

bool TokenStream::skip_sign(std::string_view sign) {
  if (!is_sign(sign)) return false;
  take();
  return true;
}

bool TokenStream::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

void TokenStream::expect_sign(std::string_view sign) {
  if (!skip_sign(sign)) fail(fmt::format("'{}' was expected", sign));
}

std::string TokenStream::expect_name(const char* what) {
  if (!is(TokenKind::kName)) fail(fmt::format("{} was expected", what));
  return take().text;
}

void TokenStream::fail(const std::string& what) const {
  throw InputError("{}:{}: the template cannot be read: {}", name_, now().line, what);
}

void TokenStream::unexpected() const {
  if (is(TokenKind::kEnd)) fail("it breaks off");
  fail(now().text.empty() ? "an expression was expected" : fmt::format("unexpected '{}'", now().text));
}

TokenStream::Deeper::Deeper(TokenStream& stream) : stream_(stream) {
  if (stream_.depth_ >= Budget::kDepth) stream_.fail("it is nested too deep");
  ++stream_.depth_;
}

namespace {

using Names = std::initializer_list<std::string_view>;

class StatementParser {
 public:
  explicit StatementParser(TokenStream& stream) : stream_(stream), expressions_(stream) {}

  // Up to a block of one of these names, which is the next token then; without names up to the end.
  Body body(Names ends) {
    const TokenStream::Deeper deeper(stream_);
    Body out;
    for (;;) {
      if (stream_.is(TokenKind::kEnd)) {
        if (ends.size() > 0) stream_.fail(fmt::format("{{% {} %}} is missing", *std::prev(ends.end())));
        return out;
      }
      if (stream_.is(TokenKind::kData)) {
        out.push_back(start(StatementKind::kText));
        out.back().name = stream_.take().text;
      } else if (stream_.is(TokenKind::kPrintBegin)) {
        out.push_back(start(StatementKind::kPrint));
        stream_.take();
        out.back().parts.push_back(expressions_.tuple());
        if (!stream_.is(TokenKind::kPrintEnd)) stream_.unexpected();
        stream_.take();
      } else {
        stream_.take();
        if (!stream_.is(TokenKind::kName)) stream_.fail("a block's name was expected");
        if (std::ranges::find(ends, stream_.now().text) != ends.end()) return out;
        out.push_back(block());
      }
    }
  }

 private:
  Statement start(StatementKind kind) const { return {.kind = kind, .line = stream_.now().line}; }

  void block_end() {
    if (!stream_.is(TokenKind::kBlockEnd)) stream_.unexpected();
    stream_.take();
  }

  // A body and the block of this name that ends it.
  Body body_to(std::string_view end) {
    block_end();
    Body out = body({end});
    stream_.take();
    block_end();
    return out;
  }

  Statement block() {
    const std::string& name = stream_.now().text;
    if (name == "if") return if_block();
    if (name == "for") return for_block();
    if (name == "set") return set_block();
    if (name == "macro") return macro_block();
    if (name == "with") return with_block();
    if (name == "filter") return filter_block();
    if (name == "generation") return generation_block();
    if (name == "break") return loop_control(StatementKind::kBreak);
    if (name == "continue") return loop_control(StatementKind::kContinue);
    stream_.fail(fmt::format("the block {{% {} %}} is not built", name));
  }

  Statement if_block() {
    Statement out = start(StatementKind::kIf);
    do {
      stream_.take();
      out.parts.push_back(expressions_.tuple(false));
      block_end();
      out.bodies.push_back(body({"elif", "else", "endif"}));
    } while (stream_.is_name("elif"));
    if (stream_.skip_name("else")) {
      block_end();
      out.bodies.push_back(body({"endif"}));
    }
    stream_.take();
    block_end();
    return out;
  }

  Statement for_block() {
    Statement out = start(StatementKind::kFor);
    stream_.take();
    out.parts.push_back(expressions_.target(false));
    if (!stream_.skip_name("in")) stream_.fail("'in' was expected");
    out.parts.push_back(expressions_.tuple(false));
    out.parts.push_back(stream_.skip_name("if") ? expressions_.expression() : nullptr);
    if (stream_.is_name("recursive")) stream_.fail("a recursive loop is not built");
    block_end();
    ++loops_;
    out.bodies.push_back(body({"else", "endfor"}));
    --loops_;
    if (stream_.skip_name("else")) {
      block_end();
      out.bodies.push_back(body({"endfor"}));
    }
    stream_.take();
    block_end();
    return out;
  }

  Statement set_block() {
    Statement out = start(StatementKind::kSet);
    stream_.take();
    out.parts.push_back(expressions_.target(true));
    if (stream_.skip_sign("=")) {
      out.parts.push_back(expressions_.tuple());
      block_end();
      return out;
    }
    out.kind = StatementKind::kSetBlock;
    out.parts.push_back(stream_.skip_sign("|") ? expressions_.filters(nullptr) : nullptr);
    out.bodies.push_back(body_to("endset"));
    return out;
  }

  Statement macro_block() {
    Statement out = start(StatementKind::kMacro);
    stream_.take();
    out.name = stream_.expect_name("the macro's name");
    stream_.expect_sign("(");
    while (!stream_.is_sign(")")) {
      if (!out.names.empty()) stream_.expect_sign(",");
      out.names.push_back(stream_.expect_name("a parameter's name"));
      if (stream_.skip_sign("="))
        out.parts.push_back(expressions_.expression());
      else if (!out.parts.empty())
        stream_.fail("a parameter without a default stands behind one with a default");
    }
    stream_.take();
    const int outer = std::exchange(loops_, 0);
    out.bodies.push_back(body_to("endmacro"));
    loops_ = outer;
    return out;
  }

  Statement with_block() {
    Statement out = start(StatementKind::kWith);
    stream_.take();
    while (!stream_.is(TokenKind::kBlockEnd)) {
      if (!out.parts.empty()) stream_.expect_sign(",");
      out.parts.push_back(expressions_.target(false));
      stream_.expect_sign("=");
      out.parts.push_back(expressions_.expression());
    }
    out.bodies.push_back(body_to("endwith"));
    return out;
  }

  Statement filter_block() {
    Statement out = start(StatementKind::kFilter);
    stream_.take();
    out.parts.push_back(expressions_.filters(nullptr));
    out.bodies.push_back(body_to("endfilter"));
    return out;
  }

  Statement generation_block() {
    Statement out = start(StatementKind::kGeneration);
    stream_.take();
    const int outer = std::exchange(loops_, 0);
    out.bodies.push_back(body_to("endgeneration"));
    loops_ = outer;
    return out;
  }

  Statement loop_control(StatementKind kind) {
    Statement out = start(kind);
    stream_.take();
    if (loops_ == 0) stream_.fail("break and continue belong into a loop");
    block_end();
    return out;
  }

  TokenStream& stream_;
  ExpressionParser expressions_;
  int loops_ = 0;  // around this place
};

}  // namespace

Body parse(const std::string& source, const std::string& name) {
  TokenStream stream(tokenize(source, name), name);
  return StatementParser(stream).body({});
}

}  // namespace relmpi::jinja
