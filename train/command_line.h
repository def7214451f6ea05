#pragma once

#include <CLI/CLI.hpp>

#include "train/options.h"

namespace relmpi {

// Adds every option of relmpi-train, in groups, with its default in --help.
void add_train_options(CLI::App& app, TrainOptions& options);

}  // namespace relmpi
