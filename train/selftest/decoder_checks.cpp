#include <unistd.h>

#include "base/files.h"
#include "base/torch_headers.h"
#include "model/llm/decode_graphs.h"
#include "model/llm/decoder.h"
#include "model/llm/random_llm.h"
#include "model/safetensors.h"
#include "train/selftest/compared.h"
#include "train/selftest/selftest.h"

namespace relmpi {
namespace {

// A random model's files, removed at the end.
class RandomFolder {
 public:
  explicit RandomFolder(const std::string& family)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("relmpi-selftest-{}-{}", ::getpid(), family)) {
    const RandomLlm model = random_llm(family, /*tied=*/true, /*layers=*/3);
    create_folder(path_);
    write_file_atomic(path_ / "config.json", model.config.dump());
    write_safetensors(path_ / "model.safetensors", model.tensors);
  }
  ~RandomFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  RandomFolder(const RandomFolder&) = delete;
  RandomFolder& operator=(const RandomFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Logits of three prompts of different lengths, then of a step of all three, then of one token more of one.
at::Tensor logits_of(const RandomFolder& folder, at::Device device, at::ScalarType dtype) {
  const LlmConfig config = load_llm_config(folder.path() / "config.json");
  Decoder decoder(folder.path(), config, dtype, one_place(config, device));
  KvCache cache = decoder.make_cache(3, 40);
  std::vector<std::vector<std::int32_t>> texts;
  for (const int length : {5, 1, 21}) {
    auto& text = texts.emplace_back();
    for (int i = 0; i <= length; ++i) text.push_back(static_cast<std::int32_t>((length * 31 + i * 17) % 250));
  }
  std::vector<NewTokens> prompts, step;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto sequence = static_cast<std::int64_t>(i);
    prompts.push_back({sequence, std::span(texts[i]).first(texts[i].size() - 1)});
    step.push_back({sequence, std::span(texts[i]).last(1)});
  }
  std::vector<at::Tensor> parts;
  for (const auto& batch : {prompts, step, {{1, std::span(texts[0]).first(1)}}})
    parts.push_back(decoder.logits(decoder.forward(batch, cache).last).to(at::kCPU));
  return at::cat(parts);
}

std::string decoding_equals_the_cpus(at::Device device, at::ScalarType dtype, double limit) {
  std::string figures;
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const RandomFolder folder(family);
    const at::Tensor wanted = logits_of(folder, at::kCPU, at::kFloat);
    const UnderTest under_test(device);
    figures += (figures.empty() ? "" : ", ") +
               within(std::string(family) + "'s logits differ by",
                      relative_error(logits_of(folder, device, dtype), wanted), limit);
  }
  return figures;
}

// Steps of three texts, then of two of them, each the first, a recorded and a replayed one.
std::string graphs_equal_eager_steps(at::Device device) {
  if (!device.is_cuda()) throw Skip("needs a GPU");
  const RandomFolder folder("qwen3");
  const LlmConfig config = load_llm_config(folder.path() / "config.json");
  Decoder decoder(folder.path(), config, at::kFloat, one_place(config, device));
  KvCache cache = decoder.make_cache(3, 40), wanted_cache = decoder.make_cache(3, 40);
  DecodeGraphs graphs(decoder, cache, make_graph_recorder(device));
  const std::vector<std::int32_t> tokens{17, 4, 200, 31};
  std::vector<at::Tensor> found, wanted;
  for (const std::int64_t texts : {3, 2})
    for (std::size_t step = 0; step < 6; ++step) {
      std::vector<NewTokens> batch;
      for (std::int64_t i = 0; i < texts; ++i)
        batch.push_back({i, std::span(tokens).subspan((step + static_cast<std::size_t>(i)) % 4, 1)});
      found.push_back(graphs.logits(batch).clone());
      wanted.push_back(decoder.logits(decoder.forward(batch, wanted_cache).last));
    }
  if (graphs.recorded() != 2) throw Fault("no graph could be recorded; the warning says why");
  return within("logits differ by", relative_error(at::cat(found), at::cat(wanted)), 1e-5);
}

}  // namespace

// The weights are rounded too: 2e-2 in bf16 and 3e-3 in fp16 are usual.
std::vector<Check> decoder_checks(at::Device device) {
  return {{"decoding fp32", [=] { return decoding_equals_the_cpus(device, at::kFloat, 1e-5); }},
          {"decoding bf16", [=] { return decoding_equals_the_cpus(device, at::kBFloat16, 6e-2); }},
          {"decoding fp16", [=] { return decoding_equals_the_cpus(device, at::kHalf, 1e-2); }},
          {"decoding graphs", [=] { return graphs_equal_eager_steps(device); }}};
}

}  // namespace relmpi
