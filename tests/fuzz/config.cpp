// config.json of a model: model/config.h.

#include "model/config.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("config.json"), again("again.json");
  file.fill(fuzz::text_of(data, size));
  const auto config = fuzz::accepted([&] { return load_config(file.path()); });
  if (!config) return 0;
  RELMPI_CHECK(config->hidden_size > 0 && config->hidden_size % config->num_attention_heads == 0, "heads");
  RELMPI_CHECK(config->max_characters() >= 1 && config->max_length <= config->max_position_embeddings,
               "length {}", config->max_length);
  const auto document = to_json(*config);
  RELMPI_CHECK(to_json(load_config(again.fill(document.dump()))) == document, "read again as another one");
  return 0;
}
