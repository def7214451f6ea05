#include "train/run_setup.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/hash.h"
#include "base/torch_headers.h"
#include "data/spelling/candidates.h"
#include "data/spelling/confusion.h"
#include "model/dgca/initialise.h"

namespace relmpi {
namespace {

// The choices of --output, --positions, ... apply to a plain BERT as to a new model; a relmpi folder keeps
// its own.
void adopt_choices(ModelConfig& config, const ModelConfig& chosen) {
  config.prompt_length = chosen.prompt_length;
  config.candidates = chosen.candidates;
  config.max_length = std::min(chosen.max_length, config.max_position_embeddings);
  config.head_dropout = chosen.head_dropout;
  config.positions = chosen.positions;
  config.ablation = chosen.ablation;
  config.output = chosen.output;
  config.candidate_source = chosen.candidate_source;
  config.thresholds = chosen.thresholds;
}

Model open_model(const DataOptions& options, std::uint64_t seed, at::Device device) {
  return load_model(options.model, device, /*allow_plain_bert=*/true, seed, [&](ModelConfig& config) {
    const nlohmann::json saved = to_json(config)["dgca"], plain = to_json(ModelConfig{})["dgca"];
    if (saved == plain) adopt_choices(config, options.shape);
  });
}

Model new_model(const DataOptions& options, std::uint64_t seed, const Dataset& data,
                std::shared_ptr<const Vocabulary> vocabulary, at::Device device) {
  Model model;
  model.config = options.shape;
  model.vocabulary = std::move(vocabulary);
  model.config.vocab_size = model.vocabulary->size();
  model.config.validate();
  model.parameters = std::make_shared<Parameters>(parameter_specs(model.config), device);
  initialise(*model.parameters, model.config, {.seed = seed, .gate_bias = options.gate_bias});
  if (options.init_embeddings == InitEmbeddings::kSvd) {
    const at::NoGradGuard no_grad;
    at::Tensor embeddings = model.parameters->leaf("bert.embeddings.word_embeddings.weight").detach();
    at::Tensor host = embeddings.to(at::kCPU);
    svd_embeddings(host, data, InitOptions{}.embedding_std, seed);
    embeddings.copy_(host);
  }
  return model;
}

void add_candidates(Model& model, const DataOptions& options, const Dataset& data) {
  if (!model.config.has_candidates()) return;
  if (options.confusion.empty()) {
    if (model.candidates.width > 0) return;
    throw InputError(
        "--confusion is not given: the candidate head needs a confusion set (relmpi-data confusion); "
        "without one use --ablation detector-only or baseline");
  }
  const ErrorMix mix{options.confusion_mix_same, options.confusion_mix_similar, options.confusion_mix_shape,
                     options.confusion_mix_frequent};
  auto counts = data.target_counts();
  model.candidates = build_candidates(*model.vocabulary, ConfusionSet::load(options.confusion), counts,
                                      static_cast<std::int32_t>(model.config.candidates), mix);
  // A model may have more embeddings than its vocabulary has tokens: the rest have no candidates.
  model.candidates.ids.resize(static_cast<std::size_t>(model.config.vocab_size * model.config.candidates),
                              -1);
  model.candidates.vocabulary_size = static_cast<std::int32_t>(model.config.vocab_size);
}

// Said before the first step, not by the batch that happens to hold the sentence.
void demand_fitting(const std::string& folder, const Dataset& data, const ModelConfig& config) {
  const auto& lengths = data.lengths();
  const auto too_long = std::count_if(lengths.begin(), lengths.end(),
                                      [&](std::int64_t length) { return length > config.max_characters(); });
  if (too_long > 0)
    throw InputError(
        "{}: {} sentences have more than {} characters, which is what the model takes (max_length {} = 2n + "
        "{}); raise --max-length or shard with --max-length {}",
        folder, too_long, config.max_characters(), config.max_length, 2 * config.border(),
        config.max_characters());
}

}  // namespace

Setup prepare(const DataOptions& options, const StepOptions& step, const Communicator& communicator,
              at::Device device) {
  Setup setup;
  std::shared_ptr<const Vocabulary> vocabulary;
  if (!options.model.empty()) {
    setup.model = open_model(options, step.seed, device);
    vocabulary = setup.model.vocabulary;
  } else {
    vocabulary = std::make_shared<Vocabulary>(Vocabulary::load(options.vocab));
  }
  setup.data = std::make_shared<Dataset>(options.data, *vocabulary);
  if (!options.validation.empty())
    setup.validation = std::make_shared<Dataset>(options.validation, *vocabulary);
  if (setup.data->sentences() < communicator.size())
    throw InputError("{} has {} sentences for {} ranks: start at most {} ranks", options.data,
                     setup.data->sentences(), communicator.size(), setup.data->sentences());
  if (step.global_batch < communicator.size())
    throw InputError("--global-batch is {} for {} ranks: it must be at least the number of ranks",
                     step.global_batch, communicator.size());
  if (options.model.empty()) setup.model = new_model(options, step.seed, *setup.data, vocabulary, device);
  demand_fitting(options.data, *setup.data, setup.model.config);
  add_candidates(setup.model, options, *setup.data);
  return setup;
}

LoaderOptions loader_options(const DataOptions& data, const StepOptions& step,
                             const Communicator& communicator) {
  return {.seed = step.seed,
          .global_batch = step.global_batch,
          .micro_batch = step.micro_batch,
          .rank = communicator.rank(),
          .size = communicator.size(),
          .prefetch = step.debug ? 0 : data.prefetch,
          .preload = data.preload};
}

}  // namespace relmpi
