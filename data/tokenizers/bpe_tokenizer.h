#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/bpe_merge.h"
#include "data/tokenizers/piece_table.h"
#include "data/tokenizers/pre_tokenizer.h"

namespace relmpi {

struct TokenizerDescription;

struct EncodeOptions {
  // "<|im_end|>" in the text is that token. False takes special tokens as plain text, for text that a
  // stranger has written.
  bool special_tokens_in_text = true;
  // Puts around the text what the file's post-processor says (Llama 3: <|begin_of_text|> before it).
  bool add_special_tokens = false;
};

// A byte of the text that no token stands for.
struct DroppedByte {
  std::size_t place = 0;  // in the text; if NFC changed the text, in what NFC made of it
  std::uint8_t byte = 0;
};

struct Encoding {
  std::vector<std::int32_t> ids;
  // The tokens as the file writes them ("Ġworld"); an added one as the text has it.
  std::vector<std::string> tokens;
  // Hugging Face's library leaves these bytes out if the file has no unk_token, and so does this one.
  std::vector<DroppedByte> dropped;
};

// Byte-level BPE (Radford et al. 2019) from Hugging Face's tokenizer.json, with the ids of its `tokenizers`
// library. Unicode's categories and NFC are ICU's (Unicode 15 on Debian 12). Not changed by use: threads may
// share it.
class BpeTokenizer {
 public:
  // A tokenizer.json or the folder that holds it. Throws InputError naming file and field for everything that
  // is not built (tokenizer_json.h).
  static BpeTokenizer load(const std::filesystem::path& path);
  static BpeTokenizer from_bytes(std::string_view json, const std::string& name);

  BpeTokenizer(BpeTokenizer&&) noexcept;
  BpeTokenizer& operator=(BpeTokenizer&&) noexcept;
  ~BpeTokenizer();

  // The ids of a text. Throws InputError when it is not valid UTF-8, naming the place.
  std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;
  // The same with tokens and dropped bytes.
  Encoding encode_fully(std::string_view text, const EncodeOptions& options = {}) const;

  // The text of ids, U+FFFD for bytes that are not UTF-8. Ids without a token (an embedding may have more
  // rows than there are tokens) give no text; `skip_special` leaves special tokens out too.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;

  // Largest id + 1, added tokens included.
  std::int64_t vocabulary_size() const { return static_cast<std::int64_t>(tokens_.size()); }
  bool has_token(std::int32_t id) const {
    return id >= 0 && id < vocabulary_size() && !tokens_[static_cast<std::size_t>(id)].empty();
  }
  // The token as the file writes it. Throws InputError for an id without one.
  const std::string& token(std::int32_t id) const;
  bool is_special(std::int32_t id) const {
    return id >= 0 && id < vocabulary_size() && special_[static_cast<std::size_t>(id)];
  }
  // The bytes that a token adds to a text; none for an id without a token.
  std::string_view bytes(std::int32_t id) const {
    return has_token(id) ? std::string_view(bytes_[static_cast<std::size_t>(id)]) : std::string_view();
  }

 private:
  class Encoder;

  explicit BpeTokenizer(TokenizerDescription description);
  Encoding encode_with(std::string_view text, const EncodeOptions& options, bool tokens) const;
  // `of_bytes`, by id: whether the token is written in the characters of bytes.
  void build_piece_table(const TokenizerDescription& description, const std::vector<bool>& of_bytes);

  std::vector<std::string> tokens_;           // by id
  std::vector<std::string> bytes_;            // by id
  std::vector<bool> special_;                 // by id
  std::array<std::int32_t, 256> byte_ids_{};  // the token of each byte alone, or -1
  // Pieces that come out as one token. With that most words are looked up once and never merged.
  PieceTable whole_pieces_;
  BpeMerges merges_;
  PreTokenizer pre_tokenizer_;
  AddedTokenFinder added_;             // in the text as it is
  AddedTokenFinder added_normalized_;  // in the text after NFC
  std::vector<std::int32_t> first_ids_, last_ids_;
  std::optional<std::int32_t> unknown_;
  bool fuse_unknown_ = false;
  bool nfc_ = false;
};

}  // namespace relmpi
