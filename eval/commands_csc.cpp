#include "eval/commands_csc.h"

#include <cmath>

#include "base/files.h"
#include "base/torch_headers.h"
#include "base/utf8.h"
#include "dist/device.h"
#include "eval/evaluate.h"

namespace relmpi {
namespace {

struct CscOptions {
  std::string model, data, out, precision = "fp32", device = "auto";
  double detect = NAN, gate = NAN, margin = NAN;  // NaN: as the model folder says
  int threads = 0;
  double timeout = 600;
  bool json = false;
  EvaluateOptions evaluate;
};

void write_rows(const std::filesystem::path& folder, const std::vector<CorrectionRow>& rows) {
  create_folder(folder);
  AtomicFile all(folder / "rows.jsonl");
  std::map<Outcome, std::string> lists{{Outcome::kTruePositive, ""},
                                       {Outcome::kFalsePositive, ""},
                                       {Outcome::kFalseNegative, ""},
                                       {Outcome::kWrongPositive, ""}};
  for (const CorrectionRow& row : rows) {
    const std::string source = encode_utf8(row.source), target = encode_utf8(row.target),
                      prediction = encode_utf8(row.prediction);
    const nlohmann::ordered_json line{
        {"sentence", row.sentence}, {"source", source}, {"target", target}, {"prediction", prediction}};
    all.write(line.dump() + "\n");
    const auto list = lists.find(correction_outcome(row.source, row.target, row.prediction));
    if (list != lists.end()) list->second += source + "\t" + target + "\t" + prediction + "\n";
  }
  all.commit();
  write_file_atomic(folder / "sents.tp", lists[Outcome::kTruePositive]);
  write_file_atomic(folder / "sents.fp", lists[Outcome::kFalsePositive]);
  write_file_atomic(folder / "sents.fn", lists[Outcome::kFalseNegative]);
  write_file_atomic(folder / "sents.wp", lists[Outcome::kWrongPositive]);
}

nlohmann::ordered_json document_of(const Evaluation& result) {
  nlohmann::ordered_json document = to_json(result.metrics);
  document["seconds"] = result.seconds;
  document["too_long"] = result.too_long;
  document["thresholds"] = {{"detect", result.thresholds.detect},
                            {"gate", result.thresholds.gate},
                            {"margin", result.thresholds.margin}};
  return document;
}

int run_csc(const CscOptions& options, std::unique_ptr<Communicator>& communicator) {
  const CommunicatorOptions limits{.timeout_seconds = options.timeout};
  communicator = make_communicator(limits);
  start_log(communicator->rank(), communicator->size());
  const at::Device device = choose_device(*communicator, options.device);
  set_threads(*communicator, options.threads);
  Model model = load_model(options.model, device);
  DecisionThresholds thresholds = model.config.thresholds;
  if (!std::isnan(options.detect)) thresholds.detect = options.detect;
  if (!std::isnan(options.gate)) thresholds.gate = options.gate;
  if (!std::isnan(options.margin)) thresholds.margin = options.margin;
  model.config.thresholds = thresholds;
  model.config.validate();
  const Dataset dataset(options.data, *model.vocabulary);
  const Predictor predictor(model, dtype_of(options.precision));
  const Corrector corrector(predictor);
  const Evaluation result = evaluate(corrector, dataset, thresholds, *communicator, options.evaluate);
  if (communicator->rank() != 0) return 0;
  if (result.too_long > 0)
    spdlog::warn("{} sentences are longer than the model takes ({} characters) and stay as they are", result.too_long,
                 model.config.max_characters());
  const auto document = document_of(result);
  if (!options.out.empty()) {
    write_rows(options.out, result.rows);
    write_file_atomic(std::filesystem::path(options.out) / "csc.json", document.dump(2) + "\n");
  }
  if (options.json)
    fmt::print("{}\n", document.dump());
  else
    fmt::print("{}thresholds: detect {} gate {} margin {}; {:.1f} s on {} rank(s)\n", to_text(result.metrics),
               result.thresholds.detect, result.thresholds.gate, result.thresholds.margin, result.seconds,
               communicator->size());
  return 0;
}

}  // namespace

void add_csc_command(CLI::App& app, std::function<int()>& body, std::unique_ptr<Communicator>& communicator) {
  auto options = std::make_shared<CscOptions>();
  options->evaluate.progress = true;
  CLI::App* sub = app.add_subcommand("csc", "corrects the sentences of a data set and scores them (also under mpirun)");
  sub->add_option("--model", options->model, "model folder, such as RUN/model")->required();
  sub->add_option("--data", options->data, "folder of shards")->required();
  sub->add_option("--out", options->out, "folder for csc.json, rows.jsonl, sents.tp, .fp, .fn and .wp");
  sub->add_option("--passes", options->evaluate.passes, "passes; each reads the text that the one before wrote")
      ->capture_default_str();
  sub->add_option("--detect-threshold", options->detect, "accept a change where d >= this; default: the model's");
  sub->add_option("--gate-threshold", options->gate, "and alpha >= this; default: the model's");
  sub->add_option("--margin", options->margin,
                  "and log p(change) - log p(character as it is) >= this; default: the model's");
  sub->add_flag("--tune", options->evaluate.tune, "choose detect threshold and margin on this very data, for the highest F1");
  sub->add_option("--batch", options->evaluate.batch, "sentences that run together")->capture_default_str();
  sub->add_option("--limit", options->evaluate.limit, "only the first sentences; 0 = all")->capture_default_str();
  sub->add_option("--precision", options->precision, "fp32, bf16 or fp16")->capture_default_str();
  sub->add_option("--device", options->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  sub->add_option("--threads", options->threads, "CPU threads of a rank; 0 = its share of the cores");
  sub->add_option("--collective-timeout", options->timeout, "seconds before a collective that hangs ends the job")
      ->capture_default_str();
  sub->add_flag("--json", options->json, "print one JSON document");
  sub->callback([options, &body, &communicator] {
    body = [options, &communicator] { return run_csc(*options, communicator); };
  });
}

}  // namespace relmpi
