#include "base/files.h"
#include "base/json.h"
#include "base/torch_headers.h"
#include "base/utf8.h"
#include "dist/ranks/agreement.h"
#include "eval/commands/commands.h"
#include "eval/csc/corrector_session.h"
#include "eval/csc/evaluate.h"

namespace relmpi {
namespace {

struct CscOptions {
  CorrectorSessionOptions session;
  EvaluateOptions evaluate{.progress = true};
  std::string data, out;
  bool json = false;
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

int run_csc(const CscOptions& options, Invocation& invocation) {
  options.evaluate.validate();
  const auto file = result_file(options.out, "csc.json");
  const CorrectorSession session(options.session, invocation, {"data"});
  Communicator& ranks = session.job.ranks();
  const Dataset dataset(options.data, *session.model.vocabulary);
  demand_agreement(ranks, {{"--data", dataset.fingerprint()}});
  const Corrector corrector(*session.predictor);
  const Evaluation result =
      evaluate(corrector, dataset, session.model.config.thresholds, ranks, options.evaluate);
  if (ranks.rank() != 0) return 0;
  if (result.too_long > 0)
    spdlog::warn("{} sentences are longer than the model takes ({} characters) and stay as they are",
                 result.too_long, session.model.config.max_characters());
  const auto document = document_of(result);
  if (!file.empty()) {
    write_rows(options.out, result.rows);
    write_file_atomic(file, document.dump(2) + "\n");
  }
  if (options.json)
    print_json(document);
  else
    fmt::print("{}thresholds: detect {} gate {} margin {}; {:.1f} s on {} rank(s)\n", to_text(result.metrics),
               result.thresholds.detect, result.thresholds.gate, result.thresholds.margin, result.seconds,
               ranks.size());
  return 0;
}

void add_options(CLI::App& app, CscOptions& options) {
  options.session.add_to(app);
  app.add_option("--data", options.data, "folder of shards")->required();
  app.add_option("--out", options.out, "folder for csc.json, rows.jsonl, sents.tp, .fp, .fn and .wp");
  app.add_option("--passes", options.evaluate.passes, "passes; each reads the text that the one before wrote")
      ->capture_default_str();
  app.add_flag("--tune-thresholds", options.evaluate.tune,
               "choose detect threshold and margin on this very data, for the highest F1");
  app.add_option("--batch", options.evaluate.batch, "sentences that run together")->capture_default_str();
  app.add_option("--limit", options.evaluate.limit, "only the first sentences; 0 = all")
      ->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON document");
}

}  // namespace

void add_csc(Tool& tool) {
  tool.add<CscOptions>({.name = "csc",
                        .help = "corrects the sentences of a data set and scores them (also under mpirun)",
                        .options = &add_options,
                        .run = &run_csc});
}

}  // namespace relmpi
