#include <algorithm>
#include <numeric>

#include "data/jinja/builtins.h"
#include "data/jinja/filters.h"
#include "data/jinja/operators.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {
namespace {

Value list_of(std::vector<Value> values, SequenceKind kind = SequenceKind::kList) {
  return sequence(kind, std::move(values));
}

// attribute="a.b" or a number: what jinja2's make_attrgetter looks up in turn.
Value path(Value value, const Value& attribute_path, Budget& budget) {
  if (attribute_path.is<std::int64_t>()) return subscript(value, attribute_path, budget);
  if (attribute_path.text() == nullptr) throw Trouble("an attribute's name must be a text");
  for (const std::string& part : split(*attribute_path.text(), ".", -1, false)) {
    const bool index =
        !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string::npos;
    value = subscript(value, index ? Value(std::int64_t{std::stoll(part)}) : Value(part), budget);
  }
  return value;
}

bool flag(const Arguments& arguments, std::size_t place, const char* name) {
  const Value* value = arguments.find(place, name);
  return value != nullptr && truth(*value);
}

// The values to compare by: an attribute, in lower case unless case_sensitive.
std::vector<Value> keys_of(const Items& items, const Value* by, bool case_sensitive, Budget& budget) {
  std::vector<Value> keys;
  for (const Value& one : items.values) {
    Value key = by != nullptr && !by->is<None>() ? path(one, *by, budget) : one;
    if (!case_sensitive && key.text() != nullptr) key = Value(lower(*key.text()));
    keys.push_back(std::move(key));
  }
  return keys;
}

Value sorted(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"reverse", "case_sensitive", "attribute"});
  const auto items = iterate(input, budget);
  const Value* by = arguments.find(2, "attribute");
  if (by != nullptr && by->text() != nullptr && by->text()->find(',') != std::string::npos)
    throw Trouble("sorting by several attributes is not built");
  const auto keys = keys_of(*items, by, flag(arguments, 1, "case_sensitive"), budget);
  std::vector<std::size_t> order(keys.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const bool falling = flag(arguments, 0, "reverse");
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return falling ? less(keys[b], keys[a], budget) : less(keys[a], keys[b], budget);
  });
  std::vector<Value> values;
  values.reserve(order.size());
  for (const std::size_t i : order) values.push_back(items->values[i]);
  return list_of(std::move(values));
}

Value unique(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"case_sensitive", "attribute"});
  const auto items = iterate(input, budget);
  const auto keys =
      keys_of(*items, arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), budget);
  std::vector<Value> values, seen;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].is<Dict>() || keys[i].is<Sequence>())
      throw Trouble("{} cannot be told apart", type_name(keys[i]));
    if (std::ranges::any_of(seen, [&](const Value& one) { return equal(one, keys[i], budget); })) continue;
    seen.push_back(keys[i]);
    values.push_back(items->values[i]);
  }
  return list_of(std::move(values), SequenceKind::kGenerator);
}

Value dict_sorted(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"case_sensitive", "by", "reverse"});
  if (!input.is<Dict>()) throw Trouble("a dictionary was expected, not {}", type_name(input));
  const Value* by = arguments.find(1, "by");
  if (by != nullptr && by->text() == nullptr) throw Trouble("by must be key or value");
  const std::string wanted = by != nullptr ? *by->text() : "key";
  if (wanted != "key" && wanted != "value") throw Trouble("by must be key or value");
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.as<Dict>()->entries->pairs)
    pairs.push_back(list_of({key, value}, SequenceKind::kTuple));
  Arguments how;
  how.named = {{"attribute", Value(std::int64_t{wanted == "key" ? 0 : 1})},
               {"reverse", Value(flag(arguments, 2, "reverse"))},
               {"case_sensitive", Value(flag(arguments, 0, "case_sensitive"))}};
  return sorted(list_of(std::move(pairs)), how, budget);
}

Value joined(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"d", "attribute"});
  const Value *between = arguments.find(0, "d"), *by = arguments.find(1, "attribute");
  const std::string separator = between != nullptr ? soft_text(*between, budget) : "";
  const auto items = iterate(input, budget);
  std::string out;
  for (std::size_t i = 0; i < items->values.size(); ++i) {
    const Value& one = items->values[i];
    const std::string text =
        soft_text(by != nullptr && !by->is<None>() ? path(one, *by, budget) : one, budget);
    budget.bytes(separator.size() + text.size());
    if (i > 0) out += separator;
    out += text;
  }
  return out;
}

// map(attribute=..), map('filter', ...)
Value mapped(const Value& input, const Arguments& arguments, Budget& budget) {
  const auto items = iterate(input, budget);
  std::vector<Value> values;
  budget.step(std::ssize(items->values));
  if (arguments.values.empty()) {
    arguments.demand(0, {"attribute", "default"});
    const Value *by = arguments.find(0, "attribute"), *otherwise = arguments.find(1, "default");
    if (by == nullptr) throw Trouble("a filter's name or attribute= is missing");
    for (const Value& one : items->values) {
      Value found = path(one, *by, budget);
      if (found.is<Undefined>() && otherwise != nullptr) found = *otherwise;
      values.push_back(std::move(found));
    }
  } else {
    if (arguments.values[0].text() == nullptr) throw Trouble("a filter's name was expected");
    const Arguments rest{{arguments.values.begin() + 1, arguments.values.end()}, arguments.named};
    for (const Value& one : items->values)
      values.push_back(apply_filter(*arguments.values[0].text(), one, rest, budget));
  }
  return list_of(std::move(values), SequenceKind::kGenerator);
}

// select, reject and, by an attribute, selectattr and rejectattr.
Filter choosing(bool keep, bool by_attribute) {
  return [=](const Value& input, const Arguments& arguments, Budget& budget) {
    const std::size_t skipped = by_attribute ? 1 : 0;
    if (arguments.values.size() < skipped) throw Trouble("the attribute's name is missing");
    const bool tested = arguments.values.size() > skipped;
    if (tested && arguments.values[skipped].text() == nullptr) throw Trouble("a test's name was expected");
    Arguments rest;
    if (tested)
      rest = {{arguments.values.begin() + static_cast<std::ptrdiff_t>(skipped) + 1, arguments.values.end()},
              arguments.named};
    std::vector<Value> values;
    const auto items = iterate(input, budget);
    for (const Value& one : items->values) {
      budget.step();
      const Value held = by_attribute ? path(one, arguments.values[0], budget) : one;
      const bool holds =
          tested ? apply_test(*arguments.values[skipped].text(), held, rest, budget) : truth(held);
      if (holds == keep) values.push_back(one);
    }
    return list_of(std::move(values), SequenceKind::kGenerator);
  };
}

Value reversed(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {});
  const auto items = iterate(input, budget);
  std::vector<Value> values(items->values.rbegin(), items->values.rend());
  if (input.text() == nullptr) return list_of(std::move(values), SequenceKind::kGenerator);
  std::string out;
  for (const Value& one : values) out += *one.text();
  return out;
}

Value at_end(const Value& input, const Arguments& arguments, Budget& budget, bool front) {
  arguments.demand(0, {});
  const auto* list = input.as<Sequence>();
  if (!front && list != nullptr && list->kind == SequenceKind::kGenerator)
    throw Trouble("a generator has no last item; make a list of it");
  const auto items = iterate(input, budget);
  if (items->values.empty())
    return undefined(front ? "the first item of nothing" : "the last item of nothing");
  return front ? items->values.front() : items->values.back();
}

Value extreme(const Value& input, const Arguments& arguments, Budget& budget, bool least) {
  arguments.demand(0, {"case_sensitive", "attribute"});
  const auto items = iterate(input, budget);
  const auto keys =
      keys_of(*items, arguments.find(1, "attribute"), flag(arguments, 0, "case_sensitive"), budget);
  if (keys.empty()) return undefined("the extreme of nothing");
  std::size_t best = 0;
  for (std::size_t i = 1; i < keys.size(); ++i)
    if (least ? less(keys[i], keys[best], budget) : less(keys[best], keys[i], budget)) best = i;
  return items->values[best];
}

Value summed(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"attribute", "start"});
  const Value *by = arguments.find(0, "attribute"), *start = arguments.find(1, "start");
  Value sum = start != nullptr ? *start : Value(std::int64_t{0});
  const auto items = iterate(input, budget);
  for (const Value& one : items->values)
    sum = arithmetic("+", sum, by != nullptr && !by->is<None>() ? path(one, *by, budget) : one, budget);
  return sum;
}

Value pairs_of(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {});
  std::vector<Value> pairs;
  if (const auto* dict = input.as<Dict>()) {
    budget.step(std::ssize(dict->entries->pairs));
    for (const auto& [key, value] : dict->entries->pairs)
      pairs.push_back(list_of({key, value}, SequenceKind::kTuple));
  } else if (!input.is<Undefined>()) {
    throw Trouble("a dictionary was expected, not {}", type_name(input));
  }
  return list_of(std::move(pairs), SequenceKind::kGenerator);
}

Value defaulted(const Value& input, const Arguments& arguments, Budget&) {
  arguments.demand(0, {"default_value", "boolean"});
  const bool missing = input.is<Undefined>() || (flag(arguments, 1, "boolean") && !truth(input));
  if (!missing) return input;
  const Value* otherwise = arguments.find(0, "default_value");
  return otherwise != nullptr ? *otherwise : Value(std::string());
}

Value counted(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {});
  if (input.text() != nullptr) budget.step(std::ssize(*input.text()) / 16);
  return length(input);
}

}  // namespace

const Filters& list_filters() {
  static const Filters filters = {
      {"list",
       [](const Value& input, const Arguments& arguments, Budget& budget) {
         arguments.demand(0, {});
         return Value(Value::Variant(Sequence{SequenceKind::kList, iterate(input, budget)}));
       }},
      {"first", [](const Value& input, const Arguments& arguments,
                   Budget& budget) { return at_end(input, arguments, budget, true); }},
      {"last", [](const Value& input, const Arguments& arguments,
                  Budget& budget) { return at_end(input, arguments, budget, false); }},
      {"min", [](const Value& input, const Arguments& arguments,
                 Budget& budget) { return extreme(input, arguments, budget, true); }},
      {"max", [](const Value& input, const Arguments& arguments,
                 Budget& budget) { return extreme(input, arguments, budget, false); }},
      {"length", &counted},
      {"count", &counted},
      {"default", &defaulted},
      {"d", &defaulted},
      {"join", &joined},
      {"sort", &sorted},
      {"unique", &unique},
      {"dictsort", &dict_sorted},
      {"reverse", &reversed},
      {"sum", &summed},
      {"items", &pairs_of},
      {"map", &mapped},
      {"select", choosing(true, false)},
      {"reject", choosing(false, false)},
      {"selectattr", choosing(true, true)},
      {"rejectattr", choosing(false, true)},
  };
  return filters;
}

Value apply_filter(const std::string& name, const Value& input, const Arguments& arguments, Budget& budget) {
  for (const Filters* filters : {&text_filters(), &list_filters()}) {
    const auto found = filters->find(name);
    if (found == filters->end()) continue;
    Value out = found->second(input, arguments, budget);
    if (out.text() != nullptr) budget.bytes(out.text()->size());
    if (const auto* list = out.as<Sequence>()) budget.bytes(list->items->values.size() * sizeof(Value));
    return out;
  }
  throw Trouble("the filter '{}' is not built", name);
}

}  // namespace relmpi::jinja
