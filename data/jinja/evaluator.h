#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "data/jinja/syntax.h"
#include "data/jinja/value.h"

namespace relmpi::jinja {

// The names that a part of a template sets. An inner scope sees the outer ones.
struct Scope {
  explicit Scope(std::shared_ptr<Scope> outside = {}) : outer(std::move(outside)) {}
  void set(const std::string& name, Value value);

  std::shared_ptr<Scope> outer;
  std::vector<std::pair<std::string, Value>> values;
};

// One rendering of a parsed template.
class Evaluator {
 public:
  Evaluator(const std::string& source, const std::string& name, std::time_t now);

  std::string run(const Body& body, const nlohmann::ordered_json& variables);

 private:
  enum class Flow { kOn, kBreak, kContinue };
  using ScopePtr = std::shared_ptr<Scope>;

  // Statements write into out_.
  Flow execute(const Body& body, const ScopePtr& scope);
  Flow execute(const Statement& statement, const ScopePtr& scope);
  Flow run_if(const Statement& statement, const ScopePtr& scope);
  Flow run_for(const Statement& statement, const ScopePtr& scope);
  std::shared_ptr<const Items> loop_items(const Statement& statement, const ScopePtr& scope);
  void define_macro(const Statement& statement, const ScopePtr& scope);
  Value call_macro(const Statement& statement, const ScopePtr& scope, const Arguments& arguments);
  std::string captured(const Body& body, const ScopePtr& scope);
  void assign(const Expr& target, const Value& value, Scope& scope, const Scope& lookup);
  void write(const std::string& text);

  Value value(const Expr& expr, const Scope& scope);
  Value compute(const Expr& expr, const Scope& scope);
  Value name_value(const std::string& name, const Scope& scope);
  Value binary(const Expr& expr, const Scope& scope);
  Value compared(const Expr& expr, const Scope& scope);
  Value call(const Expr& expr, const Scope& scope);
  Value dict_value(const Expr& expr, const Scope& scope);
  Value filtered(const Expr& expr, const Scope& scope, const Value* block);
  Arguments arguments(const Expr& expr, const Scope& scope);
  Value global(const std::string& name);
  [[noreturn]] void fail(const Expr& expr, const std::string& what) const;

  const std::string& source_;
  const std::string& name_;
  std::time_t now_;
  Budget budget_;
  int depth_ = 0;  // of blocks, calls and expressions
  std::string out_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::vector<ScopePtr> kept_;  // of macros, which point to them
};

}  // namespace relmpi::jinja
