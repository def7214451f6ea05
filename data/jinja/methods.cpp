#include <algorithm>
#include <functional>
#include <map>

#include "data/jinja/builtins.h"
#include "data/jinja/operators.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {
namespace {

const std::string& text_argument(const Arguments& arguments, std::size_t place, const char* name) {
  const Value* value = arguments.find(place, name);
  if (value == nullptr || value->text() == nullptr)
    throw Trouble("the argument {} must be a text{}", name,
                  value == nullptr ? "" : fmt::format(", not {}", type_name(*value)));
  return *value->text();
}

// A text that may be left out or None.
std::optional<std::string> optional_text(const Arguments& arguments, std::size_t place, const char* name) {
  const Value* value = arguments.find(place, name);
  if (value == nullptr || value->is<None>()) return std::nullopt;
  return text_argument(arguments, place, name);
}

std::int64_t whole_argument(const Arguments& arguments, std::size_t place, const char* name,
                            std::int64_t otherwise) {
  const Value* value = arguments.find(place, name);
  std::int64_t scratch = 0;
  if (value == nullptr) return otherwise;
  if (const auto* held = whole(*value, scratch)) return *held;
  throw Trouble("the argument {} must be a whole number, not {}", name, type_name(*value));
}

Value list_of(std::vector<std::string> texts, Budget& budget) {
  budget.step(std::ssize(texts));
  std::vector<Value> values;
  values.reserve(texts.size());
  for (std::string& text : texts) values.emplace_back(std::move(text));
  return sequence(SequenceKind::kList, std::move(values));
}

using Method = std::function<Value(const std::string&, const Arguments&, Budget&)>;

Method stripping(bool left, bool right) {
  return [=](const std::string& text, const Arguments& arguments, Budget&) {
    arguments.demand(0, {"chars"});
    return Value(std::string(strip(text, left, right, optional_text(arguments, 0, "chars"))));
  };
}

Method cased(std::string (*change)(const std::string&)) {
  return [=](const std::string& text, const Arguments& arguments, Budget&) {
    arguments.demand(0, {});
    return Value(change(text));
  };
}

Method splitting(bool from_right) {
  return [=](const std::string& text, const Arguments& arguments, Budget& budget) {
    arguments.demand(0, {"sep", "maxsplit"});
    const auto separator = optional_text(arguments, 0, "sep");
    if (separator && separator->empty()) throw Trouble("an empty separator");
    if (!separator) budget.step(std::ssize(text));
    return list_of(split(text, separator, whole_argument(arguments, 1, "maxsplit", -1), from_right), budget);
  };
}

// startswith and endswith take a tuple too.
Method at_side(bool front) {
  return [=](const std::string& text, const Arguments& arguments, Budget&) {
    arguments.demand(1, {"prefix"});
    const Value& wanted = arguments.values.at(0);
    const auto is = [&](const Value& one) {
      if (one.text() == nullptr) throw Trouble("a text was expected, not {}", type_name(one));
      return front ? text.starts_with(*one.text()) : text.ends_with(*one.text());
    };
    const auto* tuple = wanted.as<Sequence>();
    if (tuple == nullptr || tuple->kind != SequenceKind::kTuple) return Value(is(wanted));
    return Value(std::ranges::any_of(tuple->items->values, is));
  };
}

Value removed(const std::string& text, const Arguments& arguments, bool front) {
  arguments.demand(1, {"prefix"});
  const std::string& side = text_argument(arguments, 0, "prefix");
  if (front) return text.starts_with(side) ? text.substr(side.size()) : text;
  return text.ends_with(side) ? text.substr(0, text.size() - side.size()) : text;
}

Value partitioned(const std::string& text, const Arguments& arguments, bool front) {
  arguments.demand(1, {"sep"});
  const std::string& separator = text_argument(arguments, 0, "sep");
  if (separator.empty()) throw Trouble("an empty separator");
  const std::size_t at = front ? text.find(separator) : text.rfind(separator);
  std::vector<Value> parts;
  if (at == std::string::npos) {
    parts = {Value(front ? text : std::string()), Value(std::string()), Value(front ? std::string() : text)};
  } else {
    parts = {Value(text.substr(0, at)), Value(separator), Value(text.substr(at + separator.size()))};
  }
  return sequence(SequenceKind::kTuple, std::move(parts));
}

// The place in characters.
Value found(const std::string& text, const Arguments& arguments, bool front) {
  arguments.demand(1, {"sub"});
  const std::string& sub = text_argument(arguments, 0, "sub");
  const std::size_t at = front ? text.find(sub) : text.rfind(sub);
  if (at == std::string::npos) return std::int64_t{-1};
  return std::int64_t{std::ssize(characters(std::string_view(text).substr(0, at)))};
}

Value counted(const std::string& text, const Arguments& arguments) {
  arguments.demand(1, {"sub"});
  const std::string& sub = text_argument(arguments, 0, "sub");
  if (sub.empty()) return std::int64_t{std::ssize(characters(text)) + 1};
  std::int64_t count = 0;
  for (std::size_t at = text.find(sub); at != std::string::npos; at = text.find(sub, at + sub.size()))
    ++count;
  return count;
}

Value ascii_digits(const std::string& text) {
  const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) throw Trouble("isdigit() of other characters than ASCII");
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

Value through_filter(const char* filter, const std::string& text, const Arguments& arguments,
                     Budget& budget) {
  return apply_filter(filter, Value(text), arguments, budget);
}

const std::map<std::string, Method>& text_methods() {
  static const std::map<std::string, Method> methods = {
      {"strip", stripping(true, true)},
      {"lstrip", stripping(true, false)},
      {"rstrip", stripping(false, true)},
      {"upper", cased(&upper)},
      {"lower", cased(&lower)},
      {"title", cased(&title)},
      {"capitalize", cased(&capitalize)},
      {"split", splitting(false)},
      {"rsplit", splitting(true)},
      {"startswith", at_side(true)},
      {"endswith", at_side(false)},
      {"splitlines",
       [](const std::string& text, const Arguments& arguments, Budget& budget) {
         arguments.demand(0, {"keepends"});
         const Value* keep = arguments.find(0, "keepends");
         return list_of(split_lines(text, keep != nullptr && truth(*keep)), budget);
       }},
      {"replace",
       [](const std::string& text, const Arguments& arguments, Budget& budget) {
         if (!arguments.named.empty()) throw Trouble("takes no argument by name");
         text_argument(arguments, 0, "old");
         text_argument(arguments, 1, "new");
         return through_filter("replace", text, arguments, budget);
       }},
      {"join",
       [](const std::string& text, const Arguments& arguments, Budget& budget) {
         arguments.demand(1, {"iterable"});
         const auto items = iterate(arguments.values.at(0), budget);
         for (const Value& one : items->values)
           if (one.text() == nullptr)
             throw Trouble("a list of texts was expected; one is {}", type_name(one));
         return apply_filter("join", Value::Variant(Sequence{SequenceKind::kList, items}),
                             {{Value(text)}, {}}, budget);
       }},
      {"removeprefix", [](const std::string& text, const Arguments& arguments,
                          Budget&) { return removed(text, arguments, true); }},
      {"removesuffix", [](const std::string& text, const Arguments& arguments,
                          Budget&) { return removed(text, arguments, false); }},
      {"partition", [](const std::string& text, const Arguments& arguments,
                       Budget&) { return partitioned(text, arguments, true); }},
      {"rpartition", [](const std::string& text, const Arguments& arguments,
                        Budget&) { return partitioned(text, arguments, false); }},
      {"find", [](const std::string& text, const Arguments& arguments,
                  Budget&) { return found(text, arguments, true); }},
      {"rfind", [](const std::string& text, const Arguments& arguments,
                   Budget&) { return found(text, arguments, false); }},
      {"count",
       [](const std::string& text, const Arguments& arguments, Budget&) { return counted(text, arguments); }},
      {"isdigit",
       [](const std::string& text, const Arguments& arguments, Budget&) {
         arguments.demand(0, {});
         return ascii_digits(text);
       }},
      {"isspace",
       [](const std::string& text, const Arguments& arguments, Budget&) {
         arguments.demand(0, {});
         return Value(!text.empty() && strip(text, true, false).empty());
       }},
  };
  return methods;
}

// transformers gives templates no method that changes what it is called on.
Value changes(const std::string& name, const Value& object) {
  return undefined(fmt::format("{}(), which would change the {}", name, type_name(object)));
}

Value dict_items(const Dict& of, const std::string& name) {
  std::vector<Value> values;
  for (const auto& [key, value] : of.entries->pairs) {
    if (name == "keys") values.push_back(key);
    if (name == "values") values.push_back(value);
    if (name == "items") values.push_back(sequence(SequenceKind::kTuple, {key, value}));
  }
  return sequence(SequenceKind::kView, std::move(values));
}

std::optional<Value> dict_method(const Value& object, const std::string& name, Budget& budget) {
  const Dict& of = *object.as<Dict>();
  if (name == "keys" || name == "values" || name == "items")
    return function(name, object, [of, name, &budget](const Arguments& arguments) {
      arguments.demand(0, {});
      budget.step(std::ssize(of.entries->pairs));
      return dict_items(of, name);
    });
  if (name == "get")
    return function(name, object, [of, &budget](const Arguments& arguments) {
      if (!arguments.named.empty()) throw Trouble("takes no argument by name");
      arguments.demand(1, {"key", "default"});
      const Value* held = find(of, arguments.values[0], budget);
      if (held != nullptr) return *held;
      return arguments.values.size() > 1 ? arguments.values[1] : Value();
    });
  if (name == "copy")
    return function(name, object, [object](const Arguments& arguments) {
      arguments.demand(0, {});
      return object;
    });
  for (const char* other : {"clear", "pop", "popitem", "setdefault", "update"})
    if (name == other) return changes(name, object);
  if (name == "fromkeys") throw Trouble("the method fromkeys() is not built");
  return std::nullopt;
}

std::optional<Value> list_method(const Value& object, const std::string& name, Budget& budget) {
  const SequenceKind kind = object.as<Sequence>()->kind;
  if (kind > SequenceKind::kTuple) return std::nullopt;
  if (name == "index" || name == "count")
    return function(name, object, [object, name, &budget](const Arguments& arguments) -> Value {
      arguments.demand(1, {"value"});
      const auto& values = object.as<Sequence>()->items->values;
      std::int64_t count = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!equal(values[i], arguments.values.at(0), budget)) continue;
        if (name == "index") return static_cast<std::int64_t>(i);
        ++count;
      }
      if (name == "index") throw Trouble("the value is not in the list");
      return count;
    });
  for (const char* other : {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})
    if (name == other && kind == SequenceKind::kList) return changes(name, object);
  if (name == "copy" && kind == SequenceKind::kList)
    throw Trouble("the method copy() of a list is not built");
  return std::nullopt;
}

std::optional<Value> text_method(const Value& object, const std::string& name, Budget& budget) {
  const auto& known = text_methods();
  if (const auto found_method = known.find(name); found_method != known.end())
    return function(name, object,
                    [object, &call = found_method->second, &budget](const Arguments& arguments) {
                      budget.step(1 + std::ssize(*object.text()) / 64);
                      Value out = call(*object.text(), arguments, budget);
                      if (out.text() != nullptr) budget.bytes(out.text()->size());
                      return out;
                    });
  constexpr const char* kOthers[] = {"casefold",    "center",   "encode",    "expandtabs",   "format",
                                     "format_map",  "index",    "isalnum",   "isalpha",      "isascii",
                                     "isdecimal",   "islower",  "isnumeric", "isidentifier", "istitle",
                                     "isprintable", "isupper",  "ljust",     "maketrans",    "rindex",
                                     "rjust",       "swapcase", "translate", "zfill"};
  for (const char* other : kOthers)
    if (name == other) throw Trouble("the method {}() of a text is not built", name);
  return std::nullopt;
}

}  // namespace

std::optional<Value> method(const Value& object, const std::string& name, Budget& budget) {
  if (object.text() != nullptr) return text_method(object, name, budget);
  if (object.is<Dict>()) return dict_method(object, name, budget);
  if (object.is<Sequence>()) return list_method(object, name, budget);
  return std::nullopt;
}

}  // namespace relmpi::jinja
