// The commands as a user calls them: what is on stdout, and the exit codes.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "data/commands/commands.h"
#include "tests/data/shard_testing.h"

namespace relmpi {
namespace {

using namespace testing;

struct Result {
  int code;
  std::string output, errors;
};

int run_here(std::vector<std::string> words) {
  Tool tool("relmpi-data", "test");
  for (auto* add : {add_shard, add_inspect, add_bench}) add(tool);
  words.insert(words.begin(), "relmpi-data");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return tool.run(static_cast<int>(arguments.size()), arguments.data());
}

Result run(const std::vector<std::string>& words) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int code = run_here(words);
  std::fflush(stdout);
  return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

class ShardCommands : public ::testing::Test {
 protected:
  ShardCommands() {
    overwrite(folder_ / "vocab.txt", small_vocabulary().bytes());
    overwrite(folder_ / "pairs.tsv", "一丁七\t一丁丁\n一\t一丁\n\n万丈\t万丈\n");
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  Result shard(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"shard",         "--pairs", at("pairs.tsv"), "--vocab",
                                      at("vocab.txt"), "--out",   at("out")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  TemporaryFolder folder_;
};

TEST_F(ShardCommands, ShardPrintsWhatItRead) {
  const Result result = shard({"--json"});
  EXPECT_EQ(result.code, 0) << result.errors;
  const auto document = nlohmann::json::parse(result.output);
  EXPECT_EQ(document["read"], 4);
  EXPECT_EQ(document["written"], 2);
  EXPECT_EQ(document["skipped"],
            nlohmann::json::parse(R"({"unequal_length":1,"invalid_utf8":0,"empty":1,"too_long":0})"));
  ASSERT_EQ(document["examples"].size(), 2u);
  EXPECT_EQ(document["examples"][0]["file"], at("pairs.tsv"));
  EXPECT_EQ(document["examples"][0]["line"], 2);
  EXPECT_EQ(document["examples"][0]["kind"], "unequal_length");
  EXPECT_EQ(document["examples"][1]["kind"], "empty");
}

TEST_F(ShardCommands, InspectPrintsTheHeaderAndTheErrorRate) {
  ASSERT_EQ(shard().code, 0);
  for (const std::string path : {"out/train", "out/train/shard-00000.h5"}) {
    const Result result = run({"inspect", at(path), "--verify", "--json", "--show", "1"});
    EXPECT_EQ(result.code, 0) << result.errors;
    const auto document = nlohmann::json::parse(result.output);
    EXPECT_EQ(document["format_version"], 1);
    EXPECT_EQ(document["sentences"], 2);
    EXPECT_EQ(document["tokens"], 5);
    EXPECT_EQ(document["vocab_xxh3"], small_vocabulary().xxh3());
    EXPECT_DOUBLE_EQ(document["error_rate"].get<double>(), .2);
    EXPECT_EQ(document["verified"], true);
    EXPECT_EQ(document["examples"], nlohmann::json::parse(R"([{"source":"一丁七","target":"一丁丁"}])"));
  }
  EXPECT_NE(run({"inspect", at("out/train"), "--show", "1"}).output.find("一丁[七>丁]"), std::string::npos);
}

TEST_F(ShardCommands, NoiseNotesAreKept) {
  overwrite(folder_ / "note.json", "{ \"seed\" : 3 }\n");
  ASSERT_EQ(shard({"--noise-note", at("note.json")}).code, 0);
  const auto document = nlohmann::json::parse(run({"inspect", at("out/train"), "--json"}).output);
  EXPECT_EQ(document["noise"]["seed"], 3);
  overwrite(folder_ / "note.json", "{ seed");
  EXPECT_EQ(shard({"--noise-note", at("note.json"), "--overwrite"}).code, 2);
}

TEST_F(ShardCommands, BadInputExitsWith2) {
  EXPECT_EQ(shard({"--strict"}).code, 2);
  EXPECT_EQ(shard({"--split", "0.5,0.6,0.1"}).code, 2);
  EXPECT_EQ(shard({"--split", "0.5,x"}).code, 2);
  EXPECT_EQ(shard({"--shards", "0"}).code, 2);
  EXPECT_EQ(run({"shard", "--vocab", at("vocab.txt"), "--out", at("out")}).code, 2);
  EXPECT_EQ(run({"inspect", at("none")}).code, 2);
  EXPECT_EQ(run({"bench", "--vocab", at("vocab.txt")}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ShardCommands, InspectOfDamageExitsWith2AndPrintsNothing) {
  ASSERT_EQ(shard().code, 0);
  std::string bytes = read_file(folder_ / "out/train/shard-00000.h5");
  bytes[bytes.size() / 2] ^= 4;
  overwrite(folder_ / "out/train/shard-00000.h5", bytes);
  const Result result = run({"inspect", at("out/train"), "--json"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.output, "");
  EXPECT_NE(result.errors.find("shard-00000.h5"), std::string::npos) << result.errors;
  EXPECT_NE(result.errors.find("XXH3-128"), std::string::npos) << result.errors;
}

TEST_F(ShardCommands, BenchMeasures) {
  ASSERT_EQ(shard().code, 0);
  const Result result = run({"bench", "--data", at("out/train"), "--vocab", at("vocab.txt"), "--pairs",
                             at("pairs.tsv"), "--seconds", "0.05", "--json"});
  EXPECT_EQ(result.code, 0) << result.errors;
  const auto document = nlohmann::json::parse(result.output);
  EXPECT_GT(document["loader"]["sentences_per_s"], 0);
  EXPECT_DOUBLE_EQ(document["loader"]["padding"].get<double>(), 1. / 6);  // rows of 3 and 2 characters
  EXPECT_EQ(document["sharding"]["sentences"], 2);
}

// A disk that is full, for which a limit on file sizes stands here: exit code 1, no crash, nothing left.
TEST_F(ShardCommands, AFullDiskLeavesNothing) {
  overwrite(folder_ / "pairs.tsv", lines_of(random_pairs(41, 20000)));
  const std::string errors = at("errors.txt");
  for (const rlim_t limit : {5000u, 70000u, 400000u, 700000u}) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (std::freopen(errors.c_str(), "w", stderr) == nullptr) std::_Exit(99);
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limits{limit, limit};
      ::setrlimit(RLIMIT_FSIZE, &limits);
      std::exit(
          run_here({"shard", "--pairs", at("pairs.tsv"), "--vocab", at("vocab.txt"), "--out", at("out")}));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status)) << limit << ": signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 1) << limit;
    EXPECT_NE(read_file(errors).find("File too large"), std::string::npos) << limit << read_file(errors);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out")) << limit;
  }
}

}  // namespace
}  // namespace relmpi
