#include <algorithm>
#include <charconv>
#include <span>

#include "base/error.h"
#include "data/jinja/parser.h"

namespace relmpi::jinja {
namespace {

// Weakest first; each level binds the same way to the left.
struct Level {
  std::span<const std::string_view> signs;
};
constexpr std::string_view kOr[] = {"or"}, kAnd[] = {"and"}, kSum[] = {"+", "-"}, kJoin[] = {"~"},
                           kProduct[] = {"*", "/", "//", "%"}, kPower[] = {"**"};
constexpr Level kLevels[] = {{kOr}, {kAnd}, {kSum}, {kJoin}, {kProduct}, {kPower}};
constexpr std::size_t kAndLevel = 1, kSumLevel = 2;

}  // namespace

ExprPtr ExpressionParser::node(ExprKind kind, std::string name) const {
  auto out = std::make_unique<Expr>();
  out->kind = kind;
  out->line = stream_.now().line;
  out->begin = stream_.now().begin;
  out->name = std::move(name);
  return out;
}

ExprPtr ExpressionParser::finish(ExprPtr expr) const {
  expr->end = stream_.before().end;
  return expr;
}

ExprPtr ExpressionParser::join(ExprKind kind, std::string name, ExprPtr left, ExprPtr right) const {
  auto out = node(kind, std::move(name));
  out->line = left->line;
  out->begin = left->begin;
  out->parts.push_back(std::move(left));
  if (right != nullptr) out->parts.push_back(std::move(right));
  return finish(std::move(out));
}

ExprPtr ExpressionParser::expression(bool with_condition) {
  const TokenStream::Deeper deeper(stream_);
  ExprPtr value = binary(0);
  while (with_condition && stream_.skip_name("if")) {
    ExprPtr out = join(ExprKind::kCondition, "", std::move(value), binary(0));
    out->parts.push_back(stream_.skip_name("else") ? expression() : nullptr);
    value = finish(std::move(out));
  }
  return value;
}

ExprPtr ExpressionParser::binary(std::size_t level) {
  if (level == std::size(kLevels)) return unary();
  const auto next = [&] { return level == kAndLevel ? negation() : binary(level + 1); };
  ExprPtr left = next();
  for (int count = 0;; ++count) {
    const Token& token = stream_.now();
    const bool may = level <= kAndLevel ? token.kind == TokenKind::kName : token.kind == TokenKind::kSign;
    if (!may || std::ranges::find(kLevels[level].signs, token.text) == kLevels[level].signs.end())
      return left;
    if (count == Budget::kDepth * 10) stream_.fail("the expression is too long");
    std::string sign = stream_.take().text;
    left = join(ExprKind::kBinary, std::move(sign), std::move(left), next());
  }
}

ExprPtr ExpressionParser::negation() {
  if (!stream_.is_name("not")) return comparison();
  const TokenStream::Deeper deeper(stream_);
  ExprPtr out = node(ExprKind::kUnary, "not");
  stream_.take();
  out->parts.push_back(negation());
  return finish(std::move(out));
}

ExprPtr ExpressionParser::comparison() {
  ExprPtr left = binary(kSumLevel);
  constexpr std::string_view kSigns[] = {"==", "!=", "<", "<=", ">", ">="};
  const auto sign = [&]() -> std::string {
    if (stream_.is(TokenKind::kSign) && std::ranges::find(kSigns, stream_.now().text) != std::end(kSigns))
      return stream_.take().text;
    if (stream_.skip_name("in")) return "in";
    if (!stream_.is_name("not") || stream_.ahead().kind != TokenKind::kName || stream_.ahead().text != "in")
      return "";
    stream_.take();
    stream_.take();
    return "not in";
  };
  std::string found = sign();
  if (found.empty()) return left;
  ExprPtr out = join(ExprKind::kCompare, "", std::move(left), nullptr);
  for (; !found.empty(); found = sign()) {
    out->names.push_back(found);
    out->parts.push_back(binary(kSumLevel));
  }
  return finish(std::move(out));
}

ExprPtr ExpressionParser::unary(bool with_filter) {
  const TokenStream::Deeper deeper(stream_);
  ExprPtr out;
  if (stream_.is_sign("-") || stream_.is_sign("+")) {
    out = node(ExprKind::kUnary, stream_.now().text);
    stream_.take();
    out->parts.push_back(unary(false));
    out = finish(std::move(out));
  } else {
    out = primary();
  }
  out = postfix(std::move(out));
  return with_filter ? filters_and_tests(std::move(out)) : std::move(out);
}

ExprPtr ExpressionParser::name_or_constant() {
  const std::string& text = stream_.now().text;
  ExprPtr out = node(ExprKind::kConstant, text);
  if (text == "true" || text == "True" || text == "false" || text == "False")
    out->constant = Value(text == "true" || text == "True");
  else if (text != "none" && text != "None")
    out->kind = ExprKind::kName;
  stream_.take();
  return finish(std::move(out));
}

ExprPtr ExpressionParser::primary() {
  const Token& token = stream_.now();
  if (token.kind == TokenKind::kName) return name_or_constant();
  ExprPtr out = node(ExprKind::kConstant);
  if (token.kind == TokenKind::kText) {
    std::string text;
    while (stream_.is(TokenKind::kText)) text += stream_.take().text;
    out->constant = Value(std::move(text));
  } else if (token.kind == TokenKind::kInteger) {
    std::int64_t number = 0;
    const auto [end, error] =
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
    if (error != std::errc()) stream_.fail("the number " + token.text + " needs more than 64 bits");
    out->constant = Value(number);
    stream_.take();
  } else if (token.kind == TokenKind::kFloat) {
    out->constant = Value(std::strtod(token.text.c_str(), nullptr));
    stream_.take();
  } else if (stream_.skip_sign("(")) {
    out = tuple(true, true);
    stream_.expect_sign(")");
  } else if (stream_.is_sign("[")) {
    return list();
  } else if (stream_.is_sign("{")) {
    return dict();
  } else {
    stream_.unexpected();
  }
  return finish(std::move(out));
}

ExprPtr ExpressionParser::tuple(bool with_condition, bool parentheses) {
  ExprPtr out = node(ExprKind::kTuple);
  const auto ends = [&] {
    return stream_.is(TokenKind::kPrintEnd) || stream_.is(TokenKind::kBlockEnd) || stream_.is_sign(")") ||
           stream_.is_name("in");
  };
  bool comma = false;
  while (!ends()) {
    out->parts.push_back(expression(with_condition));
    comma = stream_.skip_sign(",");
    if (!comma) break;
  }
  if (out->parts.size() == 1 && !comma) return std::move(out->parts[0]);
  if (out->parts.empty() && !parentheses) stream_.unexpected();
  return finish(std::move(out));
}

ExprPtr ExpressionParser::list() {
  ExprPtr out = node(ExprKind::kList);
  stream_.expect_sign("[");
  while (!stream_.is_sign("]")) {
    if (!out->parts.empty()) stream_.expect_sign(",");
    if (stream_.is_sign("]")) break;
    out->parts.push_back(expression());
  }
  stream_.expect_sign("]");
  return finish(std::move(out));
}

ExprPtr ExpressionParser::dict() {
  ExprPtr out = node(ExprKind::kDict);
  stream_.expect_sign("{");
  while (!stream_.is_sign("}")) {
    if (!out->parts.empty()) stream_.expect_sign(",");
    if (stream_.is_sign("}")) break;
    out->parts.push_back(expression());
    stream_.expect_sign(":");
    out->parts.push_back(expression());
  }
  stream_.expect_sign("}");
  return finish(std::move(out));
}

ExprPtr ExpressionParser::target(bool with_namespace) {
  ExprPtr out = node(ExprKind::kTuple);
  bool comma = false;
  do {
    ExprPtr one;
    if (stream_.skip_sign("(")) {
      const TokenStream::Deeper deeper(stream_);
      one = target(false);
      stream_.expect_sign(")");
    } else {
      one = node(ExprKind::kName, stream_.expect_name("a name to assign to"));
      constexpr std::string_view kWords[] = {"true", "false", "none", "True", "False", "None"};
      if (std::ranges::find(kWords, one->name) != std::end(kWords))
        stream_.fail("'" + one->name + "' cannot be assigned to");
      if (with_namespace && stream_.skip_sign("."))
        one =
            join(ExprKind::kAttribute, stream_.expect_name("an attribute"), finish(std::move(one)), nullptr);
    }
    out->parts.push_back(finish(std::move(one)));
    comma = stream_.skip_sign(",");
  } while (comma && (stream_.is(TokenKind::kName) || stream_.is_sign("(")) && !stream_.is_name("in"));
  if (out->parts.size() == 1 && !comma) return std::move(out->parts[0]);
  return finish(std::move(out));
}

ExprPtr ExpressionParser::postfix(ExprPtr expr) {
  for (int count = 0;; ++count) {
    if (count == Budget::kDepth) stream_.fail("the expression is too long");
    if (stream_.is_sign(".") || stream_.is_sign("["))
      expr = subscript(std::move(expr));
    else if (stream_.is_sign("("))
      expr = call(std::move(expr));
    else
      return expr;
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr expr) {
  for (int count = 0;; ++count) {
    if (count == Budget::kDepth) stream_.fail("the expression is too long");
    if (stream_.skip_sign("|"))
      expr = filter(std::move(expr));
    else if (stream_.skip_name("is"))
      expr = test(std::move(expr));
    else if (stream_.is_sign("("))
      expr = call(std::move(expr));
    else
      return expr;
  }
}

ExprPtr ExpressionParser::filters(ExprPtr input) {
  input = filter(std::move(input));
  for (int count = 0; stream_.skip_sign("|"); ++count) {
    if (count == Budget::kDepth) stream_.fail("the expression is too long");
    input = filter(std::move(input));
  }
  return input;
}

ExprPtr ExpressionParser::subscript(ExprPtr object) {
  if (stream_.skip_sign(".")) {
    if (stream_.is(TokenKind::kInteger)) return join(ExprKind::kItem, "", std::move(object), primary());
    std::string name = stream_.expect_name("an attribute's name");
    return join(ExprKind::kAttribute, std::move(name), std::move(object), nullptr);
  }
  stream_.expect_sign("[");
  ExprPtr bounds[3];
  std::size_t colons = 0;
  while (!stream_.is_sign("]")) {
    if (stream_.skip_sign(":")) {
      if (++colons > 2) stream_.unexpected();
    } else if (bounds[colons] == nullptr) {
      bounds[colons] = expression();
    } else {
      stream_.unexpected();
    }
  }
  if (colons == 0 && bounds[0] == nullptr) stream_.unexpected();
  stream_.take();
  if (colons == 0) return join(ExprKind::kItem, "", std::move(object), std::move(bounds[0]));
  ExprPtr out = join(ExprKind::kSlice, "", std::move(object), nullptr);
  for (ExprPtr& bound : bounds) out->parts.push_back(std::move(bound));
  return out;
}

void ExpressionParser::arguments(Expr& call) {
  stream_.expect_sign("(");
  for (bool first = true; !stream_.is_sign(")"); first = false) {
    if (!first) stream_.expect_sign(",");
    if (stream_.is_sign(")")) break;
    if (stream_.is_sign("*") || stream_.is_sign("**"))
      stream_.fail("arguments as *list or **dict are not built");
    const bool named = stream_.is(TokenKind::kName) && stream_.ahead().kind == TokenKind::kSign &&
                       stream_.ahead().text == "=";
    if (named) {
      call.names.push_back(stream_.take().text);
      stream_.take();
    } else if (!call.names.empty()) {
      stream_.fail("an argument without a name stands behind one with a name");
    }
    call.parts.push_back(expression());
  }
  stream_.expect_sign(")");
}

ExprPtr ExpressionParser::call(ExprPtr function) {
  ExprPtr out = join(ExprKind::kCall, "", std::move(function), nullptr);
  arguments(*out);
  return finish(std::move(out));
}

ExprPtr ExpressionParser::filter(ExprPtr input) {
  ExprPtr out = node(ExprKind::kFilter);
  if (input != nullptr) out->line = input->line, out->begin = input->begin;
  out->parts.push_back(std::move(input));
  out->name = stream_.expect_name("a filter's name");
  while (stream_.skip_sign(".")) out->name.append(".").append(stream_.expect_name("a filter's name"));
  if (stream_.is_sign("(")) arguments(*out);
  return finish(std::move(out));
}

ExprPtr ExpressionParser::test(ExprPtr value) {
  ExprPtr out = join(ExprKind::kTest, "", std::move(value), nullptr);
  const bool negated = stream_.skip_name("not");
  out->name = stream_.expect_name("a test's name");
  while (stream_.skip_sign(".")) out->name.append(".").append(stream_.expect_name("a test's name"));
  const TokenKind kind = stream_.now().kind;
  const bool word = stream_.is_name("else") || stream_.is_name("or") || stream_.is_name("and");
  if (stream_.is_sign("(")) {
    arguments(*out);
  } else if (kind == TokenKind::kText || kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
             stream_.is_sign("[") || stream_.is_sign("{") || (kind == TokenKind::kName && !word)) {
    if (stream_.is_name("is")) stream_.fail("tests cannot be chained with 'is'");
    out->parts.push_back(postfix(primary()));
  }
  out = finish(std::move(out));
  return negated ? join(ExprKind::kUnary, "not", std::move(out), nullptr) : std::move(out);
}

}  // namespace relmpi::jinja
