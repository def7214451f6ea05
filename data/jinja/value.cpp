#include "data/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {

void Budget::step(std::int64_t count) {
  if ((steps_ -= count) < 0) throw Trouble("the template takes too many steps; does it loop without end?");
}

void Budget::bytes(std::size_t count) {
  if (count > static_cast<std::size_t>(bytes_)) throw Trouble("the template makes more than 256 MiB of text");
  bytes_ -= static_cast<std::int64_t>(count);
}

const Value* Arguments::find(std::size_t place, const char* name) const {
  if (place < values.size()) return &values[place];
  for (const auto& [given, value] : named)
    if (given == name) return &value;
  return nullptr;
}

void Arguments::demand(std::size_t least, const std::vector<std::string>& names) const {
  if (values.size() > names.size()) throw Trouble("takes at most {} argument(s)", names.size());
  for (const auto& [name, value] : named) {
    const auto place = std::ranges::find(names, name) - names.begin();
    if (place == std::ssize(names)) throw Trouble("the argument {} is unknown", name);
    if (place < std::ssize(values)) throw Trouble("the argument {} is given twice", name);
  }
  for (std::size_t i = 0; i < least; ++i)
    if (find(i, names[i].c_str()) == nullptr) throw Trouble("the argument {} is missing", names[i]);
}

namespace {

int depth_of(const Value& value) {
  if (const auto* sequence = value.as<Sequence>()) return sequence->items->depth;
  if (const auto* dict = value.as<Dict>()) return dict->entries->depth;
  if (const auto* loop = value.as<std::shared_ptr<Loop>>()) return (*loop)->items->depth + 1;
  if (const auto* function = value.as<std::shared_ptr<const Function>>()) return (*function)->depth;
  return 0;
}

int checked_depth(int inner) {
  if (inner >= Budget::kDepth) throw Trouble("lists are nested more than {} deep", Budget::kDepth);
  return inner + 1;
}

}  // namespace

Value undefined(std::string name) { return Value::Variant(Undefined{std::move(name)}); }

Value sequence(SequenceKind kind, std::vector<Value> values) {
  int inner = 0;
  for (const Value& value : values) inner = std::max(inner, depth_of(value));
  const int depth = checked_depth(inner);
  return Value::Variant(Sequence{kind, std::make_shared<const Items>(Items{std::move(values), depth})});
}

Value dict(std::vector<std::pair<Value, Value>> pairs) {
  int inner = 0;
  for (const auto& [key, value] : pairs) inner = std::max(inner, depth_of(value));
  const int depth = checked_depth(inner);
  return Value::Variant(Dict{std::make_shared<const Entries>(Entries{std::move(pairs), depth})});
}

Value function(std::string name, const Value& object, std::function<Value(const Arguments&)> call) {
  return Value::Variant(std::make_shared<const Function>(
      Function{std::move(name), checked_depth(depth_of(object)), std::move(call)}));
}

Value from_json(const nlohmann::ordered_json& json) {
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return json.get<bool>();
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX)
        throw Trouble("the number {} needs more than 64 bits", json.dump());
      return json.get<std::int64_t>();
    case nlohmann::json::value_t::number_float:
      return json.get<double>();
    case nlohmann::json::value_t::string:
      return json.get<std::string>();
    case nlohmann::json::value_t::array: {
      std::vector<Value> values;
      for (const auto& one : json) values.push_back(from_json(one));
      return sequence(SequenceKind::kList, std::move(values));
    }
    case nlohmann::json::value_t::object: {
      std::vector<std::pair<Value, Value>> pairs;
      for (const auto& [key, value] : json.items()) pairs.emplace_back(Value(key), from_json(value));
      return dict(std::move(pairs));
    }
    default:
      return {};
  }
}

const char* type_name(const Value& value) {
  if (value.is<Undefined>()) return "undefined";
  if (value.is<None>()) return "None";
  if (value.is<bool>()) return "bool";
  if (value.is<std::int64_t>()) return "int";
  if (value.is<double>()) return "float";
  if (value.is<Text>()) return "str";
  if (value.is<Dict>()) return "dict";
  if (value.is<Namespace*>()) return "namespace";
  if (value.is<std::shared_ptr<Loop>>()) return "loop";
  if (value.is<std::shared_ptr<const Function>>()) return "function";
  constexpr const char* kNames[] = {"list", "tuple", "range", "view", "generator"};
  return kNames[static_cast<int>(value.as<Sequence>()->kind)];
}

bool truth(const Value& value) {
  if (value.is<Undefined>() || value.is<None>()) return false;
  if (const auto* held = value.as<bool>()) return *held;
  if (const auto* held = value.as<std::int64_t>()) return *held != 0;
  if (const auto* held = value.as<double>()) return *held != 0;
  if (const auto* held = value.text()) return !held->empty();
  if (const auto* held = value.as<Dict>()) return !held->entries->pairs.empty();
  if (const auto* held = value.as<Sequence>())
    return held->kind == SequenceKind::kGenerator || !held->items->values.empty();
  return true;  // a loop has items
}

const std::int64_t* whole(const Value& value, std::int64_t& scratch) {
  if (const auto* held = value.as<bool>()) {
    scratch = *held ? 1 : 0;
    return &scratch;
  }
  return value.as<std::int64_t>();
}

bool is_number(const Value& value) {
  return value.is<bool>() || value.is<std::int64_t>() || value.is<double>();
}

double number(const Value& value) {
  if (const auto* held = value.as<double>()) return *held;
  std::int64_t scratch = 0;
  if (const auto* held = whole(value, scratch)) return static_cast<double>(*held);
  throw Trouble("a number was expected, not {}", type_name(value));
}

namespace {

bool equal_items(const Items& a, const Items& b, Budget& budget) {
  return std::ranges::equal(a.values, b.values,
                            [&](const Value& x, const Value& y) { return equal(x, y, budget); });
}

bool equal_entries(const Dict& a, const Dict& b, Budget& budget) {
  if (a.entries->pairs.size() != b.entries->pairs.size()) return false;
  return std::ranges::all_of(a.entries->pairs, [&](const auto& pair) {
    const Value* other = find(b, pair.first, budget);
    return other != nullptr && equal(pair.second, *other, budget);
  });
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  std::int64_t scratch_a = 0, scratch_b = 0;
  const auto *whole_a = whole(a, scratch_a), *whole_b = whole(b, scratch_b);
  if (whole_a != nullptr && whole_b != nullptr) return *whole_a == *whole_b;
  if (is_number(a) && is_number(b)) return number(a) == number(b);
  if (a.text() != nullptr && b.text() != nullptr) return *a.text() == *b.text();
  if (a.is<None>() || a.is<Undefined>())
    return (a.is<None>() && b.is<None>()) || (a.is<Undefined>() && b.is<Undefined>());
  const auto *list_a = a.as<Sequence>(), *list_b = b.as<Sequence>();
  if (list_a != nullptr && list_b != nullptr) {
    if (list_a->items == list_b->items && list_a->kind == list_b->kind) return true;
    if (list_a->kind >= SequenceKind::kView || list_b->kind >= SequenceKind::kView)
      throw Trouble("{} and {} cannot be compared here", type_name(a), type_name(b));
    return list_a->kind == list_b->kind && equal_items(*list_a->items, *list_b->items, budget);
  }
  const auto *dict_a = a.as<Dict>(), *dict_b = b.as<Dict>();
  if (dict_a != nullptr && dict_b != nullptr) return equal_entries(*dict_a, *dict_b, budget);
  const auto *names_a = a.as<Namespace*>(), *names_b = b.as<Namespace*>();
  if (names_a != nullptr && names_b != nullptr) return *names_a == *names_b;
  if (a.is<std::shared_ptr<const Function>>() && b.is<std::shared_ptr<const Function>>())
    throw Trouble("functions cannot be compared here");
  return false;
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  std::int64_t scratch_a = 0, scratch_b = 0;
  const auto *whole_a = whole(a, scratch_a), *whole_b = whole(b, scratch_b);
  if (whole_a != nullptr && whole_b != nullptr) return *whole_a < *whole_b;
  if (is_number(a) && is_number(b)) return number(a) < number(b);
  // UTF-8 sorts as its characters do.
  if (a.text() != nullptr && b.text() != nullptr) return *a.text() < *b.text();
  const auto *list_a = a.as<Sequence>(), *list_b = b.as<Sequence>();
  if (list_a != nullptr && list_b != nullptr && list_a->kind == list_b->kind &&
      list_a->kind <= SequenceKind::kTuple) {
    const auto &values_a = list_a->items->values, &values_b = list_b->items->values;
    for (std::size_t i = 0; i < std::min(values_a.size(), values_b.size()); ++i)
      if (!equal(values_a[i], values_b[i], budget)) return less(values_a[i], values_b[i], budget);
    return values_a.size() < values_b.size();
  }
  throw Trouble("{} and {} have no order", type_name(a), type_name(b));
}

const Value* find(const Dict& dict, const Value& key, Budget& budget) {
  for (const auto& [name, value] : dict.entries->pairs)
    if (equal(name, key, budget)) return &value;
  return nullptr;
}

bool contains(const Value& container, const Value& value, Budget& budget) {
  if (const auto* text = container.text()) {
    if (value.text() == nullptr) throw Trouble("'in' a text needs a text, not {}", type_name(value));
    return text->find(*value.text()) != std::string::npos;
  }
  if (const auto* dict = container.as<Dict>()) {
    if (value.is<Sequence>() || value.is<Dict>()) throw Trouble("{} is no key", type_name(value));
    return find(*dict, value, budget) != nullptr;
  }
  const auto items = iterate(container, budget);
  return std::ranges::any_of(items->values, [&](const Value& one) { return equal(one, value, budget); });
}

std::shared_ptr<const Items> iterate(const Value& value, Budget& budget) {
  if (const auto* sequence = value.as<Sequence>()) return sequence->items;
  auto items = std::make_shared<Items>();
  if (const auto* dict = value.as<Dict>()) {
    for (const auto& [key, unused] : dict->entries->pairs) items->values.push_back(key);
  } else if (const auto* text = value.text()) {
    budget.bytes(text->size() * sizeof(Value));
    for (const std::string_view character : characters(*text))
      items->values.emplace_back(std::string(character));
  } else if (!value.is<Undefined>()) {
    throw Trouble("{} cannot be iterated", type_name(value));
  }
  return items;
}

std::int64_t length(const Value& value) {
  if (value.is<Undefined>()) return 0;
  if (const auto* text = value.text()) return std::ssize(characters(*text));
  if (const auto* dict = value.as<Dict>()) return std::ssize(dict->entries->pairs);
  const auto* sequence = value.as<Sequence>();
  if (sequence == nullptr || sequence->kind == SequenceKind::kGenerator)
    throw Trouble("{} has no length", type_name(value));
  return std::ssize(sequence->items->values);
}

}  // namespace relmpi::jinja
