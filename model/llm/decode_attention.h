#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/llm/cached_attention.h"

namespace relmpi {

// cached_attention for segments of few rows on the CPU, fp32 or bf16, into the rows of `out` (N, heads *
// head_dim): each row reads its keys and values once, in blocks of slots that threads share; sums are fp32.
void decode_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                      const std::vector<Segment>& segments, at::Tensor& out);

}  // namespace relmpi
