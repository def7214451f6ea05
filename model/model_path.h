#pragma once

#include <filesystem>

namespace relmpi {

// What a user gives as a model is often something else. Throws InputError that says what `path` is and what
// to do unless it may be a Hugging Face folder with config.json and safetensors: a name on the hub, a root of
// the hub's cache, a GGUF file, an adapter, Git LFS pointers, Meta's or MLX's own files, Python pickles, a
// part of the shards missing. What the files hold is for those who read them.
void demand_model_folder(const std::filesystem::path& path);

}  // namespace relmpi
