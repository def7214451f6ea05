#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/llm/cached_attention.h"

namespace relmpi {

// cached_attention on the CPU in fp32 or bf16. Scores and sums are fp32, taken block by block of slots with
// the softmax rescaled in between (Milakov and Gimelshein 2018), so that no matrix of scores exists; what is
// masked is not computed. A row has the same bits whatever rows are beside it.
at::Tensor cpu_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const std::vector<Segment>& segments);

}  // namespace relmpi
