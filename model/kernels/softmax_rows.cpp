#include "model/kernels/softmax_rows.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "base/torch_headers.h"
#include "model/kernels/own_kernels.h"
#include "model/kernels/vector_math.h"

namespace relmpi {
namespace {

constexpr std::int64_t kLanes = 16;      // partial sums, so that a loop over a row can be vectorised
constexpr std::int64_t kBlockRows = 32;  // rows whose bias gradients are summed before the blocks are

// z = logits + bias.
RELMPI_VECTOR_CLONES void read_row(const float* logits, const float* bias, float* z, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) z[i] = logits[i] + bias[i];
}

RELMPI_VECTOR_CLONES void read_row(const std::uint16_t* logits, const float* bias, float* z,
                                   std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) z[i] = to_float(logits[i]) + bias[i];
}

RELMPI_VECTOR_CLONES void write_row(const float* z, float* out, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) out[i] = z[i];
}

RELMPI_VECTOR_CLONES void write_row(const float* z, std::uint16_t* out, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) store(z[i], out + i);
}

RELMPI_VECTOR_CLONES float log_sum_exp(const float* z, std::int64_t size) {
  std::array<float, kLanes> lanes;
  lanes.fill(z[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<std::size_t>(lane)] = std::max(lanes[static_cast<std::size_t>(lane)], z[i + lane]);
  float most = lanes[0];
  for (const float lane : lanes) most = std::max(most, lane);
  for (; i < size; ++i) most = std::max(most, z[i]);
  lanes.fill(0);
  for (i = 0; i + kLanes <= size; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<std::size_t>(lane)] += exp_of(z[i + lane] - most);
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < size; ++i) sum += exp_of(z[i] - most);
  return most + static_cast<float>(std::log(sum));
}

// z becomes -grad exp(z - normaliser).
RELMPI_VECTOR_CLONES void scale_probabilities(float* z, float normaliser, float grad, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) z[i] = -grad * exp_of(z[i] - normaliser);
}

RELMPI_VECTOR_CLONES void add_row(const float* z, float* sum, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) sum[i] += z[i];
}

template <typename Element>
void log_softmax(const Element* logits, const at::Tensor& bias, const at::Tensor& labels,
                 at::Tensor& normaliser, at::Tensor& log_p) {
  const std::int64_t size = bias.size(0);
  const float* b = bias.const_data_ptr<float>();
  const std::int64_t* y = labels.const_data_ptr<std::int64_t>();
  float *norm = normaliser.data_ptr<float>(), *out = log_p.data_ptr<float>();
  at::parallel_for(0, labels.size(0), kBlockRows, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> z(static_cast<std::size_t>(size));
    for (std::int64_t n = begin; n < end; ++n) {
      read_row(logits + n * size, b, z.data(), size);
      norm[n] = log_sum_exp(z.data(), size);
      out[n] = z[static_cast<std::size_t>(y[n])] - norm[n];
    }
  });
}

template <typename Element>
void gradient(Element* logits, const at::Tensor& bias, const at::Tensor& labels, const at::Tensor& normaliser,
              const at::Tensor& grad, at::Tensor& grad_bias) {
  const std::int64_t size = bias.size(0), rows = labels.size(0);
  const std::int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  const float *b = bias.const_data_ptr<float>(), *norm = normaliser.const_data_ptr<float>(),
              *g = grad.const_data_ptr<float>();
  const std::int64_t* y = labels.const_data_ptr<std::int64_t>();
  at::Tensor sums = at::zeros({blocks, size}, bias.options());
  float* block_sums = sums.data_ptr<float>();
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> z(static_cast<std::size_t>(size));
    for (std::int64_t n = begin * kBlockRows; n < std::min(rows, end * kBlockRows); ++n) {
      read_row(logits + n * size, b, z.data(), size);
      scale_probabilities(z.data(), norm[n], g[n], size);
      z[static_cast<std::size_t>(y[n])] += g[n];
      add_row(z.data(), block_sums + n / kBlockRows * size, size);
      write_row(z.data(), logits + n * size, size);
    }
  });
  for (std::int64_t block = 0; block < blocks; ++block)
    add_row(block_sums + block * size, grad_bias.data_ptr<float>(), size);
}

std::uint16_t* bits_of(const at::Tensor& t) {
  return reinterpret_cast<std::uint16_t*>(t.data_ptr<at::BFloat16>());
}

}  // namespace

bool has_softmax_rows(const at::Tensor& logits) {
  return own_kernels(logits.device()) &&
         (logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kBFloat16);
}

void log_softmax_rows(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& labels,
                      at::Tensor normaliser, at::Tensor log_p) {
  RELMPI_CHECK(logits.is_contiguous(), "logits lie in rows");
  if (logits.scalar_type() == at::kFloat)
    log_softmax(logits.const_data_ptr<float>(), bias, labels.contiguous(), normaliser, log_p);
  else
    log_softmax(static_cast<const std::uint16_t*>(bits_of(logits)), bias, labels.contiguous(), normaliser,
                log_p);
}

void softmax_gradient_rows(at::Tensor logits, const at::Tensor& bias, const at::Tensor& labels,
                           const at::Tensor& normaliser, const at::Tensor& grad, at::Tensor grad_bias) {
  RELMPI_CHECK(logits.is_contiguous(), "logits lie in rows");
  if (logits.scalar_type() == at::kFloat)
    gradient(logits.data_ptr<float>(), bias, labels.contiguous(), normaliser, grad.contiguous(), grad_bias);
  else
    gradient(bits_of(logits), bias, labels.contiguous(), normaliser, grad.contiguous(), grad_bias);
}

}  // namespace relmpi
