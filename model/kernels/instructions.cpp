#include "model/kernels/instructions.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace relmpi {
namespace {

Instructions of_processor() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512) return __builtin_cpu_supports("avx512bf16") ? Instructions::kAvx512Bf16 : Instructions::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Instructions::kAvx2;
#endif
  return Instructions::kAny;
}

Instructions allowed() {
  constexpr std::array<std::string_view, 4> kNames{"any", "avx2", "avx512", "avx512bf16"};
  const char* wanted = std::getenv("RELMPI_INSTRUCTIONS");
  if (wanted == nullptr) return Instructions::kAvx512Bf16;
  const auto* found = std::find(kNames.begin(), kNames.end(), wanted);
  if (found == kNames.end())
    throw InputError("RELMPI_INSTRUCTIONS={}: any, avx2, avx512 or avx512bf16 was expected", wanted);
  return static_cast<Instructions>(found - kNames.begin());
}

}  // namespace

Instructions instructions() { return std::min(of_processor(), allowed()); }

}  // namespace relmpi
