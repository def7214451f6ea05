#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "data/tokenizers/byte_level.h"

namespace relmpi {

// The text of a token as byte-level tokenizers write it.
inline std::string byte_level_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_utf8(text, byte_characters()[static_cast<unsigned char>(c)]);
  return text;
}

// A small tokenizer.json: the 256 bytes have their values as ids, then come `merges` ("a b") in their order.
// GPT-2's words, no normalisation, no added tokens; tests change what they are about.
inline nlohmann::json small_tokenizer(const std::vector<std::string>& merges = {}) {
  nlohmann::json vocabulary = nlohmann::json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[byte_level_text(std::string(1, static_cast<char>(byte)))] = byte;
  for (const std::string& merge : merges) {
    std::string token = merge;
    token.erase(token.find(' '), 1);
    const auto id = vocabulary.size();
    if (!vocabulary.contains(token)) vocabulary[token] = id;
  }
  return {{"version", "1.0"},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
}

// An entry of "added_tokens".
inline nlohmann::json added_token(int id, const std::string& content, bool special = true) {
  return {{"id", id},        {"content", content}, {"special", special}, {"single_word", false},
          {"lstrip", false}, {"rstrip", false},    {"normalized", false}};
}

inline nlohmann::json split_step(const std::string& regex, const std::string& behavior, bool invert = false) {
  return {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", behavior}, {"invert", invert}};
}

}  // namespace relmpi
