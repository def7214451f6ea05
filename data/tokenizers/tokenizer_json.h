#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/bpe_merge.h"
#include "data/tokenizers/piece_table.h"
#include "data/tokenizers/pre_tokenizer.h"

namespace relmpi {

// What a Hugging Face tokenizer.json says, if it is a byte-level BPE tokenizer.
struct TokenizerDescription {
  std::vector<std::string>
      tokens;                     // by id, model and added ones, as written in the file; "" if an id has none
  PieceTable ids;                 // by token
  std::int32_t model_tokens = 0;  // how many of them are the model's
  std::vector<bool> of_model;     // by id: whether the model has it
  BpeMerges merges;
  bool ignore_merges = false;           // a piece that is a token is that token, whatever the merges give
  std::optional<std::int32_t> unknown;  // the id for bytes that have no token; without it they are dropped
  bool fuse_unknown = false;            // one unknown token for a run of such bytes
  bool nfc = false;                     // text is brought into normalisation form C first
  PreTokenizer pre_tokenizer;
  std::vector<AddedToken> added;
  std::vector<std::int32_t> first_ids, last_ids;  // put around a text on request (post_processor)
};

// Reads a tokenizer.json. `name` is the file's, for errors. Throws InputError naming file and field for what
// is no JSON, for fields of a wrong kind, for ids and merges that contradict each other, and for every
// setting that would change the ids and is not built. `truncation` and `padding` are about batches, and not
// read.
TokenizerDescription read_tokenizer_json(std::string_view bytes, const std::string& name);

}  // namespace relmpi
