#include "train/diagnose/diagnose.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>

#include "base/torch_headers.h"
#include "dist/devices/energy.h"
#include "dist/devices/gpus.h"
#include "dist/devices/peak_memory.h"
#include "eval/decisions/statistics.h"
#include "model/dgca/flops.h"
#include "model/dtype.h"
#include "train/diagnose/encoder_step.h"
#include "train/diagnose/trace.h"
#include "train/step.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double cpu_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

void wait_for(at::Device device) {
#if RELMPI_CUDA
  if (device.is_cuda()) c10::cuda::device_synchronize();
#endif
  (void)device;
}

// What the stages have in common: the same first steps of the data, timed one by one.
class Bench {
 public:
  Bench(const DataOptions& data, const StepOptions& step, const DiagnoseOptions& options, const Setup& setup,
        Communicator& communicator, at::Device device)
      : data_(data),
        step_(step),
        options_(options),
        setup_(setup),
        model_(setup.model),
        communicator_(communicator),
        device_(device),
        builder_(model_.config, *model_.vocabulary, model_.candidates),
        energy_(device) {}

  StageResult run(const std::string& name) {
    if (name == "encoder-inference") return encoder_inference();
    if (name == "encoder-training-fp32") return encoder_training(name, "fp32");
    if (name == "encoder-training") return encoder_training(name, step_.precision);
    if (name == "loader") return loader_alone();
    if (name == "loader-and-encoder") return loader_and_encoder();
    return dgca_step();
  }

  // Two steps of rank 0 as a timeline; the other ranks step along.
  void trace(const std::string& file) {
    Loader loader = make_loader();
    TrainStep step(model_, communicator_, step_);
    step.run(loader.next(), 0, 0.0, false);
    const auto work = [&] {
      for (std::int64_t i = 1; i <= 2; ++i) step.run(loader.next(), i, 0.0, false);
    };
    if (communicator_.rank() == 0)
      write_trace(file, device_, work);
    else
      work();
  }

 private:
  using Prepared = std::vector<std::vector<Inputs>>;  // by step, by micro-batch

  Loader make_loader() const { return {setup_.data, loader_options(data_, step_, communicator_)}; }

  std::vector<Inputs> build(const StepBatches& batches) const {
    std::vector<Inputs> inputs;
    for (const Batch& batch : batches.micro_batches)
      inputs.push_back(builder_.build(batch, batches.epoch, MaskOptions{}, device_));
    return inputs;
  }

  Prepared prepare() const {
    Loader loader = make_loader();
    Prepared all;
    for (std::int64_t i = 0; i < options_.warmup + options_.steps; ++i) all.push_back(build(loader.next()));
    return all;
  }

  // Counts of one step's work into `stage`. `factor`: 1 for inference, 3 for training.
  void count_rows(const std::vector<std::int64_t>& lengths, double factor, StageResult& stage) const {
    stage.sentences += static_cast<std::int64_t>(lengths.size());
    for (const std::int64_t n : lengths) stage.tokens += 2 * (n + model_.config.border());
    stage.flops += factor * encoder_flops(model_.config, lengths);
  }

  void count(const std::vector<Inputs>& inputs, double factor, StageResult& stage) const {
    for (const Inputs& one : inputs) count_rows(one.lengths, factor, stage);
  }

  // Times `step(i)` for every step after the warm-up; `waited` gives seconds waited so far: data, ranks.
  template <typename Step, typename Waited>
  void measure(StageResult& stage, const Step& step, const Waited& waited) {
    for (std::int64_t i = 0; i < options_.warmup; ++i) step(i);
    wait_for(device_);
    communicator_.barrier();
    PeakMemory memory(device_);
    const auto joules = energy_.joules();
    const auto [data_before, comm_before] = waited();
    const double cpu_before = cpu_milliseconds();
    for (std::int64_t i = 0; i < options_.steps; ++i) {
      const auto begin = Clock::now();
      step(options_.warmup + i);
      wait_for(device_);
      stage.ms.push_back(milliseconds(begin));
    }
    stage.cpu_ms = cpu_milliseconds() - cpu_before;
    const auto [data_after, comm_after] = waited();
    stage.data_wait_ms = 1000 * (data_after - data_before);
    stage.comm_wait_ms = 1000 * (comm_after - comm_before);
    stage.peak_memory = memory.bytes();
    stage.max_memory_allocated = memory.all_bytes();
    if (joules) stage.joules = energy_.joules().value_or(*joules) - *joules;
  }

  static std::pair<double, double> nothing_waited() { return {0.0, 0.0}; }

  StageResult encoder_inference() {
    StageResult stage{.name = "encoder-inference", .precision = step_.precision};
    const Prepared inputs = prepare();
    const at::NoGradGuard no_grad;
    const at::ScalarType dtype = dtype_of(step_.precision);
    model_.parameters->keep_copy(dtype);
    const Weights weights = make_weights(*model_.parameters, model_.config, dtype);
    const at::Tensor prompt = fixed_prompt(model_);
    measure(
        stage,
        [&](std::int64_t i) {
          for (const Inputs& in : inputs[static_cast<std::size_t>(i)])
            encode(weights, model_.config, in, prompt, Mode::kEvaluate);
        },
        nothing_waited);
    for (std::size_t i = static_cast<std::size_t>(options_.warmup); i < inputs.size(); ++i)
      count(inputs[i], 1, stage);
    return stage;
  }

  StageResult encoder_training(const std::string& name, const std::string& precision) {
    StageResult stage{.name = name, .precision = precision};
    StepOptions options = step_;
    options.precision = precision;
    EncoderStep step(model_, communicator_, options);
    const Prepared inputs = prepare();
    measure(
        stage, [&](std::int64_t i) { step.run(inputs[static_cast<std::size_t>(i)]); },
        [&] { return std::pair(0.0, step.seconds_waited()); });
    for (std::size_t i = static_cast<std::size_t>(options_.warmup); i < inputs.size(); ++i)
      count(inputs[i], 3, stage);
    return stage;
  }

  StageResult loader_alone() {
    StageResult stage{.name = "loader", .precision = step_.precision};
    Loader loader = make_loader();
    measure(
        stage,
        [&](std::int64_t i) {
          for (const Batch& batch : loader.next().micro_batches)
            if (i >= options_.warmup) count_rows({batch.lengths, batch.lengths + batch.rows}, 0, stage);
        },
        nothing_waited);
    return stage;
  }

  StageResult loader_and_encoder() {
    StageResult stage{.name = "loader-and-encoder", .precision = step_.precision};
    EncoderStep step(model_, communicator_, step_);
    Loader loader = make_loader();
    measure(
        stage,
        [&](std::int64_t i) {
          const std::vector<Inputs> inputs = build(loader.next());
          step.run(inputs);
          if (i >= options_.warmup) count(inputs, 3, stage);
        },
        [&] { return std::pair(loader.seconds_waited(), step.seconds_waited()); });
    return stage;
  }

  StageResult dgca_step() {
    StageResult stage{.name = "dgca-step", .precision = step_.precision};
    TrainStep step(model_, communicator_, step_);
    Loader loader = make_loader();
    std::int64_t bytes_before = 0;
    measure(
        stage,
        [&](std::int64_t i) {
          if (i == options_.warmup) bytes_before = step.bytes_reduced();
          const StepBatches batches = loader.next();
          const StepResult result = step.run(batches, i, step_.lr, false);
          if (i < options_.warmup) return;
          for (const Batch& batch : batches.micro_batches)
            count_rows({batch.lengths, batch.lengths + batch.rows}, 3, stage);
          // The heads of the global batch, in equal parts.
          stage.flops += head_training_flops(model_.config, result.counts.characters, result.counts.masked) /
                         communicator_.size();
        },
        [&] { return std::pair(loader.seconds_waited(), step.seconds_waited()); });
    stage.bytes_reduced = step.bytes_reduced() - bytes_before;
    return stage;
  }

  DataOptions data_;
  StepOptions step_;
  DiagnoseOptions options_;
  const Setup& setup_;
  Model model_;  // shares its parameters with the set-up's
  Communicator& communicator_;
  at::Device device_;
  InputBuilder builder_;
  EnergyMeter energy_;
};

}  // namespace

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names{"encoder-inference",  "encoder-training-fp32",
                                              "encoder-training",   "loader",
                                              "loader-and-encoder", "dgca-step"};
  return names;
}

void DiagnoseOptions::validate() const {
  demand(steps >= 1, "--steps", steps, "at least 1");
  demand(warmup >= 0, "--warmup-steps", warmup, "at least 0");
  for (const std::string& name : stages)
    if (std::ranges::find(stage_names(), name) == stage_names().end())
      throw InputError("--stages: '{}' is none of {}", name, fmt::join(stage_names(), ", "));
}

double StageResult::total_ms() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }

double StageResult::quantile_ms(double q) const {
  std::vector<double> sorted = ms;
  std::ranges::sort(sorted);
  return quantile_of_sorted(sorted, q);
}

std::vector<StageResult> run_stages(const DataOptions& data, const StepOptions& step,
                                    const DiagnoseOptions& options, const Setup& setup,
                                    Communicator& communicator, at::Device device) {
  Bench bench(data, step, options, setup, communicator, device);
  std::vector<StageResult> results;
  for (const std::string& name : stage_names()) {
    if (!options.stages.empty() && std::ranges::find(options.stages, name) == options.stages.end()) continue;
    if (communicator.rank() == 0) spdlog::info("stage {}", name);
    results.push_back(bench.run(name));
  }
  if (!options.trace.empty()) bench.trace(options.trace);
  return results;
}

double matmul_peak(at::Device device, const std::string& precision) {
  const std::int64_t n = device.is_cuda() ? 8192 : 1536;
  const auto options = at::TensorOptions().device(device).dtype(dtype_of(precision));
  // Not all ones: a GPU multiplies such a matrix with less power, so at a higher clock than in training.
  const at::Tensor a = at::randn({n, n}, options), b = at::randn({n, n}, options);
  at::Tensor c = at::empty({n, n}, options);
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const auto begin = Clock::now();
    at::matmul_out(c, a, b);
    wait_for(device);
    best = std::max(best, 2.0 * static_cast<double>(n * n * n) / (milliseconds(begin) / 1000));
  }
  return best;
}

}  // namespace relmpi
