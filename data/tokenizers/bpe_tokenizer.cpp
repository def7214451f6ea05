#include "data/tokenizers/bpe_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"
#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/normalize.h"
#include "data/tokenizers/tokenizer_json.h"

namespace relmpi {
namespace {

// The added tokens that are looked for before or after normalisation.
std::vector<AddedToken> added_of(const TokenizerDescription& description, bool normalized) {
  std::vector<AddedToken> tokens;
  for (AddedToken token : description.added) {
    if (token.normalized != normalized) continue;
    std::string scratch;
    if (normalized && description.nfc) token.content = std::string(compose_utf8(token.content, scratch));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

// One call of encode.
class BpeTokenizer::Encoder {
 public:
  Encoder(const BpeTokenizer& tokenizer, bool tokens)
      : tokenizer_(tokenizer), pre_tokenizer_(tokenizer.pre_tokenizer_), with_tokens_(tokens) {}

  void add_text(std::string_view text, bool special) {
    text_ = text;
    tokenizer_.added_.split(text, special, [&](std::string_view stretch, const AddedToken* token) {
      if (token != nullptr) return add_token(token->id, stretch);
      start_ = static_cast<std::size_t>(stretch.data() - text_.data());
      add_plain(stretch, special);
    });
  }

  void add_ids(const std::vector<std::int32_t>& ids) {
    for (const std::int32_t id : ids) add_token(id, tokenizer_.token(id));
  }

  Encoding take() { return std::move(out_); }

 private:
  void add_token(std::int32_t id, std::string_view token) {
    out_.ids.push_back(id);
    if (with_tokens_) out_.tokens.emplace_back(token);
  }

  // Text without the added tokens that are looked for in the text as it is.
  void add_plain(std::string_view text, bool special) {
    const std::string_view normalized = tokenizer_.nfc_ ? compose_utf8(text, scratch_) : text;
    if (tokenizer_.added_normalized_.empty()) return add_words(normalized, 0);
    tokenizer_.added_normalized_.split(
        normalized, special, [&](std::string_view stretch, const AddedToken* token) {
          if (token != nullptr) return add_token(token->id, stretch);
          add_words(stretch, static_cast<std::size_t>(stretch.data() - normalized.data()));
        });
  }

  void add_words(std::string_view text, std::size_t place) {
    pre_tokenizer_.split(text,
                         [&](const PreTokenizerRun::Piece& piece) { add_piece(piece, start_ + place); });
  }

  // `start`: of what was cut, in the text.
  void add_piece(const PreTokenizerRun::Piece& piece, std::size_t start) {
    const std::int32_t whole = tokenizer_.whole_pieces_.find(piece.bytes);
    if (whole >= 0) return add_model_token(whole);
    symbols_.clear();
    bool fusing = false;
    for (std::size_t i = 0; i < piece.bytes.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(piece.bytes[i]);
      const std::int32_t id = tokenizer_.byte_ids_[byte];
      if (id >= 0) {
        symbols_.push_back(id);
      } else if (!tokenizer_.unknown_) {
        // A space that was put in is none of the text's bytes.
        if (i > 0 || !piece.spaced) out_.dropped.push_back({start + piece.place + i - piece.spaced, byte});
      } else if (!(fusing && tokenizer_.fuse_unknown_)) {
        symbols_.push_back(*tokenizer_.unknown_);
      }
      fusing = id < 0;
    }
    tokenizer_.merges_.merge(symbols_);
    for (const std::int32_t id : symbols_) add_model_token(id);
  }

  void add_model_token(std::int32_t id) {
    out_.ids.push_back(id);
    if (with_tokens_) out_.tokens.push_back(tokenizer_.tokens_[static_cast<std::size_t>(id)]);
  }

  const BpeTokenizer& tokenizer_;
  PreTokenizerRun pre_tokenizer_;
  bool with_tokens_;
  Encoding out_;
  std::string_view text_;
  std::size_t start_ = 0;  // of the stretch between added tokens, in the text
  std::string scratch_;
  std::vector<std::int32_t> symbols_;
};

BpeTokenizer::BpeTokenizer(TokenizerDescription description)
    : tokens_(std::move(description.tokens)),
      special_(tokens_.size(), false),
      merges_(std::move(description.merges)),
      pre_tokenizer_(std::move(description.pre_tokenizer)),
      added_(added_of(description, false)),
      added_normalized_(added_of(description, true)),
      first_ids_(std::move(description.first_ids)),
      last_ids_(std::move(description.last_ids)),
      unknown_(description.unknown),
      fuse_unknown_(description.fuse_unknown),
      nfc_(description.nfc) {
  bytes_.reserve(tokens_.size());
  std::vector<bool> of_bytes;
  for (const std::string& token : tokens_) {
    auto bytes = byte_level_bytes(token);
    of_bytes.push_back(bytes && !token.empty());
    // A token with other characters than those of bytes stands for itself.
    bytes_.push_back(std::move(bytes).value_or(token));
  }
  for (const AddedToken& token : description.added)
    if (token.special) special_[static_cast<std::size_t>(token.id)] = true;
  build_piece_table(description, of_bytes);
}

void BpeTokenizer::build_piece_table(const TokenizerDescription& description,
                                     const std::vector<bool>& of_bytes) {
  whole_pieces_ = PieceTable(tokens_.size());
  byte_ids_.fill(-1);
  std::vector<std::int32_t> by_bytes;  // tokens of the model that stand for bytes
  for (std::size_t id = 0; id < description.of_model.size(); ++id) {
    if (!description.of_model[id] || !of_bytes[id]) continue;
    by_bytes.push_back(static_cast<std::int32_t>(id));
    if (bytes_[id].size() == 1) byte_ids_[static_cast<std::uint8_t>(bytes_[id][0])] = by_bytes.back();
  }
  std::vector<std::int32_t> symbols;
  for (const std::int32_t id : by_bytes) {
    const std::string& bytes = bytes_[static_cast<std::size_t>(id)];
    bool whole = description.ignore_merges;
    if (!whole) {
      symbols.clear();
      for (const char byte : bytes) symbols.push_back(byte_ids_[static_cast<std::uint8_t>(byte)]);
      whole = std::ranges::find(symbols, -1) == symbols.end();
      if (whole) merges_.merge(symbols);
      whole = whole && symbols.size() == 1 && symbols[0] == id;
    }
    if (whole) whole_pieces_.add(bytes, id);
  }
}

BpeTokenizer::BpeTokenizer(BpeTokenizer&&) noexcept = default;
BpeTokenizer& BpeTokenizer::operator=(BpeTokenizer&&) noexcept = default;
BpeTokenizer::~BpeTokenizer() = default;

BpeTokenizer BpeTokenizer::from_bytes(std::string_view json, const std::string& name) {
  return BpeTokenizer(read_tokenizer_json(json, name));
}

BpeTokenizer BpeTokenizer::load(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  return from_bytes(read_file(file), file.string());
}

Encoding BpeTokenizer::encode_fully(std::string_view text, const EncodeOptions& options) const {
  return encode_with(text, options, true);
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return encode_with(text, options, false).ids;
}

Encoding BpeTokenizer::encode_with(std::string_view text, const EncodeOptions& options, bool tokens) const {
  if (const auto wrong = first_invalid_utf8(text))
    throw InputError("the text is not valid UTF-8 at byte {}; convert it, for example with iconv -t UTF-8",
                     *wrong);
  Encoder encoder(*this, tokens);
  if (options.add_special_tokens) encoder.add_ids(first_ids_);
  encoder.add_text(text, options.special_tokens_in_text);
  if (options.add_special_tokens) encoder.add_ids(last_ids_);
  return encoder.take();
}

std::string BpeTokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string all;
  for (const std::int32_t id : ids)
    if (!(skip_special && is_special(id))) all += bytes(id);
  return utf8_lossy(all);
}

const std::string& BpeTokenizer::token(std::int32_t id) const {
  if (!has_token(id))
    throw InputError("no token has the id {} (the largest is {})", id, vocabulary_size() - 1);
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace relmpi
