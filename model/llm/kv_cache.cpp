#include "model/llm/kv_cache.h"

#include "base/torch_headers.h"

namespace relmpi {

KvCache::KvCache(const LlmConfig& config, const LlmPlaces& places, at::ScalarType dtype,
                 std::int64_t sequences, std::int64_t capacity)
    : capacity_(capacity), lengths_(static_cast<std::size_t>(sequences), 0) {
  for (std::size_t i = 0; i < places.layers.size(); ++i) {
    const auto make = [&] {
      // Zeros: masked slots are multiplied by 0, and 0 times what memory happens to hold may be NaN.
      return at::zeros({sequences, config.num_key_value_heads, capacity, config.head_dim},
                       at::TensorOptions(places.of_layer(i)).dtype(dtype));
    };
    keys_.push_back(make());
    values_.push_back(make());
  }
}

std::int64_t KvCache::bytes() const {
  std::int64_t bytes = 0;
  for (const auto* list : {&keys_, &values_})
    for (const at::Tensor& tensor : *list) bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

void KvCache::truncate(std::int64_t sequence, std::int64_t length) {
  RELMPI_CHECK(length >= 0 && length <= this->length(sequence), "{} of {} tokens", length,
               this->length(sequence));
  lengths_[static_cast<std::size_t>(sequence)] = length;
}

void KvCache::advance(std::int64_t sequence, std::int64_t tokens) {
  RELMPI_CHECK(tokens >= 0 && length(sequence) + tokens <= capacity_);
  lengths_[static_cast<std::size_t>(sequence)] += tokens;
}

}  // namespace relmpi
