#include "base/json.h"
#include "base/torch_headers.h"
#include "dist/commands/commands.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/doctor.h"

namespace relmpi {
namespace {

struct DevicesOptions {
  bool json = false;
};

void add_options(CLI::App& app, DevicesOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
}

int run(const DevicesOptions& options, Invocation&) {
  const auto document = describe_devices();
  if (options.json)
    print_json(document);
  else
    fmt::print("{}", devices_text(document));
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
