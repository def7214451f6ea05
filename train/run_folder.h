#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace relmpi {

// Throws InputError if the folder holds anything (--fresh).
void demand_empty(const std::filesystem::path& folder);

// The folder of a run: config.toml, environment.json, log.txt, metrics.jsonl, checkpoints/, model/.
class RunFolder {
 public:
  // Creates what is missing. Throws InputError if it cannot.
  explicit RunFolder(std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path model() const { return folder_ / "model"; }

  void write_records(const std::string& config_toml, const nlohmann::json& environment) const;
  // Drops the lines that a resumed run writes again, of steps after `step` and, if `evaluate_again`, of
  // the evaluation at `step`; opens the file to append.
  void open_metrics(std::int64_t step, bool evaluate_again);
  void append_metrics(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path folder_;
  std::ofstream metrics_;
};

}  // namespace relmpi
