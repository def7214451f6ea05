#include "base/json.h"
#include "base/torch_headers.h"
#include "dist/commands/commands.h"
#include "dist/commands/tables.h"

namespace relmpi {
namespace {

struct DevicesOptions {
  bool json = false;
};

void add_options(CLI::App& app, DevicesOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
}

int run(const DevicesOptions& options, Invocation&) {
  const std::vector<Gpu> found = gpus();
  if (options.json)
    print_json(nlohmann::json(found));
  else
    fmt::print("{}", to_text(found));
  return 0;
}

}  // namespace

void add_devices(Tool& tool) {
  tool.add<DevicesOptions>({.name = "devices",
                            .help = "GPUs that this process sees, and their memory",
                            .options = &add_options,
                            .run = &run});
}

}  // namespace relmpi
