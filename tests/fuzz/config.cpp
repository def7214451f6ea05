// config.json of a model: model/dgca/config.h.

#include "model/dgca/config.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

// What the file says is what is kept, except for two fields that nobody reads; a null says nothing.
void check_kept(const nlohmann::json& file, const nlohmann::json& kept) {
  for (const auto& [name, value] : kept.items()) {
    if (!file.contains(name) || file[name].is_null() || name == "architectures" ||
        name == "tie_word_embeddings")
      continue;
    if (value.is_object())
      check_kept(file[name], value);
    else
      RELMPI_CHECK(file[name] == value, "{} became {}", name, value.dump());
  }
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("config.json"), again("again.json");
  const std::string_view text = fuzz::text_of(data, size);
  file.fill(text);
  const auto config = fuzz::accepted("config.json", [&] { return load_config(file.path()); });
  if (!config) return 0;
  RELMPI_CHECK(config->hidden_size > 0 && config->hidden_size % config->num_attention_heads == 0, "heads");
  RELMPI_CHECK(config->max_characters() >= 1 && config->max_length > 0 &&
                   config->max_length <= config->max_position_embeddings,
               "length {}", config->max_length);
  const auto document = to_json(*config);
  check_kept(nlohmann::json::parse(text), document);
  RELMPI_CHECK(to_json(load_config(again.fill(document.dump()))) == document, "read again as another one");
  return 0;
}
