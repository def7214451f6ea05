#include "train/command_line.h"

#include "base/options.h"

namespace relmpi {
namespace {

// number(name, value, help) declares one of the group's options, with its default in --help.
auto number_adder(CLI::App& app, const char* group) {
  return [&app, group](const char* name, auto& value, const char* help) {
    app.add_option(name, value, help)->group(group)->capture_default_str();
  };
}

void add_shape_options(CLI::App& app, DataOptions& o) {
  const char* group = "Model (from nothing, or added to a plain BERT)";
  ModelConfig& c = o.shape;
  const auto number = number_adder(app, group);
  number("--layers", c.num_hidden_layers, "encoder layers");
  number("--hidden", c.hidden_size, "hidden size H");
  number("--heads", c.num_attention_heads, "attention heads");
  number("--intermediate", c.intermediate_size, "size of the feed-forward layer");
  number("--max-positions", c.max_position_embeddings, "position embeddings");
  number("--max-length", c.max_length, "longest input: 2n + 2P slots for n characters");
  number("--dropout", c.hidden_dropout_prob, "dropout of hidden states");
  number("--attention-dropout", c.attention_probs_dropout_prob, "dropout of attention");
  number("--head-dropout", c.head_dropout, "dropout in detector and candidate head");
  number("--initializer-range", c.initializer_range, "standard deviation of fresh weights");
  number("--prompt-length", c.prompt_length, "prompt vectors P before and after the source; 0 = none");
  number("--candidate-count", c.candidates, "candidates K of a character");
  number("--gate-bias", o.gate_bias, "where the gate starts: alpha = sigmoid(bias)");
  add_choice(app, "--positions", c.positions, kPositions,
             "position numbers of the target slots: their own, or those of the source")
      ->group(group);
  add_choice(app, "--layer-norm", c.layer_norm, kNormPlaces,
             "LayerNorm after each sub-layer (BERT) or before")
      ->group(group);
  add_choice(app, "--ablation", c.ablation, kAblations, "parts of the model")->group(group);
  add_choice(app, "--output", c.output, kOutputs, "gated mixture, or the candidates alone")->group(group);
  add_choice(app, "--candidates", c.candidate_source, kCandidateSources,
             "candidates of the source character, or of [MASK] as in the published program")
      ->group(group);
  add_choice(app, "--init-embeddings", o.init_embeddings, kInitEmbeddings,
             "at random, or by SVD of which characters stand side by side in --data")
      ->group(group);
}

}  // namespace

void add_data_options(CLI::App& app, DataOptions& o) {
  const char* group = "Data";
  app.add_option("--data", o.data, "training shards: a folder with manifest.json (relmpi-data shard)")
      ->group(group);
  app.add_option("--validation", o.validation, "validation shards; without them the last model is kept")
      ->group(group);
  app.add_option("--model", o.model, "folder to start from: Hugging Face BERT (safetensors) or relmpi's own")
      ->group(group);
  app.add_option("--vocab", o.vocab, "vocab.txt, to start from nothing in place of --model")->group(group);
  app.add_option("--confusion", o.confusion,
                 "confusion set the candidates are made from (relmpi-data confusion)")
      ->group(group);
  const auto number = number_adder(app, group);
  number("--mix-same", o.confusion_mix_same, "share of same-sound errors when candidates are ranked");
  number("--mix-similar", o.confusion_mix_similar, "share of similar-sound errors");
  number("--mix-shape", o.confusion_mix_shape, "share of similar-shape errors");
  number("--mix-frequent", o.confusion_mix_frequent, "share of frequent characters");
  number("--prefetch", o.prefetch, "steps the reader thread keeps ready");
  app.add_flag("--preload", o.preload, "keep all shards in memory")->group(group);
  add_shape_options(app, o);
}

std::set<std::string> data_paths() { return {"data", "validation", "model", "vocab", "confusion"}; }

void add_step_options(CLI::App& app, StepOptions& o) {
  const char* group = "Step";
  const auto number = number_adder(app, group);
  number("--precision", o.precision, "fp32, bf16 or fp16 (with loss scaling)");
  number("--global-batch", o.global_batch, "sentences of one step over all ranks");
  number("--micro-batch", o.micro_batch, "rows of one forward pass on one rank; 0 = the rank's whole part");
  number("--lr", o.lr, "peak learning rate");
  number("--beta1", o.beta1, "AdamW");
  number("--beta2", o.beta2, "AdamW");
  number("--adam-epsilon", o.epsilon, "AdamW");
  number("--weight-decay", o.weight_decay, "not on biases and LayerNorm");
  number("--clip", o.clip, "largest norm of all gradients; 0 = no clipping");
  add_choice(app, "--mft-mode", o.mft_mode, kMaskModes,
             "masked fine-tuning: which source characters may be masked; none while the candidates alone "
             "answer")
      ->group(group);
  number("--mft-rate", o.mft_rate, "share of these characters that is masked");
  number("--seed", o.seed, "of weights, order, dropout and masks");
  number("--bucket-bytes", o.bucket_bytes,
         "gradients that travel together; 0 = 4 MiB over MPI, 25 MiB over NCCL");
  app.add_flag("--cuda-graphs", o.cuda_graphs,
               "replay the encoder's passes as CUDA graphs, one pair for each number of rows and of slots "
               "(rounded up to 8): for small batches, whose kernels are launched more slowly than they run. "
               "Gradients then travel after the backward pass")
      ->group(group);
  app.add_flag(
         "--deterministic", o.deterministic,
         "on a GPU the same bits whenever the same training runs again or goes on: no operator that adds "
         "in any order. A CPU's results are the same bits without it")
      ->group(group);
  app.add_flag("--debug", o.debug,
               "deterministic algorithms, anomaly detection, finiteness and replica checks at every step, no "
               "prefetch thread, synchronous kernels")
      ->group(group);
}

void add_run_options(CLI::App& app, RunOptions& o) {
  const char* group = "Run";
  const auto number = number_adder(app, group);
  app.add_option("--out", o.out,
                 "the run's folder; the same command again goes on from its newest checkpoint")
      ->group(group);
  app.add_flag("--fresh", o.fresh, "start afresh; --out must be empty")->group(group);
  app.add_option("--allow-change", o.allow_change,
                 "names that may differ from the run in --out that goes on, such as steps,lr: the error that "
                 "refuses to go on lists them")
      ->delimiter(',')
      ->group(group);
  number("--steps", o.steps, "length of the run in steps");
  number("--epochs", o.epochs, "or in epochs");
  number("--warmup", o.warmup, "share of the steps in which the rate rises");
  add_choice(app, "--schedule", o.schedule, kSchedules, "learning rate after the warm-up")->group(group);
  number("--mixture-after", o.mixture_after,
         "steps with the candidates alone (and no masks) before the gated mixture; -1 = as --output");
  number("--max-skipped", o.max_skipped,
         "steps in a row with gradients that are not finite before the run ends");
  number("--evaluate-every", o.evaluate_every, "steps between evaluations; 0 = at the end");
  number("--evaluate-limit", o.evaluate_limit, "validation sentences; 0 = all");
  number("--checkpoint-every", o.checkpoint_every,
         "steps between checkpoints, besides those at evaluations; 0 = none");
  number("--keep-last", o.keep_last, "newest checkpoints that are kept");
  number("--keep-best", o.keep_best, "best checkpoints that are kept as well");
  number("--log-every", o.log_every, "steps between lines of metrics.jsonl");
  add_choice(app, "--metric", o.metric, kMetrics, "what the best model is chosen by")->group(group);
  number("--patience", o.patience, "evaluations without a better one before training ends; 0 = never");
  app.add_flag("--tune-thresholds", o.tune,
               "choose the decision thresholds on the validation set at each evaluation")
      ->group(group);
  number("--check-replicas", o.check_replicas,
         "steps between comparisons of the ranks' parameters; 0 = never");
}

void add_train_options(CLI::App& app, TrainOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document at the end: where the run stands");
  add_data_options(app, options.data);
  add_step_options(app, options.step);
  add_run_options(app, options.run);
  add_job_options(app, options.job);
  for (const char* name : {"--device", "--threads", "--collective-timeout"})
    app.get_option(name)->group("Ranks and devices");
}

}  // namespace relmpi
