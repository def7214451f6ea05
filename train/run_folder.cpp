#include "train/run_folder.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {

namespace fs = std::filesystem;
using nlohmann::json;

void demand_empty(const fs::path& folder) {
  if (!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder))) return;
  throw InputError(
      "--fresh: {} is not empty. Remove it yourself, choose another --out, or leave --fresh out to go on "
      "with the run in it",
      folder.string());
}

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) { create_folder(checkpoints()); }

void RunFolder::write_records(const std::string& config_toml, const json& environment) const {
  write_file_atomic(folder_ / "config.toml", config_toml);
  write_file_atomic(folder_ / "environment.json", environment.dump(2) + "\n");
}

void RunFolder::open_metrics(std::int64_t step, bool evaluate_again) {
  const fs::path file = folder_ / "metrics.jsonl";
  if (fs::exists(file)) {
    std::string kept;
    for (const std::string& line : read_lines(file)) {
      const json entry = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (entry.is_discarded()) continue;
      const std::int64_t last = entry.contains("evaluation") && evaluate_again ? step - 1 : step;
      if (entry.value("step", std::int64_t{0}) <= last) kept += line + "\n";
    }
    write_file_atomic(file, kept);
  }
  metrics_.open(file, std::ios::app);
  if (!metrics_) throw InputError("cannot write {}", file.string());
}

void RunFolder::append_metrics(const nlohmann::ordered_json& line) {
  metrics_ << line.dump() << '\n' << std::flush;
  if (!metrics_)
    throw RuntimeError("cannot write {}: {}", (folder_ / "metrics.jsonl").string(), std::strerror(errno));
}

}  // namespace relmpi
