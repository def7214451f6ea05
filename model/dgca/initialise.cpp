#include "model/dgca/initialise.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace relmpi {
namespace {

constexpr std::int64_t kMaxDenseVocabulary = 16384;
constexpr std::int64_t kReadAtOnce = 8192;  // sentences

bool ends_with(const std::string& name, const char* tail) { return name.ends_with(tail); }

at::Generator generator_for(std::uint64_t seed, const std::string& name) {
  return at::detail::createCPUGenerator(Random(seed, name).next());
}

// counts[left, right] over the targets of the data set, (V, V).
at::Tensor pair_counts(const Dataset& dataset, std::int64_t v) {
  at::Tensor counts = at::zeros({v, v}, at::kFloat);
  float* table = counts.data_ptr<float>();
  for (std::int64_t begin = 0; begin < dataset.sentences(); begin += kReadAtOnce) {
    const Sentences part = dataset.read(begin, std::min(begin + kReadAtOnce, dataset.sentences()));
    for (std::size_t s = 0; s + 1 < part.offsets.size(); ++s) {
      for (std::uint64_t i = part.offsets[s]; i < part.offsets[s + 1]; ++i) {
        float* row = table + static_cast<std::int64_t>(part.target[i]) * v;
        if (i + 1 < part.offsets[s + 1]) row[part.target[i + 1]] += 1.0F;
        if (i + 2 < part.offsets[s + 1]) row[part.target[i + 2]] += 0.5F;
      }
    }
  }
  return counts;
}

// max(0, log(n_lr * N' / (n_l * n_r^0.75))), with N' = sum of n_r^0.75.
at::Tensor positive_pmi(const at::Tensor& counts) {
  const at::Tensor left = counts.sum(1, true), right = counts.sum(0, true).pow(0.75);
  return (counts * right.sum() / (left * right)).log().nan_to_num(0, 0, 0).clamp_min(0);
}

// The leading singular triplets by subspace iteration (Halko, Martinsson, Tropp 2011).
std::tuple<at::Tensor, at::Tensor, at::Tensor> truncated_svd(const at::Tensor& m, std::int64_t rank,
                                                             std::uint64_t seed) {
  const std::int64_t columns = std::min(m.size(1), rank + 32);
  at::Tensor basis = at::randn({m.size(1), columns}, generator_for(seed, "svd"), m.options());
  for (int i = 0; i < 6; ++i) {
    basis = std::get<0>(at::linalg_qr(m.matmul(basis)));
    if (i < 5) basis = std::get<0>(at::linalg_qr(m.t().matmul(basis)));
  }
  const auto [u, s, vh] = at::linalg_svd(basis.t().matmul(m), /*full_matrices=*/false);
  return {basis.matmul(u).narrow(1, 0, rank), s.narrow(0, 0, rank), vh.t().narrow(1, 0, rank)};
}

}  // namespace

void initialise(Parameters& parameters, const ModelConfig& config, const InitOptions& options) {
  const double lstm_bound = 1.0 / std::sqrt(static_cast<double>(config.hidden_size));
  for (auto& [name, view] : parameters.named_views(parameters.flat())) {
    at::Tensor host = at::zeros(view.sizes(), at::kFloat);
    at::Generator generator = generator_for(options.seed, name);
    if (name.find(".lstm.") != std::string::npos)
      host.uniform_(-lstm_bound, lstm_bound, generator);
    else if (name.find("orm.weight") != std::string::npos)
      host.fill_(1.0);
    else if (name == "dgca.gate.bias")
      host.fill_(options.gate_bias);
    else if (!ends_with(name, "bias"))
      host.normal_(0.0, config.initializer_range, generator);
    view.copy_(host);
  }
}

void svd_embeddings(at::Tensor embeddings, const Dataset& dataset, double std, std::uint64_t seed) {
  const std::int64_t v = embeddings.size(0), h = embeddings.size(1);
  if (v > kMaxDenseVocabulary)
    throw InputError(
        "embeddings by SVD are made for at most {} tokens, the vocabulary has {}; start from random "
        "embeddings (--init-embeddings random) or from a trained model (--model)",
        kMaxDenseVocabulary, v);
  const at::NoGradGuard no_grad;
  const at::Tensor counts = pair_counts(dataset, v);
  const at::Tensor seen = (counts.sum(0) + counts.sum(1)).gt(0);
  const std::int64_t rank = std::min(h / 2, v);
  const auto [u, s, w] = truncated_svd(positive_pmi(counts), rank, seed);
  const at::Tensor root = s.sqrt();
  at::Tensor e = at::zeros({v, h}, at::kFloat);
  e.narrow(1, 0, rank).copy_(u * root);
  e.narrow(1, rank, rank).copy_(w * root);
  e.mul_(std / e.index({seen}).std().item<double>());
  embeddings.copy_(at::where(seen.unsqueeze(1), e, embeddings.to(at::kCPU)));
}

}  // namespace relmpi
