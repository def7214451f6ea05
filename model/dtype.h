#pragma once

#include <c10/core/ScalarType.h>  // constants: nothing of libtorch to link

#include <optional>
#include <string>
#include <string_view>

namespace relmpi {

// The types of weights and activations: fp32, bf16 and fp16 by the names of options and results, or float32,
// bfloat16 and float16 as Hugging Face's files have them. Nothing for any other name.
std::optional<at::ScalarType> find_dtype(std::string_view name);

// Of --precision: fp32, bf16 or fp16. Throws InputError for another name.
at::ScalarType dtype_of(const std::string& precision);

// "fp32", "bf16" or "fp16".
const char* dtype_name(at::ScalarType dtype);

// Bytes of a value: 2 or 4.
int value_bytes_of(at::ScalarType dtype);

}  // namespace relmpi
