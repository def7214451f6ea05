#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "data/spelling/candidates.h"
#include "data/text/vocabulary.h"
#include "model/dgca/config.h"
#include "model/dgca/parameters.h"

namespace relmpi {

// A model as it lies in a folder: config.json, vocab.txt, model.safetensors, in Hugging Face's layout, with
// our tensors
// ("dgca.*", among them the candidate table "dgca.candidates" (V, K) int32) beside BERT's.
struct Model {
  ModelConfig config;
  std::shared_ptr<const Vocabulary> vocabulary;
  std::shared_ptr<Parameters> parameters;
  CandidateTable candidates;  // width 0 if the folder has none

  // (V, K) int32 on the parameters' device; undefined if there is none.
  at::Tensor candidate_table() const;
};

// Opens a folder that we or transformers saved. Tensors of ours that a plain BERT folder lacks keep the
// values of initialise() with `seed` if `allow_plain_bert`; otherwise they are demanded. Throws InputError
// naming folder, tensor and remedy. `adjust` may change the configuration before the parameters are made.
Model load_model(const std::filesystem::path& folder, at::Device device, bool allow_plain_bert = false,
                 std::uint64_t seed = 0, const std::function<void(ModelConfig&)>& adjust = {});

// Writes the three files, each atomically. The folder must exist. `weights`: a copy of the parameters' flat
// tensor to write in its place.
void save_model(const std::filesystem::path& folder, const Model& model, const at::Tensor& weights = {});

}  // namespace relmpi
