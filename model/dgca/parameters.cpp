#include "model/dgca/parameters.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "base/error.h"
#include "base/hash.h"

namespace relmpi {
namespace {

using Shape = std::vector<std::int64_t>;

// Elements: leaves begin where a GPU reads whole lines, whatever the sizes of those before them.
constexpr std::int64_t kAlignment = 64;

std::int64_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

class SpecList {
 public:
  void add(const std::string& name, Shape shape, bool decay, std::vector<std::string> parts = {}) {
    specs.push_back({name, std::move(shape), decay, std::move(parts), prompt});
  }
  void linear(const std::string& name, std::int64_t out, std::int64_t in) {
    add(name + ".weight", {out, in}, true);
    add(name + ".bias", {out}, false);
  }
  void norm(const std::string& name, std::int64_t size) {
    add(name + ".weight", {size}, false);
    add(name + ".bias", {size}, false);
  }

  std::vector<ParameterSpec> specs;
  bool prompt = false;
};

void add_layer(SpecList& list, const ModelConfig& c, std::int64_t layer) {
  const std::string name = "bert.encoder.layer." + std::to_string(layer) + ".";
  const std::string self = name + "attention.self.";
  const std::int64_t h = c.hidden_size;
  const auto parts = [&](const char* what) {
    return std::vector<std::string>{self + "query." + what, self + "key." + what, self + "value." + what};
  };
  list.add(self + "qkv.weight", {3 * h, h}, true, parts("weight"));
  list.add(self + "qkv.bias", {3 * h}, false, parts("bias"));
  list.linear(name + "attention.output.dense", h, h);
  list.norm(name + "attention.output.LayerNorm", h);
  list.linear(name + "intermediate.dense", c.intermediate_size, h);
  list.linear(name + "output.dense", h, c.intermediate_size);
  list.norm(name + "output.LayerNorm", h);
}

void add_prompt(SpecList& list, const ModelConfig& c) {
  const std::int64_t h = c.hidden_size;
  list.prompt = true;
  list.add("dgca.prompt.embeddings.weight", {2 * c.prompt_length, h}, true);
  for (const char* layer : {"l0", "l0_reverse", "l1", "l1_reverse"}) {
    const std::int64_t in = layer[1] == '0' ? h : 2 * h;
    list.add(std::string("dgca.prompt.lstm.weight_ih_") + layer, {4 * h, in}, true);
    list.add(std::string("dgca.prompt.lstm.weight_hh_") + layer, {4 * h, h}, true);
    list.add(std::string("dgca.prompt.lstm.bias_ih_") + layer, {4 * h}, false);
    list.add(std::string("dgca.prompt.lstm.bias_hh_") + layer, {4 * h}, false);
  }
  list.linear("dgca.prompt.mlp.0", h, 2 * h);
  list.linear("dgca.prompt.mlp.2", h, h);
}

}  // namespace

std::vector<ParameterSpec> parameter_specs(const ModelConfig& c) {
  const std::int64_t h = c.hidden_size;
  SpecList list;
  list.add("bert.embeddings.word_embeddings.weight", {c.vocab_size, h}, true);
  list.add("bert.embeddings.position_embeddings.weight", {c.max_position_embeddings, h}, true);
  list.add("bert.embeddings.token_type_embeddings.weight", {c.type_vocab_size, h}, true);
  list.norm("bert.embeddings.LayerNorm", h);
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) add_layer(list, c, layer);
  if (c.layer_norm == NormPlace::kPre) list.norm("dgca.final_norm", h);
  if (c.has_detector()) {
    list.linear("dgca.detector.dense", h, h);
    list.linear("dgca.detector.classifier", 1, h);
  }
  if (c.has_candidates()) {
    list.linear("dgca.candidate.dense", h, h);
    list.linear("dgca.gate", 1, h + 1);
  }
  list.linear("cls.predictions.transform.dense", h, h);
  list.norm("cls.predictions.transform.LayerNorm", h);
  list.add("cls.predictions.bias", {c.vocab_size}, false);
  if (c.prompt_length > 0) add_prompt(list, c);
  return list.specs;
}

Parameters::Parameters(std::vector<ParameterSpec> specs, at::Device device) : specs_(std::move(specs)) {
  std::int64_t total = 0;
  prompt_begin_ = -1;
  for (const ParameterSpec& spec : specs_) {
    if (spec.prompt && prompt_begin_ < 0) prompt_begin_ = total;
    offsets_.push_back(total);
    total += (elements(spec.shape) + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (prompt_begin_ < 0) prompt_begin_ = total;
  flat_ = at::zeros({total}, at::TensorOptions(at::kFloat).device(device));
  flat_grad_ = at::zeros_like(flat_);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const std::int64_t size = elements(specs_[i].shape);
    at::Tensor leaf = flat_.narrow(0, offsets_[i], size).view(specs_[i].shape).detach();
    leaf.requires_grad_(true);
    leaf.mutable_grad() = flat_grad_.narrow(0, offsets_[i], size).view(specs_[i].shape);
    leaves_.push_back(leaf);
    index_[specs_[i].name] = i;
  }
}

std::size_t Parameters::index_of(const std::string& name) const {
  const auto found = index_.find(name);
  RELMPI_CHECK(found != index_.end(), "no parameter named {}", name);
  return found->second;
}

std::int64_t Parameters::count() const {
  return std::accumulate(leaves_.begin(), leaves_.end(), std::int64_t{0},
                         [](std::int64_t sum, const at::Tensor& leaf) { return sum + leaf.numel(); });
}

void Parameters::keep_copy(at::ScalarType dtype) {
  if (dtype == at::kFloat || (copy_.defined() && copy_.scalar_type() == dtype)) return;
  RELMPI_CHECK(!copy_.defined(), "the parameters have a copy in another precision");
  copy_ = at::empty({prompt_begin_}, flat_.options().dtype(dtype));
  refresh_copy();
}

void Parameters::refresh_copy() {
  if (copy_.defined()) copy_.copy_(flat_.narrow(0, 0, prompt_begin_));
}

at::Tensor Parameters::values(const std::string& name, at::ScalarType dtype) const {
  const std::size_t i = index_of(name);
  if (dtype == at::kFloat) return leaves_[i].detach();
  RELMPI_CHECK(copy_.defined() && copy_.scalar_type() == dtype, "no copy of {} in this precision", name);
  return copy_.narrow(0, offsets_[i], leaves_[i].numel()).view(leaves_[i].sizes());
}

std::vector<std::pair<std::string, at::Tensor>> Parameters::named_views(const at::Tensor& of) const {
  std::vector<std::pair<std::string, at::Tensor>> views;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const ParameterSpec& spec = specs_[i];
    const at::Tensor view = of.detach().narrow(0, offsets_[i], elements(spec.shape)).view(spec.shape);
    if (spec.parts.empty()) {
      views.emplace_back(spec.name, view);
      continue;
    }
    const std::int64_t rows = spec.shape[0] / static_cast<std::int64_t>(spec.parts.size());
    for (std::size_t p = 0; p < spec.parts.size(); ++p)
      views.emplace_back(spec.parts[p], view.narrow(0, static_cast<std::int64_t>(p) * rows, rows));
  }
  return views;
}

std::vector<std::string> Parameters::load(const std::map<std::string, at::Tensor>& tensors,
                                          const std::string& origin,
                                          const std::function<bool(const std::string&)>& optional) {
  std::map<std::string, at::Tensor> rest = tensors;
  for (auto& [name, view] : named_views(flat_)) {
    const auto found = rest.find(name);
    if (found == rest.end()) {
      if (optional && optional(name)) continue;
      throw InputError("{} lacks the tensor {} {}: is it a model of another kind or shape?", origin, name,
                       fmt::format("[{}]", fmt::join(view.sizes(), ", ")));
    }
    if (found->second.sizes() != view.sizes())
      throw InputError("{}: tensor {} has the shape [{}], but config.json asks for [{}]", origin, name,
                       fmt::join(found->second.sizes(), ", "), fmt::join(view.sizes(), ", "));
    const at::Tensor value = found->second.to(at::kFloat);
    if (!value.isfinite().all().item<bool>())
      throw InputError("{}: tensor {} holds NaN or infinity: the file is damaged, or its training diverged",
                       origin, name);
    view.copy_(value);
    rest.erase(found);
  }
  refresh_copy();
  std::vector<std::string> unused;
  for (const auto& [name, tensor] : rest) unused.push_back(name);
  return unused;
}

std::string Parameters::hash() const {
  const at::Tensor host = flat_.detach().to(at::kCPU);
  return xxh3_128({static_cast<const char*>(host.const_data_ptr()), host.nbytes()});
}

}  // namespace relmpi
