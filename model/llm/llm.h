#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/bpe_tokenizer.h"
#include "dist/placement_options.h"
#include "model/llm/decoder.h"

namespace relmpi {

struct LlmOptions {
  std::filesystem::path folder;  // config.json, tokenizer.json, model.safetensors or its shards, ...
  std::string dtype;             // fp32, bf16 or fp16; empty: as the weights are stored
  PlacementOptions placement;
  MemoryLimits at_hand;    // what is free here (limits_at_hand in dist/placement_options.h)
  std::string max_memory;  // in its place, as relmpi-doctor plan takes it
  // Room that is kept free on each GPU: for so many texts of so many tokens.
  std::int64_t batch = 1, length = 4096;
  // GPUs that the map names are all this machine's CPU: to try a map where there is no GPU.
  bool rehearse = false;
};

// A decoder LLM opened from its folder, with what text needs.
struct Llm {
  BpeTokenizer tokenizer;
  std::vector<std::int64_t> end_tokens;
  DeviceMap map;  // as it runs
  Decoder decoder;
};

// `longest`, where given, is asked for options.length once the tokenizer is there.
// Throws InputError: what load_llm_config, BpeTokenizer::load, make_plan and load_llm_weights say; a
// vocabulary larger than the embedding; a map that uses the disk or splits a layer.
Llm open_llm(const LlmOptions& options, const std::function<std::int64_t(const BpeTokenizer&)>& longest = {});

// fp32, bf16 or fp16; empty: what config.json says of the weights, else fp32. Throws InputError.
at::ScalarType llm_dtype(const std::string& name, const LlmConfig& config);

// The slots of a map: one for each place it names. `rehearse`: all of them on the CPU.
LlmPlaces places_of(const DeviceMap& map, const LlmConfig& config, bool rehearse);

}  // namespace relmpi
