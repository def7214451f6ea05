#include "data/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "data/jinja/python_text.h"

namespace relmpi::jinja {
namespace {

[[noreturn]] void no_such(const std::string& sign, const Value& left, const Value& right) {
  throw Trouble("{} {} {} is not defined", type_name(left), sign, type_name(right));
}

std::int64_t checked(bool overflow, std::int64_t result) {
  if (overflow) throw Trouble("the result needs more than 64 bits");
  return result;
}

// Rounded down, as Python divides.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) throw Trouble("division by zero");
  if (b == -1) {
    std::int64_t out = 0;
    const bool overflow = __builtin_sub_overflow(std::int64_t{0}, a, &out);
    return checked(overflow, out);
  }
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == 0) throw Trouble("division by zero");
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

std::int64_t power(std::int64_t base, std::int64_t exponent, Budget& budget) {
  std::int64_t out = 1;
  for (std::int64_t i = 0; i < exponent; ++i) {
    budget.step();
    if (const bool overflow = __builtin_mul_overflow(out, base, &out); overflow) checked(true, 0);
  }
  return out;
}

Value whole_arithmetic(const std::string& sign, std::int64_t a, std::int64_t b, Budget& budget) {
  std::int64_t out = 0;
  bool overflow = false;
  if (sign == "+") overflow = __builtin_add_overflow(a, b, &out);
  if (sign == "-") overflow = __builtin_sub_overflow(a, b, &out);
  if (sign == "*") overflow = __builtin_mul_overflow(a, b, &out);
  if (sign == "//") out = floor_divide(a, b);
  if (sign == "%") out = modulo(a, b);
  if (sign == "**") {
    if (b < 0) throw Trouble("a power with a negative exponent");
    out = power(a, b, budget);
  }
  return checked(overflow, out);
}

// Python's float_mod and float_floor_div: the rest has the divisor's sign.
Value float_arithmetic(const std::string& sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") throw Trouble("a power of fractions");
  if (b == 0) throw Trouble("division by zero");
  if (sign == "/") return a / b;
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) rest += b, quotient -= 1;
  } else {
    rest = std::copysign(0.0, b);
  }
  if (sign == "%") return rest;
  if (quotient == 0) return std::copysign(0.0, a / b);
  double down = std::floor(quotient);
  if (quotient - down > 0.5) down += 1;
  return down;
}

// 'ab' * 3, [1] * 3
Value repeated(const Value& what, std::int64_t count, Budget& budget) {
  count = std::max<std::int64_t>(count, 0);
  const std::size_t size = what.text() != nullptr ? what.text()->size()
                                                  : what.as<Sequence>()->items->values.size() * sizeof(Value);
  if (size > 0 && static_cast<std::size_t>(count) > (std::size_t{1} << 32) / size) budget.bytes(SIZE_MAX / 2);
  budget.bytes(size * static_cast<std::size_t>(count));
  if (size == 0) count = 0;
  if (const std::string* text = what.text()) {
    std::string out;
    for (std::int64_t i = 0; i < count; ++i) out += *text;
    return out;
  }
  const auto* list = what.as<Sequence>();
  std::vector<Value> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.insert(values.end(), list->items->values.begin(), list->items->values.end());
  return sequence(list->kind, std::move(values));
}

bool is_list(const Value& value) {
  const auto* list = value.as<Sequence>();
  return list != nullptr && list->kind <= SequenceKind::kTuple;
}

Value joined(const Value& left, const Value& right, Budget& budget) {
  const auto *a = left.as<Sequence>(), *b = right.as<Sequence>();
  if (!is_list(left) || !is_list(right) || a->kind != b->kind) no_such("+", left, right);
  budget.bytes((a->items->values.size() + b->items->values.size()) * sizeof(Value));
  std::vector<Value> values = a->items->values;
  values.insert(values.end(), b->items->values.begin(), b->items->values.end());
  return sequence(a->kind, std::move(values));
}

}  // namespace

Value arithmetic(const std::string& sign, const Value& left, const Value& right, Budget& budget) {
  for (const Value* one : {&left, &right})
    if (const auto* missing = one->as<Undefined>()) throw Trouble("'{}' is undefined", missing->name);
  std::int64_t scratch_a = 0, scratch_b = 0;
  const auto *a = whole(left, scratch_a), *b = whole(right, scratch_b);
  if (a != nullptr && b != nullptr && sign != "/") return whole_arithmetic(sign, *a, *b, budget);
  if (is_number(left) && is_number(right)) return float_arithmetic(sign, number(left), number(right));
  if (sign == "+" && left.text() != nullptr && right.text() != nullptr) {
    budget.bytes(left.text()->size() + right.text()->size());
    return *left.text() + *right.text();
  }
  if (sign == "+") return joined(left, right, budget);
  const auto repeats = [](const Value& value) { return value.text() != nullptr || is_list(value); };
  if (sign == "*" && repeats(left) && b != nullptr) return repeated(left, *b, budget);
  if (sign == "*" && repeats(right) && a != nullptr) return repeated(right, *a, budget);
  if (sign == "%" && left.text() != nullptr) throw Trouble("formatting with % is not built");
  no_such(sign, left, right);
}

Value negative(const Value& value, Budget& budget) {
  if (const auto* held = value.as<double>()) return -*held;
  return arithmetic("-", Value(std::int64_t{0}), value, budget);
}

Value positive(const Value& value) {
  std::int64_t scratch = 0;
  if (const auto* held = whole(value, scratch)) return *held;
  return number(value);
}

bool compare(const std::string& sign, const Value& left, const Value& right, Budget& budget) {
  if (sign == "==") return equal(left, right, budget);
  if (sign == "!=") return !equal(left, right, budget);
  if (sign == "in") return contains(right, left, budget);
  if (sign == "not in") return !contains(right, left, budget);
  if (sign == "<") return less(left, right, budget);
  if (sign == ">") return less(right, left, budget);
  // With a NaN all are false.
  const bool order = sign == "<=" ? less(left, right, budget) : less(right, left, budget);
  return order || equal(left, right, budget);
}

Value item(const Value& object, const Value& key, Budget& budget) {
  if (const auto* missing = object.as<Undefined>()) throw Trouble("'{}' is undefined", missing->name);
  if (const auto* dict = object.as<Dict>()) {
    const Value* found = key.is<Sequence>() || key.is<Dict>() ? nullptr : find(*dict, key, budget);
    return found != nullptr ? *found : undefined(str(key, budget));
  }
  std::int64_t scratch = 0;
  const auto* index = whole(key, scratch);
  if (index == nullptr) return undefined(key.text() != nullptr ? *key.text() : type_name(key));
  const auto at = [&](std::int64_t size) { return *index < 0 ? *index + size : *index; };
  if (const std::string* text = object.text()) {
    const auto all = characters(*text);
    budget.step(std::ssize(all) / 16);
    const std::int64_t place = at(std::ssize(all));
    if (place < 0 || place >= std::ssize(all)) return undefined(fmt::format("{}", *index));
    return std::string(all[static_cast<std::size_t>(place)]);
  }
  const auto* list = object.as<Sequence>();
  if (list == nullptr || list->kind >= SequenceKind::kView) return undefined(fmt::format("{}", *index));
  const auto& values = list->items->values;
  const std::int64_t place = at(std::ssize(values));
  if (place < 0 || place >= std::ssize(values)) return undefined(fmt::format("{}", *index));
  return values[static_cast<std::size_t>(place)];
}

namespace {

// The places that a slice takes of `size` (Python's PySlice_AdjustIndices).
std::vector<std::size_t> places_of(std::int64_t size, const Value& begin, const Value& end,
                                   const Value& step) {
  const auto bound = [](const Value& value) -> std::optional<std::int64_t> {
    std::int64_t scratch = 0;
    if (value.is<None>()) return std::nullopt;
    if (const auto* held = whole(value, scratch)) return *held;
    throw Trouble("a slice's bounds are whole numbers, not {}", type_name(value));
  };
  const std::int64_t stride = bound(step).value_or(1);
  if (stride == 0) throw Trouble("a slice with step 0");
  const std::int64_t low = stride < 0 ? -1 : 0, high = stride < 0 ? size - 1 : size;
  const auto clamp = [&](std::optional<std::int64_t> value, std::int64_t otherwise) {
    if (!value) return otherwise;
    return std::clamp(*value < 0 ? std::max(*value, -size - 1) + size : *value, low, high);
  };
  const std::int64_t from = clamp(bound(begin), stride < 0 ? high : low);
  const std::int64_t to = clamp(bound(end), stride < 0 ? low : high);
  std::vector<std::size_t> places;
  for (std::int64_t at = from; stride < 0 ? at > to : at < to;) {
    places.push_back(static_cast<std::size_t>(at));
    if (__builtin_add_overflow(at, stride, &at)) break;
  }
  return places;
}

}  // namespace

Value slice(const Value& object, const Value& begin, const Value& end, const Value& step, Budget& budget) {
  if (const std::string* text = object.text()) {
    const auto all = characters(*text);
    budget.step(std::ssize(all) / 16);
    std::string out;
    for (const std::size_t place : places_of(std::ssize(all), begin, end, step)) out += all[place];
    budget.bytes(out.size());
    return out;
  }
  const auto* list = object.as<Sequence>();
  if (list == nullptr || list->kind >= SequenceKind::kView)
    throw Trouble("{} cannot be sliced", type_name(object));
  std::vector<Value> values;
  for (const std::size_t place : places_of(std::ssize(list->items->values), begin, end, step))
    values.push_back(list->items->values[place]);
  budget.bytes(values.size() * sizeof(Value));
  return sequence(list->kind, std::move(values));
}

}  // namespace relmpi::jinja
