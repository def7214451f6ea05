#include "data/jinja/evaluator.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/jinja/builtins.h"
#include "data/jinja/operators.h"

namespace relmpi::jinja {
namespace {

constexpr std::size_t kMostOutput = std::size_t{64} << 20;
constexpr std::int64_t kMostRange = 100'000;  // jinja2.sandbox.MAX_RANGE

// Throws Trouble beyond kDepth.
class Deeper {
 public:
  explicit Deeper(int& depth) : depth_(depth) {
    if (depth_ >= 4 * Budget::kDepth) throw Trouble("calls and blocks are nested too deep");
    ++depth_;
  }
  ~Deeper() { --depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  int& depth_;
};

Value range_of(const Arguments& arguments, Budget& budget) {
  arguments.demand(1, {"start", "stop", "step"});
  std::vector<std::int64_t> bounds;
  std::int64_t scratch = 0;
  for (const Value& value : arguments.values) {
    const auto* held = whole(value, scratch);
    if (held == nullptr) throw Trouble("range() takes whole numbers, not {}", type_name(value));
    bounds.push_back(*held);
  }
  if (bounds.empty()) throw Trouble("range() takes no argument by name");
  const std::int64_t begin = bounds.size() > 1 ? bounds[0] : 0, end = bounds[bounds.size() > 1 ? 1 : 0];
  const std::int64_t step = bounds.size() > 2 ? bounds[2] : 1;
  if (step == 0) throw Trouble("range() with step 0");
  std::vector<Value> values;
  for (std::int64_t at = begin; step > 0 ? at < end : at > end;) {
    if (std::ssize(values) == kMostRange) throw Trouble("range() is limited to {} numbers", kMostRange);
    values.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  budget.step(std::ssize(values));
  return sequence(SequenceKind::kRange, std::move(values));
}

Value formatted_time(const Arguments& arguments, std::time_t now) {
  arguments.demand(1, {"format"});
  const std::string* format = arguments.find(0, "format")->text();
  if (format == nullptr) throw Trouble("strftime_now() takes a text");
  for (std::size_t at = format->find('%'); at != std::string::npos; at = format->find('%', at + 2))
    if (at + 1 == format->size() ||
        std::string_view("aAbBcdHIjmMpSuUwWxXyYZGVeFTDRhklnt%-").find((*format)[at + 1]) ==
            std::string_view::npos)
      throw Trouble("strftime_now(): the format \"{}\" is not built", *format);
  std::tm local{};
  localtime_r(&now, &local);
  std::string out(format->size() * 4 + 256, '\0');
  out.resize(std::strftime(out.data(), out.size(), format->c_str(), &local));
  return out;
}

// What raise_exception carries out of the template.
class Raised : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

bool is_key(const Value& value) { return value.is<Text>() || is_number(value) || value.is<None>(); }

}  // namespace

void Scope::set(const std::string& name, Value value) {
  for (auto& [known, held] : values)
    if (known == name) {
      held = std::move(value);
      return;
    }
  values.emplace_back(name, std::move(value));
}

Evaluator::Evaluator(const std::string& source, const std::string& name, std::time_t now)
    : source_(source), name_(name), now_(now) {}

std::string Evaluator::run(const Body& body, const nlohmann::ordered_json& variables) {
  const auto given = std::make_shared<Scope>();
  try {
    for (const auto& [name, value] : variables.items()) given->set(name, from_json(value));
    execute(body, std::make_shared<Scope>(given));
  } catch (const Trouble& trouble) {
    throw InputError("{}: {}", name_, trouble.what());
  }
  return std::move(out_);
}

void Evaluator::write(const std::string& text) {
  if (out_.size() + text.size() > kMostOutput) throw Trouble("the template writes more than 64 MiB");
  out_ += text;
}

Evaluator::Flow Evaluator::execute(const Body& body, const ScopePtr& scope) {
  const Deeper deeper(depth_);
  for (const Statement& statement : body)
    if (const Flow flow = execute(statement, scope); flow != Flow::kOn) return flow;
  return Flow::kOn;
}

Evaluator::Flow Evaluator::execute(const Statement& statement, const ScopePtr& scope) {
  budget_.step();
  const auto& parts = statement.parts;
  switch (statement.kind) {
    case StatementKind::kText:
      write(statement.name);
      break;
    case StatementKind::kPrint: {
      // Without HTML escapes `safe` at the end changes nothing.
      const bool safe =
          parts[0]->kind == ExprKind::kFilter && parts[0]->name == "safe" && parts[0]->parts.size() == 1;
      const Expr& printed = safe ? *parts[0]->parts[0] : *parts[0];
      const Value shown = value(printed, *scope);
      try {
        write(str(shown, budget_));
      } catch (const Trouble& trouble) {
        fail(printed, trouble.what());
      }
      break;
    }
    case StatementKind::kIf:
      return run_if(statement, scope);
    case StatementKind::kFor:
      return run_for(statement, scope);
    case StatementKind::kSet:
      assign(*parts[0], value(*parts[1], *scope), *scope, *scope);
      break;
    case StatementKind::kSetBlock: {
      Value text = captured(statement.bodies[0], scope);
      if (parts[1] != nullptr) text = filtered(*parts[1], *scope, &text);
      assign(*parts[0], text, *scope, *scope);
      break;
    }
    case StatementKind::kWith: {
      const auto inner = std::make_shared<Scope>(scope);
      for (std::size_t i = 0; i < parts.size(); i += 2)
        assign(*parts[i], value(*parts[i + 1], *scope), *inner, *scope);
      return execute(statement.bodies[0], inner);
    }
    case StatementKind::kMacro:
      define_macro(statement, scope);
      break;
    case StatementKind::kFilter: {
      const Value text = captured(statement.bodies[0], scope);
      write(str(filtered(*parts[0], *scope, &text), budget_));
      break;
    }
    case StatementKind::kGeneration:
      execute(statement.bodies[0], std::make_shared<Scope>(scope));
      break;
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kOn;
}

Evaluator::Flow Evaluator::run_if(const Statement& statement, const ScopePtr& scope) {
  for (std::size_t i = 0; i < statement.parts.size(); ++i)
    if (truth(value(*statement.parts[i], *scope))) return execute(statement.bodies[i], scope);
  if (statement.bodies.size() > statement.parts.size()) return execute(statement.bodies.back(), scope);
  return Flow::kOn;
}

// What the loop goes over, those left out that its condition refuses.
std::shared_ptr<const Items> Evaluator::loop_items(const Statement& statement, const ScopePtr& scope) {
  const Expr& over = *statement.parts[1];
  const Value all = value(over, *scope);
  std::shared_ptr<const Items> items;
  try {
    items = iterate(all, budget_);
  } catch (const Trouble& trouble) {
    fail(over, trouble.what());
  }
  if (statement.parts[2] == nullptr) return items;
  auto kept = std::make_shared<Items>();
  kept->depth = items->depth;
  for (const Value& one : items->values) {
    budget_.step();
    const auto inner = std::make_shared<Scope>(scope);
    assign(*statement.parts[0], one, *inner, *inner);
    if (truth(value(*statement.parts[2], *inner))) kept->values.push_back(one);
  }
  return kept;
}

Evaluator::Flow Evaluator::run_for(const Statement& statement, const ScopePtr& scope) {
  const auto loop = std::make_shared<Loop>();
  loop->items = loop_items(statement, scope);
  for (; loop->index < loop->items->values.size(); ++loop->index) {
    budget_.step();
    const auto inner = std::make_shared<Scope>(scope);
    inner->set("loop", Value::Variant(loop));
    assign(*statement.parts[0], loop->items->values[loop->index], *inner, *inner);
    if (execute(statement.bodies[0], inner) == Flow::kBreak) return Flow::kOn;
  }
  if (loop->items->values.empty() && statement.bodies.size() > 1)
    return execute(statement.bodies[1], std::make_shared<Scope>(scope));
  return Flow::kOn;
}

void Evaluator::define_macro(const Statement& statement, const ScopePtr& scope) {
  kept_.push_back(scope);
  // By its place: a pointer that owns the scope would be held by the scope itself.
  const std::size_t place = kept_.size() - 1;
  scope->set(statement.name,
             function(statement.name, Value(), [this, &statement, place](const Arguments& given) {
               return call_macro(statement, kept_[place], given);
             }));
}

Value Evaluator::call_macro(const Statement& statement, const ScopePtr& scope, const Arguments& given) {
  const Deeper deeper(depth_);
  given.demand(0, statement.names);
  const auto inner = std::make_shared<Scope>(scope);
  const std::size_t first_default = statement.names.size() - statement.parts.size();
  for (std::size_t i = 0; i < statement.names.size(); ++i) {
    const Value* argument = given.find(i, statement.names[i].c_str());
    const bool defaults = argument == nullptr && i >= first_default;
    inner->set(statement.names[i], argument != nullptr ? *argument
                                   : defaults          ? value(*statement.parts[i - first_default], *inner)
                                                       : undefined(statement.names[i]));
  }
  return captured(statement.bodies[0], inner);
}

// What the body writes, in a scope of its own.
std::string Evaluator::captured(const Body& body, const ScopePtr& scope) {
  std::string outer = std::exchange(out_, {});
  execute(body, std::make_shared<Scope>(scope));
  budget_.bytes(out_.size());
  return std::exchange(out_, std::move(outer));
}

void Evaluator::assign(const Expr& target, const Value& held, Scope& scope, const Scope& lookup) {
  if (target.kind == ExprKind::kName) return scope.set(target.name, held);
  if (target.kind == ExprKind::kAttribute) {
    const Value object = value(*target.parts[0], lookup);
    if (!object.is<Namespace*>()) fail(target, "only a namespace's attributes can be set");
    auto& attributes = (*object.as<Namespace*>())->attributes;
    const auto found =
        std::ranges::find(attributes, target.name, [](const auto& pair) { return pair.first; });
    if (found != attributes.end())
      found->second = held;
    else
      attributes.emplace_back(target.name, held);
    return;
  }
  try {
    const auto items = iterate(held, budget_);
    if (items->values.size() != target.parts.size())
      throw Trouble("{} values for {} names", items->values.size(), target.parts.size());
    for (std::size_t i = 0; i < items->values.size(); ++i)
      assign(*target.parts[i], items->values[i], scope, lookup);
  } catch (const Trouble& trouble) {
    fail(target, trouble.what());
  }
}

void Evaluator::fail(const Expr& expr, const std::string& what) const {
  std::string text = source_.substr(expr.begin, expr.end - expr.begin);
  if (text.size() > 200) text = text.substr(0, 197) + "...";
  throw InputError("{}:{}: {}: {}", name_, expr.line, text, what);
}

Value Evaluator::value(const Expr& expr, const Scope& scope) {
  budget_.step();
  try {
    const Deeper deeper(depth_);
    return compute(expr, scope);
  } catch (const Trouble& trouble) {
    fail(expr, trouble.what());
  } catch (const Raised& raised) {
    throw InputError("the chat template refuses this conversation: {} ({}:{})", raised.what(), name_,
                     expr.line);
  }
}

Value Evaluator::compute(const Expr& expr, const Scope& scope) {
  const auto part = [&](std::size_t i) { return value(*expr.parts[i], scope); };
  switch (expr.kind) {
    case ExprKind::kConstant:
      return expr.constant;
    case ExprKind::kName:
      return name_value(expr.name, scope);
    case ExprKind::kList:
    case ExprKind::kTuple: {
      std::vector<Value> values;
      for (std::size_t i = 0; i < expr.parts.size(); ++i) values.push_back(part(i));
      return sequence(expr.kind == ExprKind::kList ? SequenceKind::kList : SequenceKind::kTuple,
                      std::move(values));
    }
    case ExprKind::kDict:
      return dict_value(expr, scope);
    case ExprKind::kAttribute:
      return attribute(part(0), expr.name, budget_);
    case ExprKind::kItem:
      return subscript(part(0), part(1), budget_);
    case ExprKind::kSlice: {
      const auto bound = [&](std::size_t i) { return expr.parts[i] != nullptr ? part(i) : Value(); };
      return slice(part(0), bound(1), bound(2), bound(3), budget_);
    }
    case ExprKind::kCall:
      return call(expr, scope);
    case ExprKind::kFilter:
      return filtered(expr, scope, nullptr);
    case ExprKind::kTest:
      return apply_test(expr.name, part(0), arguments(expr, scope), budget_);
    case ExprKind::kUnary:
      if (expr.name == "not") return !truth(part(0));
      return expr.name == "-" ? negative(part(0), budget_) : positive(part(0));
    case ExprKind::kBinary:
      return binary(expr, scope);
    case ExprKind::kCompare:
      return compared(expr, scope);
    case ExprKind::kCondition:
      if (truth(part(1))) return part(0);
      return expr.parts[2] != nullptr ? part(2) : undefined("a condition without else");
  }
  return {};
}

Value Evaluator::name_value(const std::string& name, const Scope& scope) {
  for (const Scope* at = &scope; at != nullptr; at = at->outer.get())
    for (const auto& [known, held] : at->values)
      if (known == name) return held;
  return global(name);
}

Value Evaluator::binary(const Expr& expr, const Scope& scope) {
  Value left = value(*expr.parts[0], scope);
  if (expr.name == "and" || expr.name == "or")
    return truth(left) == (expr.name == "or") ? left : value(*expr.parts[1], scope);
  const Value right = value(*expr.parts[1], scope);
  if (expr.name != "~") return arithmetic(expr.name, left, right, budget_);
  std::string text = str(left, budget_);
  text += str(right, budget_);
  budget_.bytes(text.size());
  return text;
}

Value Evaluator::compared(const Expr& expr, const Scope& scope) {
  Value left = value(*expr.parts[0], scope);
  for (std::size_t i = 0; i < expr.names.size(); ++i) {
    Value right = value(*expr.parts[i + 1], scope);
    if (!compare(expr.names[i], left, right, budget_)) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::dict_value(const Expr& expr, const Scope& scope) {
  std::vector<std::pair<Value, Value>> pairs;
  for (std::size_t i = 0; i < expr.parts.size(); i += 2) {
    Value key = value(*expr.parts[i], scope), held = value(*expr.parts[i + 1], scope);
    if (!is_key(key)) throw Trouble("{} cannot be a key here", type_name(key));
    const auto same =
        std::ranges::find_if(pairs, [&](const auto& pair) { return equal(pair.first, key, budget_); });
    if (same != pairs.end())
      same->second = std::move(held);
    else
      pairs.emplace_back(std::move(key), std::move(held));
  }
  return dict(std::move(pairs));
}

Arguments Evaluator::arguments(const Expr& expr, const Scope& scope) {
  Arguments out;
  const std::size_t by_place = expr.parts.size() - expr.names.size();
  for (std::size_t i = 1; i < by_place; ++i) out.values.push_back(value(*expr.parts[i], scope));
  for (std::size_t i = 0; i < expr.names.size(); ++i)
    out.named.emplace_back(expr.names[i], value(*expr.parts[by_place + i], scope));
  return out;
}

Value Evaluator::call(const Expr& expr, const Scope& scope) {
  const Value called = value(*expr.parts[0], scope);
  if (const auto* missing = called.as<Undefined>()) throw Trouble("'{}' is undefined", missing->name);
  const auto* held = called.as<std::shared_ptr<const Function>>();
  if (held == nullptr) throw Trouble("{} cannot be called", type_name(called));
  return (*held)->call(arguments(expr, scope));
}

Value Evaluator::filtered(const Expr& expr, const Scope& scope, const Value* block) {
  const Expr* input = expr.parts[0].get();
  const Value held = input == nullptr                                       ? *block
                     : block != nullptr && input->kind == ExprKind::kFilter ? filtered(*input, scope, block)
                                                                            : value(*input, scope);
  if (expr.name == "safe") throw Trouble("the filter 'safe' is not built but at the end of what is printed");
  return apply_filter(expr.name, held, arguments(expr, scope), budget_);
}

Value Evaluator::global(const std::string& name) {
  const auto of = [&](std::function<Value(const Arguments&)> call_it) {
    return function(name, Value(), std::move(call_it));
  };
  if (name == "range") return of([this](const Arguments& given) { return range_of(given, budget_); });
  if (name == "strftime_now")
    return of([this](const Arguments& given) { return formatted_time(given, now_); });
  if (name == "raise_exception")
    return of([this](const Arguments& given) -> Value {
      given.demand(1, {"message"});
      throw Raised(str(*given.find(0, "message"), budget_));
    });
  if (name == "namespace")
    return of([this](const Arguments& given) -> Value {
      if (!given.values.empty()) throw Trouble("namespace() is built with names alone");
      namespaces_.push_back(std::make_unique<Namespace>(Namespace{given.named}));
      return Value::Variant(namespaces_.back().get());
    });
  if (name == "dict")
    return of([](const Arguments& given) {
      if (!given.values.empty()) throw Trouble("dict() is built with names alone");
      std::vector<std::pair<Value, Value>> pairs;
      for (const auto& [key, held] : given.named) pairs.emplace_back(Value(key), held);
      return dict(std::move(pairs));
    });
  for (const char* other : {"lipsum", "cycler", "joiner", "self", "varargs", "kwargs", "caller"})
    if (name == other) throw Trouble("'{}' is not built", name);
  return undefined(name);
}

}  // namespace relmpi::jinja
