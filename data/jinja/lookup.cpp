#include "data/jinja/builtins.h"
#include "data/jinja/operators.h"

namespace relmpi::jinja {
namespace {

Value loop_attribute(const std::shared_ptr<Loop>& loop, const std::string& name, Budget& budget) {
  const auto index = static_cast<std::int64_t>(loop->index);
  const std::int64_t count = std::ssize(loop->items->values);
  if (name == "index0") return index;
  if (name == "index") return index + 1;
  if (name == "revindex0") return count - index - 1;
  if (name == "revindex") return count - index;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count;
  if (name == "length") return count;
  if (name == "depth0") return std::int64_t{0};  // of recursion
  if (name == "depth") return std::int64_t{1};
  if (name == "previtem")
    return index > 0 ? loop->items->values[loop->index - 1] : undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < count ? loop->items->values[loop->index + 1] : undefined("there is no next item");
  if (name == "cycle")
    return function(name, Value::Variant(loop), [loop, &budget](const Arguments& arguments) {
      budget.step();
      if (arguments.values.empty() || !arguments.named.empty()) throw Trouble("takes values to choose from");
      return arguments.values[loop->index % arguments.values.size()];
    });
  throw Trouble("loop.{} is not built", name);
}

// An attribute that the object has in Python; nothing for items of a dictionary.
std::optional<Value> own_attribute(const Value& object, const std::string& name, Budget& budget) {
  if (const auto* missing = object.as<Undefined>()) throw Trouble("'{}' is undefined", missing->name);
  if (name.starts_with('_')) throw Trouble("attributes that begin with _ cannot be asked for");
  if (const auto* loop = object.as<std::shared_ptr<Loop>>()) return loop_attribute(*loop, name, budget);
  if (const auto* held = object.as<Namespace*>())
    for (const auto& [attribute, value] : (*held)->attributes)
      if (attribute == name) return value;
  return method(object, name, budget);
}

}  // namespace

Value attribute(const Value& object, const std::string& name, Budget& budget) {
  if (object.is<Dict>() && name.starts_with('_')) return item(object, Value(name), budget);
  if (auto found = own_attribute(object, name, budget)) return *found;
  if (object.is<Dict>()) return item(object, Value(name), budget);
  return undefined(name);
}

Value subscript(const Value& object, const Value& key, Budget& budget) {
  Value found = item(object, key, budget);
  if (!found.is<Undefined>() || key.text() == nullptr) return found;
  if (object.is<Dict>() && find(*object.as<Dict>(), key, budget) != nullptr) return found;
  if (key.text()->starts_with('_')) return found;
  return own_attribute(object, *key.text(), budget).value_or(found);
}

}  // namespace relmpi::jinja
