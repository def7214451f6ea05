#include "eval/llm/generation_config.h"

#include <algorithm>
#include <string_view>

#include "base/files.h"
#include "base/json_fields.h"
#include "base/log.h"

namespace relmpi {
namespace {

// Read elsewhere (the end tokens), or of no consequence for decoding.
constexpr std::string_view kQuiet[] = {"eos_token_id",       "bos_token_id",         "pad_token_id",
                                       "_from_model_config", "transformers_version", "do_sample"};

}  // namespace

void follow_generation_config(const std::filesystem::path& folder, bool apply,
                              const std::function<bool(const char* name)>& given, SamplingOptions& sampling) {
  const auto file = folder / "generation_config.json";
  if (!std::filesystem::is_regular_file(file)) return;
  const nlohmann::json document = parse_json(read_file(file), file.string());
  const JsonFields fields(document, file.string());
  std::vector<std::string_view> applied(std::begin(kQuiet), std::end(kQuiet));
  const auto follow = [&](const char* name, auto& value) {
    if (!given(name) && !apply) return;
    applied.emplace_back(name);
    if (!given(name)) fields.read(name, value);
  };
  follow("temperature", sampling.temperature);
  follow("top_k", sampling.top_k);
  follow("top_p", sampling.top_p);
  follow("min_p", sampling.min_p);
  follow("repetition_penalty", sampling.repetition_penalty);
  bool samples = false;
  fields.read("do_sample", samples);
  if (apply && !given("temperature"))
    sampling.temperature = !samples ? 0 : fields.has("temperature") ? sampling.temperature : 1;
  std::string ignored;
  for (const auto& [name, value] : document.items())
    if (std::ranges::find(applied, name) == applied.end())
      ignored += fmt::format(" {}={}", name, value.dump());
  if (!ignored.empty())
    spdlog::info("not taken from generation_config.json{}:{}",
                 apply ? "" : " (--apply-generation-config takes the sampling)", ignored);
}

}  // namespace relmpi
