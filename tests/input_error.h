#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace relmpi {

// What the InputError says that `action` throws; fails the test if it throws none.
template <typename Action>
std::string input_error_of(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no InputError";
  return "";
}

inline bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace relmpi

#define EXPECT_INPUT_ERROR(statement, words) \
  EXPECT_PRED2(::relmpi::says, ::relmpi::input_error_of([&] { (void)(statement); }), std::string(words))
