// Runs one batch through the model, as training does it, and writes losses, outputs and gradients by name.

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/tool.h"
#include "model/dgca/predictor.h"
#include "model/dtype.h"
#include "model/safetensors.h"

namespace relmpi {
namespace {

using nlohmann::json;

struct Options {
  std::string model, batch, out, save, precision = "fp32";
  std::int64_t micro_batch = 0, chunk = 0;
};

struct HostBatch {
  std::vector<std::int32_t> source, target, lengths;
  std::vector<std::int64_t> sentences;
  std::vector<std::uint8_t> masked;
  Batch view;
};

// Rows [begin, end) of the JSON document.
HostBatch rows_of(const json& document, std::size_t begin, std::size_t end) {
  HostBatch out;
  std::size_t width = 0;
  for (std::size_t b = begin; b < end; ++b) width = std::max(width, document["source"][b].size());
  for (std::size_t b = begin; b < end; ++b) {
    const auto source = document["source"][b].get<std::vector<std::int32_t>>();
    const auto target = document["target"][b].get<std::vector<std::int32_t>>();
    out.lengths.push_back(static_cast<std::int32_t>(source.size()));
    out.sentences.push_back(static_cast<std::int64_t>(b));
    for (std::size_t i = 0; i < width; ++i) {
      out.source.push_back(i < source.size() ? source[i] : 0);
      out.target.push_back(i < target.size() ? target[i] : 0);
      if (i < source.size()) out.masked.push_back(document["masked"][b][i].get<int>() != 0);
    }
  }
  out.view.rows = static_cast<std::int64_t>(end - begin);
  out.view.width = static_cast<std::int64_t>(width);
  out.view.source = out.source.data();
  out.view.target = out.target.data();
  out.view.lengths = out.lengths.data();
  out.view.sentences = out.sentences.data();
  return out;
}

// (B, n, ...) of rows of different lengths, padded with 0.
at::Tensor padded(const std::vector<at::Tensor>& rows, std::int64_t width) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& row : rows) {
    auto shape = row.sizes().vec();
    shape[0] = width;
    at::Tensor wide = at::zeros(shape, row.options());
    wide.narrow(0, 0, row.size(0)).copy_(row);
    out.push_back(wide);
  }
  return at::stack(out);
}

int run(const Options& options, Invocation&) {
  const Model model = load_model(options.model, at::kCPU);
  if (!options.save.empty()) save_model(options.save, model);
  if (options.batch.empty()) return 0;
  const ModelConfig& config = model.config;
  const json document = json::parse(read_file(options.batch));
  const auto rows = document["source"].size();
  const auto micro = options.micro_batch > 0 ? static_cast<std::size_t>(options.micro_batch) : rows;
  const InputBuilder builder(config, *model.vocabulary, model.candidates);
  LossCounts counts;
  for (std::size_t begin = 0; begin < rows; begin += micro) {
    const HostBatch batch = rows_of(document, begin, std::min(rows, begin + micro));
    LossCounts part;
    builder.build(batch.view, batch.masked, at::kCPU, &part);
    counts += part;
  }
  at::Tensor prompt, leaf;
  if (config.prompt_length > 0) {
    prompt = prompt_vectors(*model.parameters);
    leaf = prompt.detach().requires_grad_(true);
  }
  model.parameters->keep_copy(dtype_of(options.precision));
  LossOptions loss;
  loss.vocabulary_chunk = options.chunk;
  at::Tensor sums = at::zeros({4});
  double total = 0;
  std::vector<at::Tensor> d, alpha, logits, p;
  std::int64_t width = 0;
  for (std::size_t begin = 0; begin < rows; begin += micro) {
    const HostBatch batch = rows_of(document, begin, std::min(rows, begin + micro));
    const Inputs inputs = builder.build(batch.view, batch.masked, at::kCPU);
    const Weights weights = make_weights(*model.parameters, config, dtype_of(options.precision));
    const Heads heads = forward(weights, config, inputs, leaf, model.candidate_table(), Mode::kEvaluate);
    const LossSums part = loss_sums(weights, config, inputs, heads, loss);
    const at::Tensor scalar = total_loss(part, counts, loss);
    scalar.backward();
    total += scalar.item<double>();
    sums += part.stacked();
    const at::NoGradGuard no_grad;
    at::Tensor z;
    const at::Tensor probability = distribution(weights, config, inputs, heads, Gating::kModel, &z);
    const at::Tensor none = at::zeros({z.size(0)});
    std::int64_t at_row = 0;
    for (const std::int64_t n : inputs.lengths) {
      const auto part_of = [&](const at::Tensor& t) {
        return (t.defined() ? t.detach() : none).narrow(0, at_row, n);
      };
      d.push_back(part_of(heads.detector_logits.defined() ? at::sigmoid(heads.detector_logits) : none));
      alpha.push_back(part_of(heads.alpha));
      logits.push_back(part_of(z));
      p.push_back(part_of(probability));
      at_row += n;
      width = std::max(width, n);
    }
  }
  if (prompt.defined()) prompt.backward(leaf.grad());
  const auto mean = [&](int term, std::int64_t count) {
    return (count > 0 ? sums[term] / static_cast<double>(count) : at::zeros({})).to(at::kDouble);
  };
  std::vector<std::pair<std::string, at::Tensor>> out{{"loss", at::full({}, total, at::kDouble)},
                                                      {"correction", mean(0, counts.positions)},
                                                      {"detection", mean(1, counts.characters)},
                                                      {"rank", mean(2, counts.ranked)},
                                                      {"aux", mean(3, counts.masked)},
                                                      {"d", padded(d, width)},
                                                      {"alpha", padded(alpha, width)},
                                                      {"target_logits", padded(logits, width)},
                                                      {"p", padded(p, width)}};
  for (const auto& [name, grad] : model.parameters->named_views(model.parameters->flat_grad()))
    out.emplace_back("grad." + name, grad);
  write_safetensors(options.out, out);
  return 0;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--model", options.model)->required();
  app.add_option("--batch", options.batch);
  app.add_option("--out", options.out);
  app.add_option("--save", options.save, "folder that exists: write the model as it was opened");
  app.add_option("--precision", options.precision);
  app.add_option("--micro-batch", options.micro_batch);
  app.add_option("--chunk", options.chunk, "rows of logits made at once");
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  using namespace relmpi;
  return Tool(Command<Options>{.name = "dump_gradients",
                               .help = "Runs one batch and writes losses, outputs and gradients.",
                               .options = &add_options,
                               .run = &run})
      .run(argc, argv);
}
