#pragma once

#include <filesystem>
#include <functional>

#include "model/decoding/sampling.h"

namespace relmpi {

// What a model's generation_config.json says of sampling, which generate() of Hugging Face follows of itself
// and an answer here only with `apply`: temperature (0 where do_sample is not true), top_k, top_p, min_p and
// repetition_penalty go into `sampling`, but for those with `given(name)`, which were given as options. Names
// in the log, once, every key that has no effect. Throws InputError naming the file and a key of the wrong
// kind. Nothing without the file.
void follow_generation_config(const std::filesystem::path& folder, bool apply,
                              const std::function<bool(const char* name)>& given, SamplingOptions& sampling);

}  // namespace relmpi
