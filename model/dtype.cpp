#include "model/dtype.h"

#include <array>

#include "base/error.h"

namespace relmpi {
namespace {

struct Known {
  at::ScalarType dtype;
  const char *name, *file_name;
  int bytes;
};

constexpr std::array<Known, 3> kKnown{{{at::kFloat, "fp32", "float32", 4},
                                       {at::kBFloat16, "bf16", "bfloat16", 2},
                                       {at::kHalf, "fp16", "float16", 2}}};

const Known& known(at::ScalarType dtype) {
  for (const Known& one : kKnown)
    if (one.dtype == dtype) return one;
  RELMPI_CHECK(false, "type {} holds no weights", static_cast<int>(dtype));
}

}  // namespace

std::optional<at::ScalarType> find_dtype(std::string_view name) {
  for (const Known& one : kKnown)
    if (name == one.name || name == one.file_name) return one.dtype;
  return std::nullopt;
}

at::ScalarType dtype_of(const std::string& precision) {
  for (const Known& one : kKnown)
    if (precision == one.name) return one.dtype;
  throw InputError("precision '{}' is unknown; choose fp32, bf16 or fp16", precision);
}

const char* dtype_name(at::ScalarType dtype) { return known(dtype).name; }

int value_bytes_of(at::ScalarType dtype) { return known(dtype).bytes; }

}  // namespace relmpi
