#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.h"
#include "dist/ranks/job.h"
#include "model/dgca/config.h"
#include "model/dgca/inputs.h"

namespace relmpi {

enum class Schedule { kLinear, kCosine, kConstant };
inline constexpr Names<Schedule, 3> kSchedules{
    {{Schedule::kLinear, "linear"}, {Schedule::kCosine, "cosine"}, {Schedule::kConstant, "constant"}}};

// Word embeddings to start from: random, or from which characters stand side by side in the data.
enum class InitEmbeddings { kRandom, kSvd };
inline constexpr Names<InitEmbeddings, 2> kInitEmbeddings{
    {{InitEmbeddings::kRandom, "random"}, {InitEmbeddings::kSvd, "svd"}}};

// What the best model is chosen by.
enum class Metric { kF1, kF2, kPrecision, kRecall };
inline constexpr Names<Metric, 4> kMetrics{{{Metric::kF1, "f1"},
                                            {Metric::kF2, "f2"},
                                            {Metric::kPrecision, "precision"},
                                            {Metric::kRecall, "recall"}}};

// What a training run is told, by what asks for it. Defaults are DESIGN's; each `validate` throws InputError
// naming the option, its value and what it may be.

// What is learnt, and the model to start from.
struct DataOptions {
  std::string data, validation;  // folders with a manifest.json
  std::string model;             // a BERT or relmpi folder to start from; empty = from nothing
  std::string vocab;             // with an empty `model`
  std::string confusion;         // confusion set the candidates are made from
  double confusion_mix_same = 0.4, confusion_mix_similar = 0.3, confusion_mix_shape = 0.2,
         confusion_mix_frequent = 0.1;
  int prefetch = 4;
  bool preload = false;

  // used if the model starts from nothing or is a plain BERT
  ModelConfig shape;
  InitEmbeddings init_embeddings = InitEmbeddings::kRandom;
  double gate_bias = 0.0;

  void validate() const;
};

// From a batch to changed weights.
struct StepOptions {
  std::string precision = "fp32";
  std::int64_t global_batch = 64;
  std::int64_t micro_batch = 0;
  double lr = 5e-5;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.01;
  double clip = 1.0;
  MaskMode mft_mode = MaskMode::kCorrect;
  double mft_rate = 0.2;
  std::uint64_t seed = 1;  // of weights, order, dropout and masks
  bool cuda_graphs = false;
  std::int64_t bucket_bytes = 0;
  bool deterministic = false;
  bool debug = false;

  void validate() const;
};

// A whole run: its length, the rate along it, evaluations, checkpoints, log.
struct RunOptions {
  std::string out;  // the run's folder
  bool fresh = false;
  std::vector<std::string> allow_change;  // what may differ from the run that goes on
  std::int64_t steps = 0;
  double epochs = 0;
  double warmup = 0.1;
  Schedule schedule = Schedule::kLinear;
  std::int64_t mixture_after =
      -1;                         // steps with the candidates alone before the mixture; -1 = as --output says
  std::int64_t max_skipped = 50;  // steps in a row whose gradients are not finite
  std::int64_t evaluate_every = 0;  // 0 = at the end
  std::int64_t evaluate_limit = 0;
  std::int64_t checkpoint_every = 1000;      // besides those at evaluations and at the end; 0 = none
  std::size_t keep_last = 2, keep_best = 3;  // checkpoints
  std::int64_t log_every = 10;
  Metric metric = Metric::kF1;
  std::int64_t patience = 0;  // evaluations without a better metric; 0 = never stop early
  bool tune = false;
  std::int64_t check_replicas = 1000;  // 0 = never

  void validate() const;
};

struct TrainOptions {
  DataOptions data;
  StepOptions step;
  RunOptions run;
  JobOptions job;
  bool json = false;

  void validate() const;  // of all parts, and what they demand of each other
};

}  // namespace relmpi
