#include <functional>
#include <map>

#include "data/jinja/builtins.h"
#include "data/jinja/operators.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {
namespace {

using Test = std::function<bool(const Value&, const Arguments&, Budget&)>;

Test kind(bool (*is)(const Value&)) {
  return [=](const Value& value, const Arguments& arguments, Budget&) {
    arguments.demand(0, {});
    return is(value);
  };
}

Test compared(const char* sign) {
  return [=](const Value& value, const Arguments& arguments, Budget& budget) {
    arguments.demand(1, {"other"});
    return compare(sign, value, arguments.values.at(0), budget);
  };
}

Test whole_rest(std::int64_t divisor, std::int64_t rest) {
  return [=](const Value& value, const Arguments&, Budget& budget) {
    return equal(arithmetic("%", value, divisor, budget), rest, budget);
  };
}

bool is_iterable(const Value& value) {
  return value.is<Undefined>() || value.is<Text>() || value.is<Dict>() || value.is<Sequence>() ||
         value.is<std::shared_ptr<Loop>>();
}

bool is_sequence(const Value& value) {
  const auto* held = value.as<Sequence>();
  if (held != nullptr) return held->kind < SequenceKind::kView;
  return value.is<Text>() || value.is<Dict>() || value.is<Undefined>();
}

bool same_object(const Value& a, const Value& b, Budget& budget) {
  const auto single = [](const Value& value) { return value.is<None>() || value.is<bool>(); };
  if (!single(a) && !single(b)) throw Trouble("'sameas' is known for none, true and false alone");
  return a.is<None>() == b.is<None>() && a.is<bool>() == b.is<bool>() && equal(a, b, budget);
}

// str.islower and str.isupper: at least one letter with a case, and none of the other.
bool has_only_case(const Value& value, std::string (*own)(const std::string&),
                   std::string (*other)(const std::string&), Budget& budget) {
  const std::string text = str(value, budget);
  return text == own(text) && text != other(text);
}

const std::map<std::string, Test>& known_tests() {
  static const std::map<std::string, Test> tests = {
      {"defined", kind([](const Value& value) { return !value.is<Undefined>(); })},
      {"undefined", kind([](const Value& value) { return value.is<Undefined>(); })},
      {"none", kind([](const Value& value) { return value.is<None>(); })},
      {"boolean", kind([](const Value& value) { return value.is<bool>(); })},
      {"true", kind([](const Value& value) { return value.is<bool>() && *value.as<bool>(); })},
      {"false", kind([](const Value& value) { return value.is<bool>() && !*value.as<bool>(); })},
      {"integer", kind([](const Value& value) { return value.is<std::int64_t>(); })},
      {"float", kind([](const Value& value) { return value.is<double>(); })},
      {"number", kind(&is_number)},
      {"string", kind([](const Value& value) { return value.is<Text>(); })},
      {"mapping", kind([](const Value& value) { return value.is<Dict>(); })},
      {"iterable", kind(&is_iterable)},
      {"sequence", kind(&is_sequence)},
      {"callable", kind([](const Value& value) {
         return value.is<std::shared_ptr<const Function>>() || value.is<Undefined>();
       })},
      {"odd", whole_rest(2, 1)},
      {"even", whole_rest(2, 0)},
      {"divisibleby",
       [](const Value& value, const Arguments& arguments, Budget& budget) {
         arguments.demand(1, {"num"});
         return equal(arithmetic("%", value, *arguments.find(0, "num"), budget), std::int64_t{0}, budget);
       }},
      {"in", compared("in")},
      {"sameas",
       [](const Value& value, const Arguments& arguments, Budget& budget) {
         arguments.demand(1, {"other"});
         return same_object(value, *arguments.find(0, "other"), budget);
       }},
      {"lower", [](const Value& value, const Arguments&,
                   Budget& budget) { return has_only_case(value, &lower, &upper, budget); }},
      {"upper", [](const Value& value, const Arguments&,
                   Budget& budget) { return has_only_case(value, &upper, &lower, budget); }},
      {"eq", compared("==")},
      {"==", compared("==")},
      {"equalto", compared("==")},
      {"ne", compared("!=")},
      {"!=", compared("!=")},
      {"gt", compared(">")},
      {">", compared(">")},
      {"ge", compared(">=")},
      {">=", compared(">=")},
      {"lt", compared("<")},
      {"<", compared("<")},
      {"le", compared("<=")},
      {"<=", compared("<=")},
      {"greaterthan", compared(">")},
      {"lessthan", compared("<")},
  };
  return tests;
}

}  // namespace

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments, Budget& budget) {
  const auto found = known_tests().find(name);
  if (found == known_tests().end()) throw Trouble("the test '{}' is not built", name);
  return found->second(value, arguments, budget);
}

}  // namespace relmpi::jinja
