#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/dgca/config.h"

namespace relmpi {

// One leaf of the computation. Tensors that enter one matrix product together (query, key, value) are one
// leaf, whose `parts` are stacked along dimension 0 and keep their own names in files.
struct ParameterSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool decay = true;               // weight decay applies (not to biases and LayerNorm)
  std::vector<std::string> parts;  // empty: the leaf is one tensor under `name`
  bool prompt = false;             // belongs to the prompt network, whose gradients are reduced at its output
};

// All parameters of a model of this shape, in the order of their first use; the prompt network last.
std::vector<ParameterSpec> parameter_specs(const ModelConfig& config);

// fp32 parameters and gradients, each one flat tensor; every leaf and its .grad are views into them, with
// zeros between them so that each is aligned. Reductions, clipping and the finiteness test work on the flat
// tensors. Passes in bf16 or fp16 read a copy of the parameters in that dtype, which is made again after each
// change and not at each use.
class Parameters {
 public:
  Parameters(std::vector<ParameterSpec> specs, at::Device device);

  const std::vector<ParameterSpec>& specs() const { return specs_; }
  const std::vector<at::Tensor>& leaves() const { return leaves_; }      // same order as specs()
  const std::vector<std::int64_t>& offsets() const { return offsets_; }  // of each leaf in the flat tensors
  // The leaf `name`. It must exist.
  const at::Tensor& leaf(const std::string& name) const { return leaves_[index_of(name)]; }
  at::Tensor flat() const { return flat_; }                    // (total)
  at::Tensor flat_grad() const { return flat_grad_; }          // (total)
  std::int64_t prompt_begin() const { return prompt_begin_; }  // offset where the prompt network starts
  std::int64_t count() const;                                  // of numbers that are learnt
  at::Device device() const { return flat_.device(); }

  // From now on there is a copy in `dtype` (fp32: none is needed) of all but the prompt network, which runs
  // in fp32. One dtype for the life of the parameters.
  void keep_copy(at::ScalarType dtype);
  // To be called after the parameters changed; load() does.
  void refresh_copy();
  // The leaf `name` in `dtype`: itself, or its part of the copy.
  at::Tensor values(const std::string& name, at::ScalarType dtype) const;

  // XXH3-128 of all values: equal on ranks that hold the same replica. Waits for the device.
  std::string hash() const;

  // (file name, view) of every tensor, for files and checksums; `of` is flat() or another tensor of that
  // layout.
  std::vector<std::pair<std::string, at::Tensor>> named_views(const at::Tensor& of) const;

  // Copies values in by file name. Throws InputError naming `origin` and the tensor for one that is missing,
  // has another shape, or holds a value that is not finite. Returns the names in `tensors` that were not
  // asked for. `optional` names may be missing (they keep their initial values).
  std::vector<std::string> load(const std::map<std::string, at::Tensor>& tensors, const std::string& origin,
                                const std::function<bool(const std::string&)>& optional = {});

 private:
  std::size_t index_of(const std::string& name) const;

  std::vector<ParameterSpec> specs_;
  std::vector<at::Tensor> leaves_;
  std::vector<std::int64_t> offsets_;
  std::map<std::string, std::size_t> index_;
  at::Tensor flat_, flat_grad_, copy_;
  std::int64_t prompt_begin_ = 0;
};

}  // namespace relmpi
