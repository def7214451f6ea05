#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "train/options.h"

namespace relmpi {

// Declare the options of each part, in groups, with their defaults in --help.
void add_data_options(CLI::App& app, DataOptions& options);
void add_step_options(CLI::App& app, StepOptions& options);
void add_run_options(CLI::App& app, RunOptions& options);
// All options of relmpi-train.
void add_train_options(CLI::App& app, TrainOptions& options);

// Long names, without the dashes, of those of add_data_options that may differ between ranks: paths, if what
// they hold is compared.
std::set<std::string> data_paths();

}  // namespace relmpi
