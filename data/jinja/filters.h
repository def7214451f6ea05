#pragma once

#include <functional>
#include <map>
#include <string>

#include "data/jinja/value.h"

namespace relmpi::jinja {

using Filter = std::function<Value(const Value&, const Arguments&, Budget&)>;
using Filters = std::map<std::string, Filter>;

// jinja2's filters by name, in two files: those that make texts and numbers, and those of lists.
const Filters& text_filters();
const Filters& list_filters();

// jinja2's soft_str: a text, made by str() if it is none.
std::string soft_text(const Value& value, Budget& budget);

}  // namespace relmpi::jinja
