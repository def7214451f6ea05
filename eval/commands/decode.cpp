#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/torch_headers.h"
#include "dist/ranks/share.h"
#include "eval/commands/commands.h"
#include "eval/llm/decode_benchmark.h"
#include "eval/llm/generation_config.h"
#include "eval/llm/llm_session.h"
#include "eval/llm/prompts.h"
#include "model/decoding/plain.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

struct DecodeOptions {
  LlmSessionOptions session;
  GenerationOptions generation;
  SamplingOptions sampling;
  std::uint64_t seed = 0;
  std::int64_t batch = 1;
  std::vector<std::string> methods{"plain"}, texts;
  std::string prompts, out, chat_template, thinking;
  bool chat = false, continue_final_message = false, apply_generation_config = false, cuda_graphs = false,
       json = false;
};

std::vector<Prompt> prompts_of(const DecodeOptions& options) {
  if (options.prompts.empty() == options.texts.empty())
    throw InputError("give the prompts either as a file (--prompts FILE) or as texts (--prompt TEXT)");
  if (!options.prompts.empty()) return read_prompts(options.prompts);
  std::vector<Prompt> prompts;
  for (const std::string& text : options.texts)
    prompts.push_back(text_prompt(text, fmt::format("--prompt {}", prompts.size() + 1)));
  return prompts;
}

ChatOptions chat_options(const DecodeOptions& options) {
  if (!options.chat &&
      (!options.thinking.empty() || options.continue_final_message || !options.chat_template.empty()))
    throw InputError("--thinking, --continue-final-message and --template need --chat");
  ChatOptions out{.continue_final_message = options.continue_final_message};
  if (!options.thinking.empty()) out.thinking = options.thinking == "on";
  return out;
}

// What all ranks must have read alike.
std::string text_of(const std::vector<Prompt>& prompts) {
  ordered_json all = ordered_json::array();
  for (const Prompt& prompt : prompts) {
    const Conversation& conversation = prompt.conversation;
    all.push_back(
        {conversation.messages, conversation.tools, conversation.documents, conversation.variables});
  }
  return all.dump();
}

// The sampling options of the command line, or with --apply-generation-config the model's.
SamplingOptions sampling_of(const DecodeOptions& options, const CLI::App& command) {
  SamplingOptions sampling = options.sampling;
  const auto given = [&](const char* name) {
    std::string option = fmt::format("--{}", name);
    std::replace(option.begin(), option.end(), '_', '-');
    return command.count(option) > 0;
  };
  follow_generation_config(options.session.model, options.apply_generation_config, given, sampling);
  sampling.validate();
  return sampling;
}

// This rank's share of the requests, in batches.
std::vector<NumberedLine> run_requests(const LlmFolder& folder, DecodingMethod& method,
                                       const std::vector<Request>& requests, const DecodeOptions& options,
                                       const Communicator& communicator) {
  std::vector<Request> mine;
  for (Share share(communicator, std::ssize(requests)); const auto i = share.next();)
    mine.push_back(requests[static_cast<std::size_t>(*i)]);
  // A person who waits for one text sees it grow.
  OnText on_text;
  if (!options.json && requests.size() == 1 && communicator.rank() == 0)
    on_text = [](std::size_t, const std::string& text) {
      fmt::print("{}", text);
      std::fflush(stdout);
    };
  Progress progress("decoding", std::ssize(mine), communicator.rank() == 0 && !on_text);
  std::vector<NumberedLine> rows;
  const auto batch = static_cast<std::size_t>(options.batch);
  for (std::size_t first = 0; first < mine.size(); first += batch) {
    const std::vector<Request> part(
        mine.begin() + static_cast<std::ptrdiff_t>(first),
        mine.begin() + static_cast<std::ptrdiff_t>(std::min(first + batch, mine.size())));
    const auto answers = generate(folder, method, part, options.generation, on_text);
    for (std::size_t i = 0; i < part.size(); ++i)
      rows.push_back({part[i].index, to_json(DecodedRequest{part[i], answers[i]}).dump()});
    progress.update(static_cast<std::int64_t>(std::min(first + batch, mine.size())));
  }
  return rows;
}

RecorderFactory graphs_for(const DecodeOptions& options, const LlmPlaces& places) {
  if (!options.cuda_graphs) return {};
  if (places.devices.size() == 1 && places.devices[0].is_cuda()) return &make_graph_recorder;
  spdlog::warn("--cuda-graphs has no effect: it takes a model that lies on one GPU as a whole");
  return {};
}

// On rank 0, of all ranks; without rows elsewhere.
DecodeBenchmark measure(Llm& llm, const std::vector<Request>& requests, const DecodeOptions& options,
                        Communicator& communicator) {
  const auto method =
      plain_method(llm.decoder, options.sampling, options.seed, graphs_for(options, llm.decoder.places()));
  communicator.barrier();
  const auto start = std::chrono::steady_clock::now();
  const auto rows =
      gather_lines(communicator, run_requests(llm.folder, *method, requests, options, communicator));
  DecodeBenchmark out{.method = std::string(method->name())};
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Figures mine = method->figures();
  std::array<std::int64_t, 2> work{mine.target_calls, std::llround(mine.target_seconds * 1e6)};
  add_up(communicator, work);
  out.figures = {.target_calls = work[0], .target_seconds = static_cast<double>(work[1]) / 1e6};
  for (const NumberedLine& row : rows) out.rows.push_back(decoded_request(nlohmann::json::parse(row.line)));
  return out;
}

void print_texts(const DecodeBenchmark& benchmark, bool shown_already) {
  for (const DecodedRequest& row : benchmark.rows) {
    if (shown_already)
      fmt::print("\n");
    else
      fmt::print("--- {} ({})\n{}\n", row.request.index + 1, to_string(row.answer.finish), row.answer.text);
  }
  fmt::print(stderr, "{}\n", summary(benchmark));
}

int run_decode(const DecodeOptions& options, Invocation& invocation) {
  for (const std::string& method : options.methods)
    if (method != "plain")
      throw InputError("--methods {}: only \"plain\", one token a pass, is built", method);
  options.generation.validate();
  options.sampling.validate();
  demand(options.batch >= 1, "--batch", options.batch, "at least 1");
  const ChatOptions for_chat = chat_options(options);
  const auto prompts = prompts_of(options);
  const auto file = result_file(options.out, "decode.json");
  std::vector<Request> requests;
  const auto encode_all = [&](const LlmFolder& folder) {
    std::optional<ChatTemplate> chat;
    if (options.chat) chat = ChatTemplate::load(folder.path, options.chat_template);
    std::int64_t longest = 0;
    for (const Prompt& prompt : prompts) {
      requests.push_back({encode_prompt(prompt, folder.tokenizer, chat ? &*chat : nullptr, for_chat),
                          static_cast<std::int64_t>(requests.size())});
      const auto length = static_cast<std::int64_t>(requests.back().prompt.size());
      if (length >= folder.config.max_position_embeddings)
        throw InputError(
            "{}: the prompt has {} tokens; the model's context is {} (max_position_embeddings), with the "
            "answer; shorten it",
            prompt.source, length, folder.config.max_position_embeddings);
      longest = std::max(longest, length);
    }
    return Workload{.batch = std::min(options.batch, static_cast<std::int64_t>(requests.size())),
                    .length = longest + options.generation.max_new_tokens};
  };
  LlmSession session(options.session, invocation, "prompts", text_of(prompts), encode_all);
  Communicator& ranks = session.job.ranks();
  DecodeOptions effective = options;
  effective.sampling = sampling_of(options, invocation.command);
  const DecodeBenchmark benchmark = measure(session.llm, requests, effective, ranks);
  if (!session.job.is_first()) return 0;
  ordered_json header = session.header(options.session);
  header["options"] = nlohmann::json(invocation.command.config_to_str(true, false));
  header["sampling"] = {{"temperature", effective.sampling.temperature},
                        {"top_k", effective.sampling.top_k},
                        {"top_p", effective.sampling.top_p},
                        {"min_p", effective.sampling.min_p},
                        {"repetition_penalty", effective.sampling.repetition_penalty}};
  const ordered_json document{{"header", header}, {"methods", ordered_json::array({to_json(benchmark)})}};
  if (!file.empty()) {
    create_folder(options.out);
    write_file_atomic(file, document.dump(2) + "\n");
  }
  if (options.json)
    print_json(document);
  else
    print_texts(benchmark, requests.size() == 1);
  return 0;
}

void add_generation_options(CLI::App& sub, DecodeOptions& options) {
  GenerationOptions& generation = options.generation;
  SamplingOptions& sampling = options.sampling;
  sub.add_option("--max-new-tokens", generation.max_new_tokens, "longest answer")->capture_default_str();
  sub.add_option("--temperature", sampling.temperature, "0 = greedy: the most probable token")
      ->capture_default_str();
  sub.add_option("--top-k", sampling.top_k, "only the k most probable tokens; 0 = all")
      ->capture_default_str();
  sub.add_option("--top-p", sampling.top_p, "only the fewest tokens that hold this share of the probability")
      ->capture_default_str();
  sub.add_option("--min-p", sampling.min_p, "only tokens with this share of the greatest probability")
      ->capture_default_str();
  sub.add_option("--repetition-penalty", sampling.repetition_penalty,
                 "weakens tokens that the text already has; 1 = off")
      ->capture_default_str();
  sub.add_option("--stop", generation.stop,
                 "an answer ends before this text, special tokens left out (may be given several times)");
  sub.add_option("--seed", options.seed, "of the random choices; an answer depends on it and on its number")
      ->capture_default_str();
  sub.add_flag(
      "--apply-generation-config", options.apply_generation_config,
      "take the sampling that the model's generation_config.json suggests, but for options given here");
  sub.add_flag("--ignore-eos", generation.ignore_end, "go on beyond end tokens, to --max-new-tokens");
}

void add_options(CLI::App& app, DecodeOptions& options) {
  options.session.add_to(app);
  app.add_option(
      "--prompts", options.prompts,
      "file with one prompt a line: a text, {\"prompt\": ..} or {\"messages\": [..], \"tools\": [..], "
      "\"chat_template_kwargs\": {..}}; or a .json file with a list of them");
  app.add_option("--prompt", options.texts, "one prompt (may be given several times)");
  app.add_flag("--chat", options.chat, "write prompts as the model's chat template does");
  app.add_option("--template", options.chat_template,
                 "with --chat: a Jinja file in place of the model's template");
  app.add_option("--thinking", options.thinking,
                 "with --chat: enable_thinking for the template; default: its own")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_flag("--continue-final-message", options.continue_final_message,
               "with --chat: go on with the last message instead of beginning an answer");
  app.add_option("--methods", options.methods, "plain: one token a pass")
      ->delimiter(',')
      ->capture_default_str();
  add_generation_options(app, options);
  app.add_option("--batch", options.batch, "prompts that decode together on a rank")->capture_default_str();
  app.add_flag(
      "--cuda-graphs", options.cuda_graphs,
      "on one GPU, start a token's kernels all at once: faster for small batches and models; answers may "
      "differ where two tokens are almost equally probable");
  app.add_option("--out", options.out, "folder for decode.json");
  app.add_flag("--json", options.json, "print one JSON document");
  app.footer(
      "Examples:\n"
      "  relmpi-eval decode --model SmolLM2-135M-Instruct --chat --prompt \"What is the capital of "
      "France?\"\n"
      "  relmpi-eval decode --model Qwen3-8B --device-map 0,1 --batch 8 --chat --prompts questions.jsonl "
      "--out runs/q\n"
      "  mpirun -np 4 relmpi-eval decode --model Qwen3-0.6B --chat --prompts questions.jsonl --out runs/q\n"
      "      Each rank holds the model on its own GPU and answers a quarter.");
}

}  // namespace

void add_decode(Tool& tool) {
  tool.add<DecodeOptions>({.name = "decode",
                           .help = "answers prompts with a decoder LLM (also under mpirun)",
                           .options = &add_options,
                           .run = &run_decode});
}

}  // namespace relmpi
