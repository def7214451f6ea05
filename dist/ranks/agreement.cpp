#include "dist/ranks/agreement.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/devices/versions.h"

namespace relmpi {
namespace {

constexpr std::size_t kShown = 20;

std::string shown(const nlohmann::json& value) {
  if (value.is_null() || value == "") return "nothing";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "--lr is 0.002 on rank 1 (host b), but 0.001 on rank 0 (host a)", a line for each difference.
std::string differences(const std::vector<nlohmann::json>& ranks) {
  std::vector<std::string> lines;
  const nlohmann::json& first = ranks[0];
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    nlohmann::json names = first["facts"];
    names.update(ranks[rank]["facts"]);
    for (const auto& [name, ignored] : names.items()) {
      const auto value = [&](const nlohmann::json& of) {
        return of["facts"].contains(name) ? of["facts"][name] : nlohmann::json(nullptr);
      };
      if (value(ranks[rank]) != value(first))
        lines.push_back(fmt::format("\n  {}: {} on rank {} (host {}), but {} on rank 0 (host {})", name,
                                    shown(value(ranks[rank])), rank, shown(ranks[rank]["host"]),
                                    shown(value(first)), shown(first["host"])));
    }
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) text += lines[i];
  if (lines.size() > kShown) text += fmt::format("\n  and {} more", lines.size() - kShown);
  return text;
}

}  // namespace

void demand_agreement(Communicator& communicator, const nlohmann::json& facts) {
  if (communicator.size() == 1) return;
  const auto all = communicator.gather_bytes(nlohmann::json{{"host", host_name()}, {"facts", facts}}.dump());
  std::string problem;
  if (communicator.rank() == 0) {
    std::vector<nlohmann::json> ranks;
    for (const std::string& one : all) ranks.push_back(nlohmann::json::parse(one));
    problem = differences(ranks);
  }
  problem = communicator.broadcast_bytes(problem);
  if (!problem.empty())
    throw InputError(
        "the ranks were not started alike:{}\nStart them all with one command, one installation and the "
        "same data",
        problem);
}

nlohmann::json program_facts() {
  nlohmann::json facts = to_json(versions());
  facts["program"] = xxh3_128_of_file("/proc/self/exe");
  return facts;
}

nlohmann::json option_facts(const CLI::App& command, const std::set<std::string>& free) {
  for (const std::string& name : free)
    RELMPI_CHECK(command.get_option_no_throw("--" + name) != nullptr, "{} has no option --{}",
                 command.get_name(), name);
  nlohmann::json facts = nlohmann::json::object();
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable() || option->get_lnames().empty()) continue;  // --help, and positionals
    const std::string& name = option->get_lnames().front();
    if (!free.contains(name))
      facts["--" + name] =
          option->count() > 0 ? CLI::detail::join(option->reduced_results(), ",") : option->get_default_str();
  }
  return facts;
}

}  // namespace relmpi
