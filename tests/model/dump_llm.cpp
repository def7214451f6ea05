// Runs a decoder LLM for tests/reference/llm_parity.py, which compares what it writes with Hugging Face's.
//   dump_llm logits --model DIR --ids FILE.json --out FILE.safetensors [--dtype fp32] [--layers all] [--slots
//   N] dump_llm generate --model DIR --ids FILE.json --max-new-tokens N --out FILE.json [--no-cache]
//   [--batch]
// FILE.json is a list of lists of ids. --slots N deals the layers to N logical devices in turn.

#include <CLI/CLI.hpp>

#include "base/files.h"
#include "base/tool.h"
#include "base/torch_headers.h"
#include "model/llm/decoder.h"
#include "model/safetensors.h"
#include "tests/model/tiny_llm.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;

struct Options {
  std::string model, ids, out, dtype = "fp32", layers;
  std::size_t slots = 1;
  std::size_t max_new_tokens = 64;
  bool no_cache = false, batch = false;
};

std::vector<NewTokens> whole(const std::vector<Ids>& prompts) {
  std::vector<NewTokens> batch;
  for (const Ids& ids : prompts) batch.push_back({static_cast<std::int64_t>(batch.size()), ids});
  return batch;
}

std::int64_t longest(const std::vector<Ids>& prompts) {
  std::size_t most = 1;
  for (const Ids& ids : prompts) most = std::max(most, ids.size());
  return static_cast<std::int64_t>(most);
}

void dump_logits(const Options& options, Decoder& decoder, const std::vector<Ids>& prompts) {
  KvCache cache = decoder.make_cache(static_cast<std::int64_t>(prompts.size()), longest(prompts));
  std::vector<std::int64_t> layers;
  if (options.layers == "all")
    for (std::int64_t i = 0; i <= decoder.config().num_hidden_layers; ++i) layers.push_back(i);
  const Hidden hidden = decoder.forward(whole(prompts), cache, layers);
  std::vector<std::pair<std::string, at::Tensor>> out;
  const auto add = [&](const std::string& name, const at::Tensor& rows) {
    const at::Tensor logits = decoder.logits(rows);
    std::int64_t first = 0;
    for (std::size_t b = 0; b < prompts.size(); ++b) {
      const auto count = static_cast<std::int64_t>(prompts[b].size());
      out.emplace_back(fmt::format("{}.{}", name, b), logits.narrow(0, first, count));
      first += count;
    }
  };
  add("logits", hidden.last);
  for (const auto& [layer, rows] : hidden.after) add(fmt::format("layer.{}", layer), rows);
  write_safetensors(options.out, out);
  fmt::print("{}\n", nlohmann::json{{"copies", decoder.copies()}}.dump());
}

// Greedy, one token after the other, by forward passes alone: the slow twin of generation.
std::vector<Ids> generate(const Options& options, Decoder& decoder, const std::vector<Ids>& prompts) {
  const auto ends = end_tokens(options.model, decoder.config());
  KvCache cache = decoder.make_cache(static_cast<std::int64_t>(prompts.size()),
                                     longest(prompts) + static_cast<std::int64_t>(options.max_new_tokens));
  std::vector<Ids> texts = prompts, outputs(prompts.size());
  std::vector<bool> done(prompts.size(), false);
  for (std::size_t step = 0; step < options.max_new_tokens; ++step) {
    std::vector<NewTokens> batch;
    for (std::size_t b = 0; b < texts.size(); ++b) {
      const auto sequence = static_cast<std::int64_t>(b);
      if (options.no_cache) cache.truncate(sequence, 0);
      if (!done[b])
        batch.push_back(
            {sequence, std::span(texts[b]).subspan(static_cast<std::size_t>(cache.length(sequence)))});
    }
    if (batch.empty()) break;
    const at::Tensor hidden = decoder.forward(batch, cache).last;
    std::int64_t row = -1;
    for (const NewTokens& part : batch) {
      row += static_cast<std::int64_t>(part.tokens.size());
      const auto b = static_cast<std::size_t>(part.sequence);
      const auto next =
          static_cast<std::int32_t>(decoder.logits(hidden.narrow(0, row, 1)).argmax().item<std::int64_t>());
      outputs[b].push_back(next);
      texts[b].push_back(next);
      done[b] = std::find(ends.begin(), ends.end(), next) != ends.end();
    }
  }
  return outputs;
}

void dump_texts(const Options& options, Decoder& decoder, const std::vector<Ids>& prompts) {
  std::vector<Ids> outputs;
  if (options.batch) {
    outputs = generate(options, decoder, prompts);
  } else {
    for (const Ids& ids : prompts) outputs.push_back(generate(options, decoder, {ids})[0]);
  }
  write_file_atomic(options.out, nlohmann::json{{"output_ids", outputs}}.dump());
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--model", options.model)->required();
  app.add_option("--ids", options.ids)->required();
  app.add_option("--out", options.out)->required();
  app.add_option("--dtype", options.dtype);
  app.add_option("--slots", options.slots);
}

using Dump = void (*)(const Options&, Decoder&, const std::vector<Ids>&);

template <Dump dump>
int run(const Options& options, Invocation&) {
  const auto prompts = nlohmann::json::parse(read_file(options.ids)).get<std::vector<Ids>>();
  const LlmConfig config = load_llm_config(std::filesystem::path(options.model) / "config.json");
  Decoder decoder(options.model, config, weight_dtype(options.dtype, config),
                  dealt_places(config, options.slots));
  dump(options, decoder, prompts);
  return 0;
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  using namespace relmpi;
  Tool tool("dump_llm", "Runs a decoder LLM for the reference tests");
  tool.add<Options>({.name = "logits",
                     .help = "",
                     .options =
                         [](CLI::App& app, Options& options) {
                           add_options(app, options);
                           app.add_option("--layers", options.layers);
                         },
                     .run = &run<dump_logits>});
  tool.add<Options>({.name = "generate",
                     .help = "",
                     .options =
                         [](CLI::App& app, Options& options) {
                           add_options(app, options);
                           app.add_option("--max-new-tokens", options.max_new_tokens);
                           app.add_flag("--no-cache", options.no_cache);
                           app.add_flag("--batch", options.batch);
                         },
                     .run = &run<dump_texts>});
  return tool.run(argc, argv);
}
