#pragma once

namespace relmpi {

// Sets of vector instructions that kernels are built for, the best last.
enum class Instructions { kAny, kAvx2, kAvx512, kAvx512Bf16 };

// The best that the processor has, but not above what the environment variable RELMPI_INSTRUCTIONS allows:
// any, avx2, avx512 or avx512bf16, to see what another machine would compute. Throws InputError for another
// word.
Instructions instructions();

}  // namespace relmpi
