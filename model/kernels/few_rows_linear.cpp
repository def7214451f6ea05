#include "model/kernels/few_rows_linear.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

#include "base/torch_headers.h"
#include "model/kernels/dot_rows.h"
#include "model/kernels/elements.h"
#include "model/kernels/row_operations.h"
#include "model/kernels/vector_math.h"

namespace relmpi {
namespace {

constexpr std::int64_t kBytesWorthAThread = 1
                                            << 16;  // of weights: less is read sooner than a thread wakes up

template <typename Element>
struct Operands {
  const Element *x, *weight, *residual;
  const float* bias;
  std::int64_t rows, in, out;
};

template <typename Element, typename Result>
void finish(const Operands<Element>& of, const float* sums, std::int64_t first, std::int64_t rows,
            std::int64_t begin, std::int64_t end, Result* result) {
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = begin; n < end; ++n) {
      float value = sums[m * (end - begin) + n - begin];
      if (of.bias != nullptr) value += of.bias[n];
      if (of.residual != nullptr) value += to_float(of.residual[(first + m) * of.out + n]);
      store(value, result + (first + m) * of.out + n);
    }
}

template <typename Element, typename Result>
void multiply(const Operands<Element>& of, Result* result) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, kBytesWorthAThread / (of.in * static_cast<std::int64_t>(sizeof(Element))));
  at::parallel_for(0, of.out, grain, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kBlock = 256;           // outputs whose sums stay in the first cache
    std::array<float, kBlock * kKernelRows> sums;  // (rows, to - from)
    for (std::int64_t from = begin; from < end; from += kBlock) {
      const std::int64_t to = std::min(end, from + kBlock);
      for (std::int64_t first = 0; first < of.rows; first += kKernelRows) {
        const std::int64_t rows = std::min<std::int64_t>(kKernelRows, of.rows - first);
        dot_rows(of.x + first * of.in, of.weight, of.in, static_cast<int>(rows), from, to, sums.data(),
                 to - from);
        finish(of, sums.data(), first, rows, from, to, result);
      }
    }
  });
}

template <typename Element>
at::Tensor typed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                 const at::Tensor& residual, at::ScalarType out) {
  const Operands<Element> operands{elements_of<Element>(x),
                                   elements_of<Element>(weight),
                                   elements_of<Element>(residual),
                                   elements_of<float>(bias),
                                   x.size(0),
                                   x.size(1),
                                   weight.size(0)};
  at::Tensor result = at::empty({x.size(0), weight.size(0)}, x.options().dtype(out));
  if (out == at::kFloat)
    multiply(operands, static_cast<float*>(result.data_ptr()));
  else
    multiply(operands, static_cast<Element*>(result.data_ptr()));
  return result;
}

}  // namespace

at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const at::Tensor& residual, at::ScalarType out) {
  RELMPI_CHECK(has_row_loops(x) && x.is_contiguous() && weight.is_contiguous());
  RELMPI_CHECK(x.scalar_type() == weight.scalar_type() && x.size(1) == weight.size(1) &&
               (out == at::kFloat || out == x.scalar_type()));
  RELMPI_CHECK(!bias.defined() || bias.scalar_type() == at::kFloat);
  RELMPI_CHECK(!residual.defined() ||
               (residual.is_contiguous() && residual.scalar_type() == x.scalar_type()));
  if (x.scalar_type() == at::kFloat) return typed<float>(x, weight, bias, residual, out);
  return typed<std::uint16_t>(x, weight, bias, residual, out);
}

}  // namespace relmpi
