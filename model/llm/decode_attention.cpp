#include "model/llm/decode_attention.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>

#include "base/torch_headers.h"
#include "model/llm/few_rows_kernels.h"
#include "model/vector_math.h"

namespace relmpi {
namespace {

constexpr std::int64_t kBlock = 256;  // slots that are read at a time

// scores become exp(scale (score - max)); returns scale * max and the sum.
struct BlockSum {
  float max, sum;
};

RELMPI_VECTOR_CLONES BlockSum exponentials(float* scores, float scale, std::int64_t size) {
  float most = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < size; ++i) most = std::max(most, scores[i]);
  for (std::int64_t i = 0; i < size; ++i) scores[i] = exp_of(scale * (scores[i] - most));
  float sum = 0;
  for (std::int64_t i = 0; i < size; ++i) sum += scores[i];
  return {scale * most, sum};
}

// sum += weights . values for values (size, head_dim).
template <typename Element>
RELMPI_INLINE void weigh_rows(const float* weights, const Element* values, std::int64_t size,
                              std::int64_t head_dim, float* sum) {
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t d = 0; d < head_dim; ++d) sum[d] += weights[i] * to_float(values[i * head_dim + d]);
}
RELMPI_VECTOR_CLONES void weigh(const float* weights, const float* values, std::int64_t size,
                                std::int64_t head_dim, float* sum) {
  weigh_rows(weights, values, size, head_dim, sum);
}
RELMPI_VECTOR_CLONES void weigh(const float* weights, const std::uint16_t* values, std::int64_t size,
                                std::int64_t head_dim, float* sum) {
  weigh_rows(weights, values, size, head_dim, sum);
}

// A block of slots seen by one row and the query heads of one key head.
struct Task {
  std::int64_t row, sequence, kv_head, first, size;
};

template <typename Element>
struct Problem {
  const Element *queries, *keys, *values;
  std::int64_t heads, kv_heads, capacity, head_dim;
  std::int64_t group() const { return heads / kv_heads; }
};

std::vector<Task> tasks_of(const std::vector<Segment>& segments, std::int64_t kv_heads) {
  std::vector<Task> tasks;
  for (const Segment& segment : segments)
    for (std::int64_t i = 0; i < segment.count; ++i)
      for (std::int64_t head = 0; head < kv_heads; ++head)
        for (std::int64_t first = 0, slots = segment.start + i + 1; first < slots; first += kBlock)
          tasks.push_back(
              {segment.first + i, segment.sequence, head, first, std::min(kBlock, slots - first)});
  return tasks;
}

// sums (group, head_dim) of this block, zero before, and what they are divided by.
template <typename Element>
void run_task(const Problem<Element>& of, const Task& task, float* sums, BlockSum* totals) {
  const std::int64_t group = of.group(), size = of.head_dim;
  const Element* q = of.queries + (task.row * of.heads + task.kv_head * group) * size;
  const std::int64_t place = ((task.sequence * of.kv_heads + task.kv_head) * of.capacity + task.first) * size;
  const float scale = 1.0F / std::sqrt(static_cast<float>(size));
  std::array<float, kKernelRows * kBlock> scores;
  for (std::int64_t head = 0; head < group; head += kKernelRows) {
    const std::int64_t rows = std::min<std::int64_t>(kKernelRows, group - head);
    dot_rows(q + head * size, of.keys + place, size, static_cast<int>(rows), 0, task.size, scores.data(),
             kBlock);
    for (std::int64_t h = 0; h < rows; ++h) {
      float* of_head = scores.data() + h * kBlock;
      totals[head + h] = exponentials(of_head, scale, task.size);
      weigh(of_head, of.values + place, task.size, size, sums + (head + h) * size);
    }
  }
}

// Blocks of one row and key head, in order, weighted by their shares of the softmax.
template <typename Element>
void merge(const Problem<Element>& of, const Task& task, std::size_t blocks, const float* sums,
           const BlockSum* totals, Element* out) {
  const std::int64_t group = of.group(), size = of.head_dim;
  std::vector<float> merged(static_cast<std::size_t>(size));
  for (std::int64_t h = 0; h < group; ++h) {
    float most = totals[h].max;
    for (std::size_t b = 1; b < blocks; ++b)
      most = std::max(most, totals[static_cast<std::int64_t>(b) * group + h].max);
    std::fill(merged.begin(), merged.end(), 0.0F);
    float total = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::int64_t at = static_cast<std::int64_t>(b) * group + h;
      const float share = std::exp(totals[at].max - most);
      total += share * totals[at].sum;
      for (std::int64_t d = 0; d < size; ++d)
        merged[static_cast<std::size_t>(d)] += share * sums[at * size + d];
    }
    Element* to = out + (task.row * of.heads + task.kv_head * group + h) * size;
    for (std::int64_t d = 0; d < size; ++d) store(merged[static_cast<std::size_t>(d)] / total, to + d);
  }
}

template <typename Element>
void attend(const Problem<Element>& of, const std::vector<Segment>& segments, Element* out) {
  const auto tasks = tasks_of(segments, of.kv_heads);
  const auto group = static_cast<std::size_t>(of.group()), size = static_cast<std::size_t>(of.head_dim);
  std::vector<float> sums(tasks.size() * group * size);
  std::vector<BlockSum> totals(tasks.size() * group);
  // Below some 32,000 products of 64 values a thread is slower to wake up than the work is done.
  const auto work = static_cast<std::int64_t>(group * size) * tasks[0].size;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 17) / work);
  at::parallel_for(0, static_cast<std::int64_t>(tasks.size()), grain,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
                       run_task(of, tasks[i], sums.data() + i * group * size, totals.data() + i * group);
                   });
  for (std::size_t i = 0, next; i < tasks.size(); i = next) {
    for (next = i + 1; next < tasks.size() && tasks[next].first > 0;) ++next;
    merge(of, tasks[i], next - i, sums.data() + i * group * size, totals.data() + i * group, out);
  }
}

template <typename Element>
void typed(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
           const std::vector<Segment>& segments, at::Tensor& out) {
  const auto data = [](const at::Tensor& tensor) {
    return static_cast<const Element*>(tensor.const_data_ptr());
  };
  const Problem<Element> problem{data(queries), data(keys),   data(values), queries.size(1),
                                 keys.size(1),  keys.size(2), keys.size(3)};
  attend(problem, segments, static_cast<Element*>(out.data_ptr()));
}

}  // namespace

void decode_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                      const std::vector<Segment>& segments, at::Tensor& out) {
  RELMPI_CHECK(queries.is_contiguous() && keys.is_contiguous() && values.is_contiguous() &&
               out.is_contiguous());
  if (segments.empty()) return;
  if (queries.scalar_type() == at::kFloat)
    typed<float>(queries, keys, values, segments, out);
  else
    typed<std::uint16_t>(queries, keys, values, segments, out);
}

}  // namespace relmpi
