// How fast a decoder LLM is here, for scripts/llm-bench. Reads lines
// {"prompt":512,"new":64,"batch":1,"seed":1} and answers each with a line, as
// tests/reference/plain_generation.py does, so that rounds of both can be interleaved.

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "base/allocator.h"
#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "model/decoding/generation.h"
#include "model/decoding/plain.h"
#include "model/llm/llm.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// STREAM's triad a = b + 3 c over 3 x 128 MB: bytes read and written a second, the best of five.
double triad() {
  constexpr std::int64_t kSize = 1 << 25;
  std::vector<float> a(kSize, 1), b(kSize, 2), c(kSize, 3);
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    at::parallel_for(0, kSize, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        a[i] = b[i] + 3 * c[i];
    });
    best = std::max(best, 3.0 * sizeof(float) * kSize / since(start));
  }
  return best;
}

// The same on a GPU, over 3 x 512 MB.
double triad_of(at::Device device) {
  if (device.is_cpu()) return triad();
  constexpr std::int64_t kSize = 1 << 27;
  const auto options = at::TensorOptions(at::kFloat).device(device);
  at::Tensor a = at::empty({kSize}, options);
  const at::Tensor b = at::ones({kSize}, options), c = at::ones({kSize}, options);
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    at::add_out(a, b, c, 3);
    a.select(0, 0).item<float>();  // waits
    best = std::max(best, 3.0 * sizeof(float) * kSize / since(start));
  }
  return best;
}

nlohmann::json measure(const Llm& llm, DecodingMethod& method, const nlohmann::json& wanted) {
  const auto length = wanted.at("prompt").get<std::int64_t>();
  const auto batch = wanted.at("batch").get<std::int64_t>(), seed = wanted.value("seed", std::int64_t{1});
  GenerationOptions options;
  options.max_new_tokens = wanted.at("new").get<std::int64_t>();
  options.ignore_end = true;
  std::vector<Request> requests;
  for (std::int64_t b = 0; b < batch; ++b) {
    Request request{.prompt = {}, .index = b};
    for (std::int64_t i = 0; i < length; ++i)
      request.prompt.push_back(
          static_cast<std::int32_t>(1000 + (7919 * i + 104729 * b + 15485863 * seed) % 40000));
    requests.push_back(std::move(request));
  }
  const auto start = Clock::now();
  const auto answers = generate(llm.folder, method, requests, options);
  const double whole = since(start);
  // The last prompt's first token ends the prefill of all.
  const double prefill = answers.back().ttft;
  const auto decoded = static_cast<double>(batch * (options.max_new_tokens - 1));
  return {{"prefill_tokens_per_s", static_cast<double>(batch * length) / prefill},
          {"decode_tokens_per_s", decoded / (whole - prefill)},
          {"ttft_s", answers.front().ttft},
          {"weight_bytes", llm.decoder.weights().bytes()}};
}

struct SpeedOptions {
  LlmPlacement where;
  std::string model, device = "cpu";
  int threads = 0;
  bool cuda_graphs = false;
};

void add_options(CLI::App& app, SpeedOptions& options) {
  app.add_option("--model", options.model)->required();
  app.add_option("--dtype", options.where.dtype);
  app.add_option("--device", options.device)->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--threads", options.threads);
  app.add_flag("--cuda-graphs", options.cuda_graphs);
}

int run(const SpeedOptions& options, Invocation&) {
  if (options.threads > 0) at::set_num_threads(options.threads);
  LlmFolder folder = open_llm_folder(options.model);
  const bool on_gpu = options.device == "cuda";
  LlmPlacement where = options.where;
  where.placement.device_map = on_gpu ? "cuda:0" : "cpu";
  MemoryLimits free{{Place::cpu(), available_host_memory()}};
  for (const Gpu& gpu : gpus(on_gpu ? 0 : -1)) free[Place::gpu(gpu.id)] = gpu.memory_free;
  LlmPlan plan = plan_llm(folder.config, where, {}, free);
  Llm llm = load_llm(std::move(folder), std::move(plan));
  const auto method = plain_method(
      llm.decoder, {}, 0, options.cuda_graphs ? RecorderFactory(&make_graph_recorder) : RecorderFactory());
  std::string line;
  while (std::getline(std::cin, line)) {
    nlohmann::json row = measure(llm, *method, nlohmann::json::parse(line));
    row["triad_bytes_per_s"] = triad_of(at::Device(options.device));
    fmt::print("{}\n", row.dump());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  using namespace relmpi;
  keep_freed_memory();
  return Tool(
             Command<SpeedOptions>{
                 .name = "llm_speed", .help = "Speed of a decoder LLM", .options = &add_options, .run = &run})
      .run(argc, argv);
}
