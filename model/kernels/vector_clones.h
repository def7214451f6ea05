#pragma once

// One clone of a function for each vector width, chosen when the program starts. What it calls must be
// inlined into it (RELMPI_INLINE).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define RELMPI_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RELMPI_VECTOR_CLONES
#endif
#define RELMPI_INLINE inline __attribute__((always_inline))
