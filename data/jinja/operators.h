#pragma once

#include <string>

#include "data/jinja/value.h"

namespace relmpi::jinja {

// Python's signs: + - * / // % **. Throws Trouble where Python raises an exception, and for whole numbers
// that need more than 64 bits.
Value arithmetic(const std::string& sign, const Value& left, const Value& right, Budget& budget);
Value negative(const Value& value, Budget& budget);
Value positive(const Value& value);
// == != < <= > >= in, not in
bool compare(const std::string& sign, const Value& left, const Value& right, Budget& budget);

// object[key] of a dictionary, a list or a text; undefined if there is none.
Value item(const Value& object, const Value& key, Budget& budget);
// object[begin:end:step]; None for what is left out.
Value slice(const Value& object, const Value& begin, const Value& end, const Value& step, Budget& budget);

}  // namespace relmpi::jinja
