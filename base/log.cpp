#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>

namespace relmpi {

void start_log(int rank, int size) {
  auto logger =
      std::make_shared<spdlog::logger>("relmpi", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  const std::string who = size > 1 ? fmt::format(" [rank {}]", rank) : "";
  logger->set_pattern("%H:%M:%S" + who + " %^%l%$: %v");
  logger->set_level(rank > 0 ? spdlog::level::warn : spdlog::level::info);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

void log_to_file(const std::filesystem::path& path) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string(), false);
  sink->set_pattern("%Y-%m-%d %H:%M:%S %l: %v");
  spdlog::default_logger()->sinks().push_back(sink);
}

}  // namespace relmpi
