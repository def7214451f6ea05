#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relmpi {

// Which part of a model goes where. The maps equal those of Hugging Face Accelerate 1.15
// (accelerate.utils.get_balanced_memory and infer_auto_device_map, without fallback allocation). Only names
// and sizes matter here: no libtorch, no GPU.

// A GPU by its number, the host's memory, or files. The order is that in which places are filled.
struct Place {
  int number = 0;

  static Place gpu(int index) { return {index}; }
  static Place cpu() { return {std::numeric_limits<int>::max() - 1}; }
  static Place disk() { return {std::numeric_limits<int>::max()}; }
  bool is_gpu() const { return number < cpu().number; }
  // clang-tidy 14 takes the 0 in what the compiler writes for a pointer.
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr)
};

std::string to_string(Place place);    // "0", "cpu", "disk"
std::string device_name(Place place);  // "cuda:0", "cpu", "disk"

enum class TensorKind {
  kParameter,
  kBuffer,
  kTransientBuffer  // computed, never in a file of weights
};

struct TreeTensor {
  std::string name;
  std::int64_t bytes = 0;  // as loaded
  TensorKind kind = TensorKind::kParameter;
};

// A module as torch.nn.Module has it: its own tensors and its children, both in order of registration.
struct Module {
  std::string name;         // without those of its parents; "" at the root
  std::string layer_class;  // such as LlamaDecoderLayer
  std::vector<TreeTensor> tensors;
  std::vector<Module> children;
};

struct ModelTree {
  Module root;
  // Full names of parameters that are one tensor. It is counted once, under the name that comes first.
  std::vector<std::vector<std::string>> tied;
  std::vector<std::string> no_split;  // classes whose modules stay in one place
};

// Bytes that weights may take. A place that is not named takes none, except the disk: it takes all the rest,
// whatever limit it has here.
using MemoryLimits = std::map<Place, std::int64_t>;

enum class Strategy {
  kBalanced,         // even shares; what "auto" is too
  kBalancedLowZero,  // even shares on all GPUs but the first, which takes what is left over
  kSequential        // fill one GPU, then the next
};

// Prefixes of names and where they go, in the order of the modules. The prefix "" is the whole model.
struct DeviceMap {
  std::vector<std::pair<std::string, Place>> entries;

  // Where a module or a tensor is: the longest prefix of whole components counts; null if none fits (a
  // module that lies in several places).
  const Place* find(std::string_view name) const;
};

// Larger trees are refused: up to here Accelerate's own arithmetic, which is partly in floating point, is
// exact.
constexpr std::int64_t kMostModelBytes = std::int64_t{1} << 50;

// Bytes of the whole model, tied tensors once. Throws InputError above kMostModelBytes, as all functions here
// do.
std::int64_t model_bytes(const ModelTree& tree);

// The limits that infer_device_map takes for the strategy: all GPUs but the last are lowered to an even share
// plus 1.25 times the larger of one unsplittable layer and the mean of the modules without children. Throws
// InputError if balanced_low_0 meets GPUs that are not numbered from 0 without gaps.
MemoryLimits balanced_limits(const ModelTree& tree, const MemoryLimits& limits, Strategy strategy);

// Fills the GPUs by number, then the host, then the disk; room for the largest layer that is still to come is
// kept on the first GPU and on the host. Prefixes whose parts share a place are merged. Tensors of a module's
// own which is split are placed one by one if they are parameters; its buffers get no entry. Throws
// InputError for a tree whose tied tensors these rules cannot place.
DeviceMap infer_device_map(const ModelTree& tree, const MemoryLimits& limits);

// The entries in the order of the modules; those that name nothing of the tree come last.
DeviceMap in_module_order(const ModelTree& tree, const DeviceMap& map);

// Every module and tensor named is there, and every tensor that a file of weights holds is covered; `source`
// says in the InputError where the map is from.
void check_device_map(const ModelTree& tree, const DeviceMap& map, const std::string& source);

// The first module of a class that stays in one place which the map splits nevertheless; "" if there is
// none. Only a map written by hand has one.
std::string split_layer(const ModelTree& tree, const DeviceMap& map);

// Bytes in each place; a tied tensor is counted in each place that it is in. Places of the map that hold
// nothing are there with 0.
std::map<Place, std::int64_t> bytes_by_place(const ModelTree& tree, const DeviceMap& map);

// The full names of all tensors in order, with the tensor. A name of no tensor of the tree is nowhere in it.
std::vector<std::pair<std::string, const TreeTensor*>> tensors_of(const ModelTree& tree);

}  // namespace relmpi
