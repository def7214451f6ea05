#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/jinja/value.h"

namespace relmpi::jinja {

enum class ExprKind {
  kConstant,
  kName,
  kList,
  kTuple,
  kDict,       // parts: key, value, key, value, ...
  kAttribute,  // parts: object
  kItem,       // parts: object, key
  kSlice,      // parts: object, begin, end, step; those left out are null
  kCall,       // parts: function, arguments
  kFilter,     // parts: input, arguments; the input of a filter block is null
  kTest,       // parts: value, arguments
  kUnary,      // parts: value; name: not, -, +
  kBinary,     // parts: left, right; name: and, or, ~ and Python's signs
  kCompare,    // parts: values; names: the signs between them
  kCondition   // parts: value, condition, other value or null
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind;
  int line = 0;
  std::size_t begin = 0, end = 0;  // in the source
  std::string name;
  Value constant;
  std::vector<ExprPtr> parts;
  std::vector<std::string> names;  // of a call: of the last parts, which are given by name
};

enum class StatementKind {
  kText,        // name: the text
  kPrint,       // parts: value
  kIf,          // parts: conditions; bodies: theirs, and one more for else
  kFor,         // parts: target, what it goes over, condition or null; bodies: loop, else
  kSet,         // parts: target, value
  kSetBlock,    // parts: target, filter or null; bodies: one
  kWith,        // parts: target, value, target, value, ...; bodies: one
  kMacro,       // name; names: its parameters; parts: defaults of the last; bodies: one
  kFilter,      // parts: filter; bodies: one
  kGeneration,  // bodies: one
  kBreak,
  kContinue
};

struct Statement;
using Body = std::vector<Statement>;

struct Statement {
  StatementKind kind;
  int line = 0;
  std::string name;
  std::vector<ExprPtr> parts;
  std::vector<std::string> names;
  std::vector<Body> bodies;
};

}  // namespace relmpi::jinja
