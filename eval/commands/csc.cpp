#include "eval/commands/csc.h"

#include "base/files.h"
#include "base/torch_headers.h"
#include "base/utf8.h"
#include "dist/ranks/agreement.h"
#include "eval/csc/corrector_session.h"
#include "eval/csc/evaluate.h"

namespace relmpi {
namespace {

struct CscOptions {
  SessionOptions session;
  EvaluateOptions evaluate;
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

int run_csc(const CscOptions& options, std::unique_ptr<Communicator>& communicator) {
  const Session session(options.session, communicator);
  const Dataset dataset(options.data, *session.model.vocabulary);
  demand_agreement(*communicator, {{"--data", dataset.fingerprint()}});
  const Corrector corrector(*session.predictor);
  const Evaluation result =
      evaluate(corrector, dataset, session.model.config.thresholds, *communicator, options.evaluate);
  if (communicator->rank() != 0) return 0;
  if (result.too_long > 0)
    spdlog::warn("{} sentences are longer than the model takes ({} characters) and stay as they are",
                 result.too_long, session.model.config.max_characters());
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
  CLI::App* sub =
      app.add_subcommand("csc", "corrects the sentences of a data set and scores them (also under mpirun)");
  options->session.add_to(*sub);
  sub->add_option("--data", options->data, "folder of shards")->required();
  sub->add_option("--out", options->out, "folder for csc.json, rows.jsonl, sents.tp, .fp, .fn and .wp");
  sub->add_option("--passes", options->evaluate.passes,
                  "passes; each reads the text that the one before wrote")
      ->capture_default_str();
  sub->add_flag("--tune-thresholds", options->evaluate.tune,
                "choose detect threshold and margin on this very data, for the highest F1");
  sub->add_option("--batch", options->evaluate.batch, "sentences that run together")->capture_default_str();
  sub->add_option("--limit", options->evaluate.limit, "only the first sentences; 0 = all")
      ->capture_default_str();
  sub->add_flag("--json", options->json, "print one JSON document");
  sub->callback([options, &body, &communicator] {
    body = [options, &communicator] { return run_csc(*options, communicator); };
  });
}

}  // namespace relmpi
