#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/llm/llm.h"

namespace relmpi {

// A folder with random_llm, whose tokens are the 256 bytes and <|end|> (256), which ends a text. Removed at
// the end.
class TinyLlm {
 public:
  // `family`: llama, qwen2 or qwen3.
  explicit TinyLlm(const std::string& family = "qwen3", bool tied = false, std::int64_t layers = 3);
  ~TinyLlm();
  TinyLlm(const TinyLlm&) = delete;
  TinyLlm& operator=(const TinyLlm&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  nlohmann::json config;
  nlohmann::json tokenizer;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  // Writes what the members say now.
  void save() const;
  void save_sharded() const;  // in two files with an index

  Decoder decoder(at::ScalarType dtype = at::kFloat, std::size_t slots = 1) const;
  Llm open(const std::string& dtype = "fp32") const;
  // For `batch` texts of 10 tokens, with so much memory free.
  Llm load(const LlmPlacement& where, const MemoryLimits& free, std::int64_t batch = 1) const;

 private:
  void save_texts() const;
  std::filesystem::path folder_;
};

// Places for `slots` devices that are all the CPU; layer i is on slot i % slots, the head on the last.
LlmPlaces dealt_places(const LlmConfig& config, std::size_t slots);

// What a function's InputError says; "" if there is none.
template <typename Function>
std::string input_error(const Function& function) {
  try {
    function();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace relmpi
