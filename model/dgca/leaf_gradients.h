#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace relmpi {

// Gradients of one backward pass on their way to the leaves' own .grad. On a GPU several are added by one
// kernel, so that they wait for each other, few enough for a bucket of gradients to leave early; on a CPU
// none waits.
class LeafGradients : public std::enable_shared_from_this<LeafGradients> {
 public:
  explicit LeafGradients(at::Device device);
  ~LeafGradients();

  // From within a backward pass: adds `grad` (of any dtype; undefined: nothing) to leaf.grad(), in place, and
  // calls the leaf's post-accumulate hook, at the latest when the pass ends.
  void add(const at::Tensor& leaf, const at::Tensor& grad);
  // Adds to a leaf's .grad what its add() does not bring.
  void add_to(const at::Tensor& sum, const at::Tensor& grad);

 private:
  void flush();

  struct Waiting;
  std::unique_ptr<Waiting> waiting_;
};

// `values` (the leaf's own, or its copy in another dtype) as part of the graph, whose gradient goes to
// `gradients`. leaf.grad() must be there. To be used once a pass.
at::Tensor use_leaf(const at::Tensor& leaf, const at::Tensor& values,
                    const std::shared_ptr<LeafGradients>& gradients);

}  // namespace relmpi
