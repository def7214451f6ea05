#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/dgca/config.h"
#include "model/dgca/leaf_linear.h"
#include "model/dgca/parameters.h"

namespace relmpi {

struct LinearWeights {
  at::Tensor weight;                  // (out, in)
  at::Tensor bias;                    // (out)
  c10::intrusive_ptr<LeafSums> sums;  // where their gradients go, null if the graph is to have them
};

struct NormWeights {
  at::Tensor weight, bias;  // (H)
};

struct LayerWeights {
  LinearWeights qkv, attention_output, intermediate, output;
  NormWeights attention_norm, output_norm;
};

// The parameters as one forward pass uses them: matrix operands in the compute dtype, what is looked up or
// accumulated in fp32. Gradients arrive in the fp32 leaves.
struct Weights {
  at::ScalarType dtype = at::kFloat;
  at::Tensor word;          // (V, H) fp32, looked up
  at::Tensor word_compute;  // (V, H) compute dtype, not part of the graph: the heads add to word's gradient
                            // themselves
  at::Tensor position;      // (positions, H) fp32
  at::Tensor token_type;    // (types, H) fp32
  NormWeights embeddings_norm;
  std::vector<LayerWeights> layers;
  NormWeights final_norm;  // undefined unless layer_norm is "pre"
  LinearWeights detector_dense, detector_classifier;
  LinearWeights candidate_dense, gate;  // gate in fp32
  LinearWeights transform;
  NormWeights transform_norm;
  at::Tensor vocabulary_bias;  // (V) fp32
};

// The weights of one forward pass and its backward pass. The parameters must keep a copy in `dtype`
// (Parameters::keep_copy).
Weights make_weights(const Parameters& parameters, const ModelConfig& config, at::ScalarType dtype);

// The prompt network in fp32: 2P embeddings -> 2-layer bidirectional LSTM -> Linear, ReLU, Linear -> (2P, H).
// P-tuning (Liu et al. 2021), as ReLM uses it.
at::Tensor prompt_vectors(const Parameters& parameters);

at::Tensor apply(const LinearWeights& linear, const at::Tensor& x);
at::Tensor apply(const NormWeights& norm, const at::Tensor& x, double eps);

}  // namespace relmpi
