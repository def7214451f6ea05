#include "model/llm/llm_folder.h"

#include "base/error.h"
#include "base/log.h"
#include "model/model_path.h"

namespace relmpi {

namespace {

void demand_tokenizer(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "tokenizer.json") ||
      !std::filesystem::exists(folder / "tokenizer.model"))
    return;
  throw InputError(
      "{} has tokenizer.model but no tokenizer.json; write one with transformers: "
      "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
      folder.string());
}

}  // namespace

LlmFolder open_llm_folder(const std::filesystem::path& path) {
  demand_model_folder(path);
  demand_tokenizer(path);
  LlmConfig config = load_llm_config(path / "config.json");
  BpeTokenizer tokenizer = BpeTokenizer::load(path);
  if (tokenizer.vocabulary_size() > config.vocab_size)
    spdlog::warn(
        "{}: tokenizer.json has {} tokens, but the embedding {} rows (vocab_size): text that needs a token "
        "beyond them is refused",
        path.string(), tokenizer.vocabulary_size(), config.vocab_size);
  auto ends = end_tokens(path, config);
  return {path, std::move(config), std::move(tokenizer), std::move(ends)};
}

}  // namespace relmpi
