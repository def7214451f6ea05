#include "model/dgca/candidate_scores.h"

#include <ATen/Parallel.h>

#include "base/torch_headers.h"
#include "model/dgca/shared_embedding.h"
#include "model/kernels/own_kernels.h"
#include "model/kernels/vector_clones.h"

namespace relmpi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows of the gathered (rows, K, H) block that the general path makes at once.
constexpr std::int64_t kChunkElements = 8 << 20;
// Columns of E that one thread adds to at a time in the backward pass.
constexpr std::int64_t kColumns = 64;

// out[n, k] = h[n] . E[c[n, k]] for rows [begin, end).
RELMPI_VECTOR_CLONES
void scores_of_rows(const float* h, const float* word, const std::int64_t* candidates, float* out,
                    std::int64_t begin, std::int64_t end, std::int64_t width, std::int64_t size) {
  for (std::int64_t n = begin; n < end; ++n) {
    const float* row = h + n * size;
    for (std::int64_t k = 0; k < width; ++k) {
      const std::int64_t c = candidates[n * width + k];
      if (c < 0) {
        out[n * width + k] = 0;
        continue;
      }
      const float* embedding = word + c * size;
      float lanes[16] = {};
      std::int64_t i = 0;
      for (; i + 16 <= size; i += 16)
        for (std::int64_t lane = 0; lane < 16; ++lane) lanes[lane] += row[i + lane] * embedding[i + lane];
      for (; i < size; ++i) lanes[i % 16] += row[i] * embedding[i];
      float sum = 0;
      for (const float lane : lanes) sum += lane;
      out[n * width + k] = sum;
    }
  }
}

// grad_h[n] = sum over k of g[n, k] E[c[n, k]] for rows [begin, end).
RELMPI_VECTOR_CLONES
void grad_of_rows(const float* grad, const float* word, const std::int64_t* candidates, float* grad_h,
                  std::int64_t begin, std::int64_t end, std::int64_t width, std::int64_t size) {
  for (std::int64_t n = begin; n < end; ++n) {
    float* row = grad_h + n * size;
    for (std::int64_t k = 0; k < width; ++k) {
      const std::int64_t c = candidates[n * width + k];
      const float g = grad[n * width + k];
      if (c < 0 || g == 0) continue;
      const float* embedding = word + c * size;
      for (std::int64_t i = 0; i < size; ++i) row[i] += g * embedding[i];
    }
  }
}

// grad_E[c[n, k]] += g[n, k] h[n] over all rows, for the columns [first, last): threads own columns, so that
// the order of every sum is the same for any number of threads.
RELMPI_VECTOR_CLONES
void grad_of_columns(const float* grad, const float* h, const std::int64_t* candidates, float* grad_word,
                     std::int64_t rows, std::int64_t width, std::int64_t size, std::int64_t first,
                     std::int64_t last) {
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* row = h + n * size;
    for (std::int64_t k = 0; k < width; ++k) {
      const std::int64_t c = candidates[n * width + k];
      const float g = grad[n * width + k];
      if (c < 0 || g == 0) continue;
      float* embedding = grad_word + c * size;
      for (std::int64_t i = first; i < last; ++i) embedding[i] += g * row[i];
    }
  }
}

at::Tensor forward_cpu(const at::Tensor& h, const at::Tensor& word, const at::Tensor& candidates) {
  const std::int64_t n = h.size(0), size = h.size(1), width = candidates.size(1);
  at::Tensor out = at::empty({n, width}, word.options());
  at::parallel_for(0, n, 64, [&](std::int64_t begin, std::int64_t end) {
    scores_of_rows(h.const_data_ptr<float>(), word.const_data_ptr<float>(),
                   candidates.const_data_ptr<std::int64_t>(), out.data_ptr<float>(), begin, end, width, size);
  });
  return out;
}

void backward_cpu(const at::Tensor& grad, const at::Tensor& h, const at::Tensor& word,
                  const at::Tensor& candidates, at::Tensor& grad_h, at::Tensor& grad_word) {
  const std::int64_t n = h.size(0), size = h.size(1), width = candidates.size(1);
  const float* g = grad.const_data_ptr<float>();
  const std::int64_t* c = candidates.const_data_ptr<std::int64_t>();
  at::parallel_for(0, n, 64, [&](std::int64_t begin, std::int64_t end) {
    grad_of_rows(g, word.const_data_ptr<float>(), c, grad_h.data_ptr<float>(), begin, end, width, size);
  });
  at::parallel_for(0, (size + kColumns - 1) / kColumns, 1, [&](std::int64_t begin, std::int64_t end) {
    grad_of_columns(g, h.const_data_ptr<float>(), c, grad_word.data_ptr<float>(), n, width, size,
                    begin * kColumns, std::min(size, end * kColumns));
  });
}

// Any device: gathers (rows, K, H) blocks.
at::Tensor forward_general(const at::Tensor& h, const at::Tensor& word_compute,
                           const at::Tensor& candidates) {
  const std::int64_t n = h.size(0), size = h.size(1), width = candidates.size(1);
  const at::Tensor safe = candidates.clamp_min(0);
  at::Tensor out = at::empty({n, width}, h.options().dtype(at::kFloat));
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkElements / (width * size));
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    const std::int64_t rows = std::min(chunk, n - begin);
    const at::Tensor gathered =
        at::embedding(word_compute, safe.narrow(0, begin, rows)).to(at::kFloat);  // (rows, K, H)
    const at::Tensor part = h.narrow(0, begin, rows).to(at::kFloat);
    out.narrow(0, begin, rows).copy_(at::bmm(gathered, part.unsqueeze(2)).squeeze(2));
  }
  return out.masked_fill_(candidates.lt(0), 0);
}

void backward_general(const at::Tensor& grad, const at::Tensor& h, const at::Tensor& word_compute,
                      const at::Tensor& candidates, at::Tensor& grad_h, at::Tensor& grad_word) {
  const std::int64_t n = h.size(0), size = h.size(1), width = candidates.size(1);
  const at::Tensor safe = candidates.clamp_min(0);
  const at::Tensor g = grad.masked_fill(candidates.lt(0), 0);
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkElements / (width * size));
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    const std::int64_t rows = std::min(chunk, n - begin);
    const at::Tensor ids = safe.narrow(0, begin, rows), part = g.narrow(0, begin, rows);
    const at::Tensor gathered = at::embedding(word_compute, ids).to(at::kFloat);
    grad_h.narrow(0, begin, rows).copy_(at::bmm(part.unsqueeze(1), gathered).squeeze(1));
    const at::Tensor outer = part.unsqueeze(2) * h.narrow(0, begin, rows).to(at::kFloat).unsqueeze(1);
    grad_word.index_add_(0, ids.reshape(-1), outer.reshape({-1, size}));
  }
}

class CandidateScores : public torch::autograd::Function<CandidateScores> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& h, const at::Tensor& word,
                            const at::Tensor& word_compute, const at::Tensor& candidates) {
    context->save_for_backward({h, word, word_compute, candidates});
    if (!own_kernels(h.device())) return forward_general(h, word_compute, candidates);
    return forward_cpu(h.to(at::kFloat).contiguous(), word_compute.to(at::kFloat).contiguous(), candidates);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &h = saved[0], &word = saved[1], &word_compute = saved[2], &candidates = saved[3];
    at::Tensor grad_h = at::zeros(h.sizes(), word.options());
    at::Tensor grad_word = gradient_sink(word);
    const at::Tensor grad = grads[0].contiguous();
    if (own_kernels(h.device()))
      backward_cpu(grad, h.to(at::kFloat).contiguous(), word_compute.to(at::kFloat).contiguous(), candidates,
                   grad_h, grad_word);
    else
      backward_general(grad, h, word_compute, candidates, grad_h, grad_word);
    return {grad_h.to(h.scalar_type()), unless_sunk(word, grad_word), {}, {}};
  }
};

}  // namespace

at::Tensor candidate_scores(const at::Tensor& h, const at::Tensor& word, const at::Tensor& word_compute,
                            const at::Tensor& candidates) {
  return CandidateScores::apply(h, word, word_compute, candidates.contiguous());
}

}  // namespace relmpi
