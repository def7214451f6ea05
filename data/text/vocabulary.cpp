#include "data/text/vocabulary.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "data/text/characters.h"

namespace relmpi {
namespace {

// The lines of a vocabulary: split at '\n' alone, without a '\r' at the end of a line that holds more than
// it.
std::vector<std::string> tokens_of(const std::string& bytes) {
  std::vector<std::string> tokens;
  for (std::size_t begin = 0; begin < bytes.size();) {
    std::size_t end = bytes.find('\n', begin);
    if (end == std::string::npos) end = bytes.size();
    const bool carriage_return = end > begin + 1 && bytes[end - 1] == '\r';
    tokens.push_back(bytes.substr(begin, end - begin - (carriage_return ? 1 : 0)));
    begin = end + 1;
  }
  return tokens;
}

}  // namespace

Vocabulary Vocabulary::load(const std::filesystem::path& path) {
  return from_bytes(read_file(path), path.string());
}

Vocabulary Vocabulary::from_bytes(std::string bytes, const std::string& name) {
  Vocabulary vocabulary;
  vocabulary.tokens_ = tokens_of(bytes);
  vocabulary.xxh3_ = xxh3_128(bytes);
  vocabulary.bytes_ = std::move(bytes);
  vocabulary.characters_.assign(vocabulary.tokens_.size(), 0);
  for (std::size_t i = 0; i < vocabulary.tokens_.size(); ++i) {
    const auto& token = vocabulary.tokens_[i];
    const auto id = static_cast<std::int32_t>(i);
    const auto text = decode_utf8(token);
    if (!text)
      throw InputError("{}:{}: the token is not valid UTF-8; save the vocabulary as UTF-8", name, i + 1);
    if (text->empty()) throw InputError("{}:{}: empty token; a vocabulary has one token a line", name, i + 1);
    const auto [other, fresh] = vocabulary.ids_.emplace(token, id);
    if (!fresh) {
      throw InputError("{}:{}: the token '{}' is already in line {}; keep one of them", name, i + 1, token,
                       other->second + 1);
    }
    if (text->size() == 1) {
      vocabulary.characters_[i] = text->front();
      vocabulary.character_ids_.emplace(text->front(), id);
    }
  }
  const auto special = [&](const char* token) {
    const auto id = vocabulary.find(token);
    if (id < 0)
      throw InputError("{}: the vocabulary has no {}; it needs [PAD] [UNK] [CLS] [SEP] [MASK]", name, token);
    return id;
  };
  vocabulary.pad_ = special("[PAD]");
  vocabulary.unk_ = special("[UNK]");
  vocabulary.cls_ = special("[CLS]");
  vocabulary.sep_ = special("[SEP]");
  vocabulary.mask_ = special("[MASK]");
  return vocabulary;
}

std::int32_t Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  return found == ids_.end() ? -1 : found->second;
}

std::int32_t Vocabulary::character_id(char32_t character) const {
  auto found = character_ids_.find(character);
  if (found == character_ids_.end()) found = character_ids_.find(to_lower(character));
  return found == character_ids_.end() ? unk_ : found->second;
}

}  // namespace relmpi
