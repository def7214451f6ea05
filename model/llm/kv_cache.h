#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/llm/config.h"
#include "model/llm/places.h"

namespace relmpi {

// Keys and values of the tokens that sequences have so far, allocated once. Sequences have lengths of their
// own and begin at slot 0: no padding, so that a sequence's positions do not depend on its neighbours.
class KvCache {
 public:
  // Room for `capacity` tokens in each of `sequences`, each layer's on its device:
  // 2 * layers * sequences * kv_heads * capacity * head_dim values.
  KvCache(const LlmConfig& config, const LlmPlaces& places, at::ScalarType dtype, std::int64_t sequences,
          std::int64_t capacity);

  std::int64_t sequences() const { return static_cast<std::int64_t>(lengths_.size()); }
  std::int64_t capacity() const { return capacity_; }
  std::int64_t length(std::int64_t sequence) const { return lengths_.at(static_cast<std::size_t>(sequence)); }
  std::int64_t bytes() const;

  // (sequences, kv_heads, capacity, head_dim)
  const at::Tensor& keys(std::size_t layer) const { return keys_[layer]; }
  const at::Tensor& values(std::size_t layer) const { return values_[layer]; }

  // Forgets what comes after the first `length` tokens; nothing is copied.
  void truncate(std::int64_t sequence, std::int64_t length);
  // Forgets all sequences; the memory stays.
  void clear() { lengths_.assign(lengths_.size(), 0); }
  // Counts tokens whose keys and values are there now.
  void advance(std::int64_t sequence, std::int64_t tokens);

 private:
  std::int64_t capacity_;
  std::vector<std::int64_t> lengths_;
  std::vector<at::Tensor> keys_, values_;
};

}  // namespace relmpi
