#pragma once

#include <optional>
#include <string>

#include "data/jinja/value.h"

namespace relmpi::jinja {

// A text's or dictionary's method with its object; nothing if there is none of this name. Throws Trouble for
// methods that Python has and that are not built.
std::optional<Value> method(const Value& object, const std::string& name, Budget& budget);

// Evaluates a filter or a test by name; what `map`, `select` and their kin call for each item too.
Value apply_filter(const std::string& name, const Value& input, const Arguments& arguments, Budget& budget);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments, Budget& budget);

// object.name as jinja2 has it: an attribute, then an item, else undefined.
Value attribute(const Value& object, const std::string& name, Budget& budget);
// object[key]: an item, then for a text an attribute, else undefined.
Value subscript(const Value& object, const Value& key, Budget& budget);

}  // namespace relmpi::jinja
