#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace relmpi::jinja {

// What an expression cannot be evaluated for. The evaluator adds the template's name, the line and the
// expression and makes an InputError of it.
class Trouble : public std::runtime_error {
 public:
  template <typename... Args>
  explicit Trouble(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

// What one rendering may take: a template is foreign code. Throws Trouble when it is used up.
class Budget {
 public:
  void step(std::int64_t count = 1);  // of the evaluation, of a loop, of a search
  void bytes(std::size_t count);      // of texts and lists that are made
  static constexpr int kDepth = 100;  // lists in lists, calls in calls, blocks in blocks

 private:
  std::int64_t steps_ = 5'000'000;
  std::int64_t bytes_ = 256 << 20;
};

class Value;

// The values of a list or the like; never changed. `depth`: of lists inside each other, at most kDepth.
struct Items {
  std::vector<Value> values;
  int depth = 1;
};
struct Entries {
  std::vector<std::pair<Value, Value>> pairs;  // keys are None, booleans, numbers or texts
  int depth = 1;
};

struct Undefined {
  std::string name;  // what was looked for
};
struct None {};
using Text = std::shared_ptr<const std::string>;  // UTF-8

// How Python would hold it: that decides what may be asked of it.
enum class SequenceKind { kList, kTuple, kRange, kView, kGenerator };
struct Sequence {
  SequenceKind kind;
  std::shared_ptr<const Items> items;
};
struct Dict {
  std::shared_ptr<const Entries> entries;
};

// What namespace() makes: the only thing that changes. The evaluator owns it.
struct Namespace;

// Where a `for` is.
struct Loop {
  std::shared_ptr<const Items> items;
  std::size_t index = 0;
};

struct Arguments;
// Something to be called: a macro, a function, a method with its object.
struct Function {
  std::string name;
  int depth = 1;
  std::function<Value(const Arguments&)> call;
};

class Value {
 public:
  using Variant = std::variant<Undefined, None, bool, std::int64_t, double, Text, Sequence, Dict, Namespace*,
                               std::shared_ptr<Loop>, std::shared_ptr<const Function>>;

  Value() : variant_(None{}) {}
  Value(Variant variant) : variant_(std::move(variant)) {}
  Value(bool value) : variant_(value) {}
  Value(std::int64_t value) : variant_(value) {}
  Value(double value) : variant_(value) {}
  Value(std::string text) : variant_(std::make_shared<const std::string>(std::move(text))) {}
  Value(const char*) = delete;  // would be a bool

  // nullptr if it holds something else.
  template <typename T>
  const T* as() const {
    return std::get_if<T>(&variant_);
  }
  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(variant_);
  }
  const std::string* text() const {
    const Text* held = as<Text>();
    return held == nullptr ? nullptr : held->get();
  }

 private:
  Variant variant_;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

// A call's arguments.
struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at this place or of this name; nullptr if it was not given.
  const Value* find(std::size_t place, const char* name) const;
  // Throws Trouble for more than `most` or another name.
  void demand(std::size_t least, const std::vector<std::string>& names) const;
};

Value undefined(std::string name);
// Throw Trouble for more than kDepth levels.
Value sequence(SequenceKind kind, std::vector<Value> values);
Value dict(std::vector<std::pair<Value, Value>> pairs);
Value function(std::string name, const Value& object, std::function<Value(const Arguments&)> call);
// Throws Trouble for a number that no std::int64_t holds.
Value from_json(const nlohmann::ordered_json& json);

const char* type_name(const Value& value);  // as Python calls it
bool truth(const Value& value);
// Booleans and whole numbers.
const std::int64_t* whole(const Value& value, std::int64_t& scratch);
bool is_number(const Value& value);  // with booleans
double number(const Value& value);   // throws Trouble for what is none

bool equal(const Value& a, const Value& b, Budget& budget);
bool less(const Value& a, const Value& b, Budget& budget);
bool contains(const Value& container, const Value& value, Budget& budget);
// nullptr if the key is missing.
const Value* find(const Dict& dict, const Value& key, Budget& budget);
// What a `for` goes over: items, keys, characters. Throws Trouble for what Python cannot iterate.
std::shared_ptr<const Items> iterate(const Value& value, Budget& budget);
std::int64_t length(const Value& value);

// Python's str() and repr(). Throw Trouble for what has an address in it, such as a function.
std::string str(const Value& value, Budget& budget);
std::string repr(const Value& value, Budget& budget);
std::string float_text(double value);

// json.dumps(value, ensure_ascii=False, ...) of Python.
struct JsonLayout {
  std::string item_separator = ", ", key_separator = ": ";
  const std::string* indent = nullptr;
  bool sort_keys = false;
};
std::string json_text(const Value& value, const JsonLayout& layout, Budget& budget);

}  // namespace relmpi::jinja
