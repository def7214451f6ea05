#include "model/llm/llm_folder.h"

#include "base/error.h"

namespace relmpi {

LlmFolder open_llm_folder(const std::filesystem::path& path) {
  LlmConfig config = load_llm_config(path / "config.json");
  BpeTokenizer tokenizer = BpeTokenizer::load(path);
  if (tokenizer.vocabulary_size() > config.vocab_size)
    throw InputError(
        "{}: tokenizer.json has {} tokens, but the embedding {} rows (vocab_size): files of different models",
        path.string(), tokenizer.vocabulary_size(), config.vocab_size);
  auto ends = end_tokens(path, config);
  return {path, std::move(config), std::move(tokenizer), std::move(ends)};
}

}  // namespace relmpi
