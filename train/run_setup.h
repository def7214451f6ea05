#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "data/loader/loader.h"
#include "data/shards/dataset.h"
#include "dist/ranks/communicator.h"
#include "model/dgca/model_folder.h"
#include "train/options.h"

namespace relmpi {

// What a run needs before its first step: data sets opened and verified, a model with its candidate table.
struct Setup {
  std::shared_ptr<const Dataset> data, validation;  // `validation` may be null
  Model model;
};

// Throws InputError for data, vocabulary, model or confusion set that are missing, damaged or do not belong
// together, and for fewer sentences than ranks.
Setup prepare(const DataOptions& data, const StepOptions& step, const Communicator& communicator,
              at::Device device);

// How this rank's loader reads the training data from the first epoch on, into ordinary memory: what goes to
// a GPU is written into pinned memory as it is uploaded (model/upload.h).
LoaderOptions loader_options(const DataOptions& data, const StepOptions& step,
                             const Communicator& communicator);

}  // namespace relmpi
