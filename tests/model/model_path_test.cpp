#include "model/model_path.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

class ModelPath : public testing::Test {
 protected:
  void SetUp() override { create_folder(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const fs::path& name, const std::string& text) const {
    create_folder((folder_ / name).parent_path());
    write_file_atomic(folder_ / name, text);
  }

  // All of `words` are in the refusal.
  static void refused(const fs::path& path, const std::vector<std::string>& words) {
    try {
      demand_model_folder(path);
      ADD_FAILURE() << path << " was taken";
    } catch (const InputError& error) {
      for (const std::string& word : words)
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << " in: " << error.what();
    }
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("relmpi-model-path-" + std::to_string(::getpid()) + "-" +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::string pointer_ = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
};

TEST_F(ModelPath, AModelsFolderIsTaken) {
  write("config.json", "{}");
  write("model.safetensors", "weights");
  EXPECT_NO_THROW(demand_model_folder(folder_));
}

TEST_F(ModelPath, WhatIsNotThereMayBeANameOnTheHub) {
  refused("Qwen/Qwen3-0.6B", {"hf download Qwen/Qwen3-0.6B --local-dir models/Qwen3-0.6B"});
  refused("./models/none", {"there is no folder ./models/none"});
  refused("/a/b/c", {"there is no folder /a/b/c"});
}

TEST_F(ModelPath, FilesAreNoFolders) {
  write("model.gguf", "GGUF\x03");
  write("weights.bin", "x");
  refused(folder_ / "model.gguf", {"GGUF", "gguf_file"});
  refused(folder_ / "weights.bin", {"is a file", "give the folder"});
  refused(folder_, {"model.gguf is a GGUF file"});
}

TEST_F(ModelPath, ARootOfTheHubsCacheNamesItsSnapshot) {
  create_folder(folder_ / "snapshots/abc");
  write("refs/main", "abc\n");
  refused(folder_, {"hub's cache", (folder_ / "snapshots/abc").string()});
}

TEST_F(ModelPath, AnAdapterIsMergedFirst) {
  write("adapter_config.json", R"({"base_model_name_or_path": "Qwen/Qwen3-8B"})");
  write("adapter_model.safetensors", "x");
  refused(folder_, {"LoRA", "Qwen/Qwen3-8B", "merge_and_unload"});
}

TEST_F(ModelPath, PointersOfGitLfsAreNoFiles) {
  write("config.json", "{}");
  write("model.safetensors", pointer_);
  refused(folder_, {"model.safetensors is a Git LFS pointer", "git lfs pull"});
}

TEST_F(ModelPath, OtherFormsOfWeightsAreNamed) {
  refused(folder_, {"config.json: is "});
  write("params.json", "{}");
  refused(folder_, {"params.json"});
  write("config.json", R"({"quantization": {"group_size": 64, "bits": 4}})");
  refused(folder_, {"MLX"});
  write("config.json", "{}");
  write("quantize_config.json", "{}");
  refused(folder_, {"GPTQ"});
  fs::remove(folder_ / "quantize_config.json");
  write("pytorch_model.bin", "x");
  refused(folder_, {"pytorch_model.bin", "safe_serialization=True"});
}

TEST_F(ModelPath, AllMissingShardsAreNamedAtOnce) {
  write("config.json", "{}");
  write("a.safetensors", "x");
  write("model.safetensors.index.json",
        R"({"weight_map": {"u": "a.safetensors", "v": "b.safetensors", "w": "c.safetensors"}})");
  refused(folder_, {"2 of the weights' files", "b.safetensors, c.safetensors"});
}

}  // namespace
}  // namespace relmpi
