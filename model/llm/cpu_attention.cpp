#include "model/llm/cpu_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/torch_headers.h"
#include "model/kernels/dot_rows.h"
#include "model/kernels/elements.h"
#include "model/kernels/vector_math.h"
#include "model/kernels/weighted_sums.h"

namespace relmpi {
namespace {

constexpr std::int64_t kBlock = 256;         // slots that are read at a time
constexpr std::int64_t kTile = kKernelRows;  // queries that read them together
constexpr float kNothing = -std::numeric_limits<float>::infinity();

// exp(scale (score - max)) in place; returns scale * max and the sum.
struct BlockSum {
  float max, sum;
};
RELMPI_VECTOR_CLONES BlockSum exponentials(float* scores, float scale, std::int64_t size) {
  float most = kNothing;
  for (std::int64_t i = 0; i < size; ++i) most = std::max(most, scores[i]);
  for (std::int64_t i = 0; i < size; ++i) scores[i] = exp_of(scale * (scores[i] - most));
  std::array<float, 16> lanes{};
  std::int64_t i = 0;
  for (; i + 16 <= size; i += 16)
    for (std::size_t lane = 0; lane < 16; ++lane) lanes[lane] += scores[i + static_cast<std::int64_t>(lane)];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < size; ++i) sum += scores[i];
  return {scale * most, sum};
}

// Up to kTile queries of one sequence that share a key head.
struct Tile {
  std::int64_t sequence, kv_head;
  std::int64_t queries;                    // how many
  std::array<std::int64_t, kTile> places;  // row * heads + head
  std::array<std::int64_t, kTile> slots;   // that each sees

  std::int64_t most_slots() const {
    return slots[static_cast<std::size_t>(queries) - 1];
  }  // rows are in order
  std::int64_t blocks() const { return (most_slots() + kBlock - 1) / kBlock; }
};

std::vector<Tile> tiles_of(const std::vector<Segment>& segments, std::int64_t heads, std::int64_t kv_heads) {
  std::vector<Tile> tiles;
  const std::int64_t group = heads / kv_heads;
  for (const Segment& segment : segments)
    for (std::int64_t kv_head = 0; kv_head < kv_heads; ++kv_head)
      for (std::int64_t first = 0, all = segment.count * group; first < all; first += kTile) {
        Tile tile{segment.sequence, kv_head, std::min(kTile, all - first), {}, {}};
        for (std::int64_t i = 0; i < tile.queries; ++i) {
          const std::int64_t row = (first + i) / group, head = (first + i) % group;
          tile.places[static_cast<std::size_t>(i)] = (segment.first + row) * heads + kv_head * group + head;
          tile.slots[static_cast<std::size_t>(i)] = segment.start + row + 1;
        }
        tiles.push_back(tile);
      }
  return tiles;
}

template <typename Element>
struct Problem {
  const Element *queries, *keys, *values;
  std::int64_t kv_heads, capacity, size;
  Element* out;
};

// What some slots add to each query of a tile: sums over them, and the softmax's maximum and normaliser.
struct Partial {
  std::array<BlockSum, kTile> totals;
  std::vector<float> sums;  // (kTile, size)

  explicit Partial(std::int64_t size) : sums(static_cast<std::size_t>(kTile * size), 0.0F) {
    totals.fill({kNothing, 0});
  }
};

template <typename Element>
void run_block(const Problem<Element>& of, const Tile& tile, std::int64_t block, const Element* queries,
               Partial& out) {
  const std::int64_t first = block * kBlock, slots = std::min(kBlock, tile.most_slots() - first);
  const std::int64_t place = ((tile.sequence * of.kv_heads + tile.kv_head) * of.capacity + first) * of.size;
  const float scale = 1.0F / std::sqrt(static_cast<float>(of.size));
  std::array<float, kTile * kBlock> scores;
  dot_rows(queries, of.keys + place, of.size, static_cast<int>(tile.queries), 0, slots, scores.data(),
           kBlock);
  for (std::int64_t q = 0; q < tile.queries; ++q) {
    float* row = scores.data() + q * kBlock;
    const std::int64_t seen =
        std::clamp<std::int64_t>(tile.slots[static_cast<std::size_t>(q)] - first, 0, slots);
    out.totals[static_cast<std::size_t>(q)] =
        seen > 0 ? exponentials(row, scale, seen) : BlockSum{kNothing, 0};
    std::fill(row + seen, row + slots, 0.0F);
  }
  weigh_rows(scores.data(), kBlock, of.values + place, static_cast<int>(tile.queries), slots, of.size,
             out.sums.data());
}

// `total` over more slots: both sums weighted by their share of the softmax.
void merge(const Tile& tile, const Partial& more, std::int64_t size, Partial& total) {
  for (std::int64_t q = 0; q < tile.queries; ++q) {
    BlockSum& ours = total.totals[static_cast<std::size_t>(q)];
    const BlockSum& theirs = more.totals[static_cast<std::size_t>(q)];
    if (theirs.sum == 0) continue;
    const float most = std::max(ours.max, theirs.max);
    const float keep = std::exp(ours.max - most), add = std::exp(theirs.max - most);
    ours = {most, keep * ours.sum + add * theirs.sum};
    float* to = total.sums.data() + q * size;
    const float* from = more.sums.data() + q * size;
    for (std::int64_t d = 0; d < size; ++d) to[d] = keep * to[d] + add * from[d];
  }
}

template <typename Element>
void write(const Problem<Element>& of, const Tile& tile, const Partial& total) {
  for (std::int64_t q = 0; q < tile.queries; ++q) {
    const float scale = 1.0F / total.totals[static_cast<std::size_t>(q)].sum;
    const float* from = total.sums.data() + q * of.size;
    Element* to = of.out + tile.places[static_cast<std::size_t>(q)] * of.size;
    for (std::int64_t d = 0; d < of.size; ++d) store(from[d] * scale, to + d);
  }
}

template <typename Element>
std::vector<Element> gather(const Problem<Element>& of, const Tile& tile) {
  std::vector<Element> queries(static_cast<std::size_t>(tile.queries * of.size));
  for (std::int64_t q = 0; q < tile.queries; ++q)
    std::copy_n(of.queries + tile.places[static_cast<std::size_t>(q)] * of.size, of.size,
                queries.data() + q * of.size);
  return queries;
}

// Late rows see more slots than early ones: from both ends in turn, so that equal parts are equal work.
const Tile& in_turn(const std::vector<Tile>& tiles, std::int64_t i) {
  const auto half = static_cast<std::size_t>(i / 2);
  return i % 2 == 0 ? tiles[half] : tiles[tiles.size() - 1 - half];
}

// Each tile for itself: many rows, or short texts.
template <typename Element>
void by_tiles(const Problem<Element>& of, const std::vector<Tile>& tiles, std::int64_t grain) {
  at::parallel_for(0, static_cast<std::int64_t>(tiles.size()), grain,
                   [&](std::int64_t begin, std::int64_t end) {
                     Partial part(of.size);
                     for (std::int64_t i = begin; i < end; ++i) {
                       const Tile& tile = in_turn(tiles, i);
                       const auto queries = gather(of, tile);
                       Partial total(of.size);
                       for (std::int64_t block = 0; block < tile.blocks(); ++block) {
                         run_block(of, tile, block, queries.data(), part);
                         merge(tile, part, of.size, total);
                       }
                       write(of, tile, total);
                     }
                   });
}

// Threads share the blocks of a tile: few rows with long texts behind them. The same sums in the same order.
template <typename Element>
void by_blocks(const Problem<Element>& of, const std::vector<Tile>& tiles) {
  for (const Tile& tile : tiles) {
    const auto queries = gather(of, tile);
    std::vector<Partial> parts(static_cast<std::size_t>(tile.blocks()), Partial(of.size));
    at::parallel_for(0, tile.blocks(), 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block)
        run_block(of, tile, block, queries.data(), parts[static_cast<std::size_t>(block)]);
    });
    Partial total(of.size);
    for (const Partial& part : parts) merge(tile, part, of.size, total);
    write(of, tile, total);
  }
}

template <typename Element>
void attend(const Problem<Element>& of, const std::vector<Tile>& tiles) {
  constexpr std::int64_t kWorthAThread = 1 << 18;  // products: fewer are done sooner than a thread wakes up
  std::int64_t blocks = 0;
  for (const Tile& tile : tiles) blocks = std::max(blocks, tile.blocks());
  const auto threads = static_cast<std::size_t>(at::get_num_threads());
  if (blocks >= 4 && tiles.size() < 2 * threads) return by_blocks(of, tiles);
  const std::int64_t work = kTile * of.size * std::min(kBlock, tiles.back().most_slots()) * blocks;
  by_tiles(of, tiles, std::max<std::int64_t>(1, kWorthAThread / work));
}

template <typename Element>
void typed(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
           const std::vector<Segment>& segments, at::Tensor& out) {
  const Problem<Element> problem{elements_of<Element>(queries),
                                 elements_of<Element>(keys),
                                 elements_of<Element>(values),
                                 keys.size(1),
                                 keys.size(2),
                                 keys.size(3),
                                 static_cast<Element*>(out.data_ptr())};
  attend(problem, tiles_of(segments, queries.size(1), keys.size(1)));
}

}  // namespace

at::Tensor cpu_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const std::vector<Segment>& segments) {
  RELMPI_CHECK(queries.is_contiguous() && keys.is_contiguous() && values.is_contiguous());
  at::Tensor out = at::empty({queries.size(0), queries.size(1) * queries.size(2)}, queries.options());
  if (segments.empty()) return out;
  if (queries.scalar_type() == at::kFloat)
    typed<float>(queries, keys, values, segments, out);
  else
    typed<std::uint16_t>(queries, keys, values, segments, out);
  return out;
}

}  // namespace relmpi
