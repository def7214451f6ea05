#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/tokenizers/bpe_tokenizer.h"
#include "dist/placement/placement_options.h"
#include "model/llm/decoder.h"
#include "model/llm/memory_need.h"

namespace relmpi {

struct LlmOptions {
  std::filesystem::path folder;  // config.json, tokenizer.json, model.safetensors or its shards, ...
  std::string dtype;             // fp32, bf16 or fp16; empty: as the weights are stored
  PlacementOptions placement;
  MemoryLimits at_hand;    // what is free here (limits_at_hand in dist/placement/placement_options.h)
  std::string max_memory;  // in its place, as relmpi-doctor plan takes it
  std::string reserve =
      "auto";  // room kept free on each GPU, a size; auto: for `batch` texts of `length` tokens
  std::int64_t batch = 1, length = 4096;
  // GPUs that the map names are all this machine's CPU: to try a map where there is no GPU.
  bool rehearse = false;
};

// A decoder LLM opened from its folder, with what text needs.
struct Llm {
  BpeTokenizer tokenizer;
  std::vector<std::int64_t> end_tokens;
  DeviceMap map;    // as it runs
  MemoryNeed need;  // that the map was made with
  Decoder decoder;
};

// What is to be run with the model: the texts at once and the tokens of the longest one, prompt and answer.
struct Workload {
  std::int64_t batch, length;
};

// `workload`, where given, is asked for options.batch and length once the tokenizer is there, and before the
// weights are read: bad prompts end a job early.
// Throws InputError: what load_llm_config, BpeTokenizer::load, make_plan and load_llm_weights say; a
// vocabulary larger than the embedding; a map that uses the disk, splits a layer, names a GPU that is not
// here, or needs more of the host than it has.
Llm open_llm(const LlmOptions& options,
             const std::function<Workload(const BpeTokenizer&, const LlmConfig&)>& workload = {});

// The slots of a map: one for each place it names. `rehearse`: all of them on the CPU.
LlmPlaces places_of(const DeviceMap& map, const LlmConfig& config, bool rehearse);

}  // namespace relmpi
