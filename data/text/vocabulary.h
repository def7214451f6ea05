#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relmpi {

// A BERT vocabulary: one token a line, the line number is the id. Lines are split at '\n' alone (one token of
// bert-base-chinese is U+2028).
class Vocabulary {
 public:
  // Throws InputError naming file and line for: no such file, a duplicate or empty token, invalid UTF-8, or
  // one of [PAD] [UNK] [CLS] [SEP] [MASK] missing.
  static Vocabulary load(const std::filesystem::path& path);
  static Vocabulary from_bytes(std::string bytes, const std::string& name);

  std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }
  const std::string& token(std::int32_t id) const { return tokens_.at(static_cast<std::size_t>(id)); }
  // The id of a token, or -1.
  std::int32_t find(std::string_view token) const;
  // The id of one character: as it is, else in lower case, else [UNK].
  std::int32_t character_id(char32_t character) const;
  // The character whose token is `id`; 0 if the token is not a single character ([UNK], "##a", ...).
  char32_t character(std::int32_t id) const { return characters_.at(static_cast<std::size_t>(id)); }

  std::int32_t pad() const { return pad_; }
  std::int32_t unk() const { return unk_; }
  std::int32_t cls() const { return cls_; }
  std::int32_t sep() const { return sep_; }
  std::int32_t mask() const { return mask_; }

  const std::string& bytes() const { return bytes_; }  // the file, to be copied beside a model
  const std::string& xxh3() const { return xxh3_; }    // XXH3-128 of bytes()

 private:
  Vocabulary() = default;

  std::vector<std::string> tokens_;
  std::vector<char32_t> characters_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::unordered_map<char32_t, std::int32_t> character_ids_;
  std::string bytes_;
  std::string xxh3_;
  std::int32_t pad_ = -1, unk_ = -1, cls_ = -1, sep_ = -1, mask_ = -1;
};

}  // namespace relmpi
