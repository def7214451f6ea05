#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace relmpi {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// What a folder of Hugging Face holds of a model, in fp32.
struct RandomLlm {
  nlohmann::json config;
  NamedTensors tensors;
};

// For tests and for relmpi-doctor selftest: a small decoder LLM, H = 48, 6 query and 2 key heads of 16, 260
// tokens, context 700, whose norms and biases are random too; the same each time. `family`: llama, qwen2 or
// qwen3.
RandomLlm random_llm(const std::string& family, bool tied, std::int64_t layers);

}  // namespace relmpi
