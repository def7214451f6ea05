// Real sentences with the errors people make.

#include <algorithm>

#include "base/files.h"
#include "data/shards/dataset.h"
#include "data/shards/inspect.h"
#include "data/shards/sharding.h"
#include "tests/data/shard_testing.h"

namespace relmpi {
namespace {

using namespace testing;

// Reads a pair file the plain way: ASCII white space cut out of the bytes. The files hold U+3000 and U+00A0
// too.
std::vector<std::string> plain_lines(const std::filesystem::path& path) {
  std::vector<std::string> lines = read_lines(path);
  for (std::string& line : lines) {
    for (const std::string space : {" ", "\u3000", "\u00A0", "\u2003", "\u2002", "\u2009", "\u2028"}) {
      for (std::size_t at = 0; (at = line.find(space, at)) != std::string::npos;)
        line.erase(at, space.size());
    }
  }
  return lines;
}

TEST(Ecspell, EveryGoodLineIsWrittenAndComesBack) {
  const auto data = shared_data();
  if (data.empty()) GTEST_SKIP() << "no ecspell folder: set RELMPI_SHARED_DATA";
  const TemporaryFolder folder;
  const Vocabulary vocabulary = Vocabulary::load(data / "bert-base-chinese/vocab.txt");
  ShardingOptions options;
  options.out = folder.path();
  options.max_length = 200;
  options.shards = 3;
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::directory_iterator(data / "ecspell"))
    options.pairs.push_back(entry.path());
  std::ranges::sort(options.pairs);
  for (const auto& path : options.pairs) {
    auto more = plain_lines(path);
    if (path.filename() == "train_odw.txt") more.erase(more.begin() + 513);
    lines.insert(lines.end(), more.begin(), more.end());
  }

  const ShardingReport report = shard_pairs(options, vocabulary);
  EXPECT_EQ(report.read, 8188);
  EXPECT_EQ(report.written, 8187);
  ASSERT_EQ(report.skipped.total(), 1);
  const auto examples = report.skipped.examples();
  EXPECT_EQ(examples[0].kind, BadLine::kUnequalLength);
  EXPECT_EQ(examples[0].line, 514);
  EXPECT_EQ(std::filesystem::path(examples[0].file).filename(), "train_odw.txt");

  const Dataset dataset(folder / "train", vocabulary);
  ASSERT_EQ(dataset.sentences(), static_cast<std::int64_t>(lines.size()));
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < dataset.sentences(); ++i) {
    const TextPair pair = dataset.text(i);
    std::string line = lines_of({pair});
    line.pop_back();
    ASSERT_EQ(line, lines[static_cast<std::size_t>(i)]) << "sentence " << i;
    for (std::size_t k = 0; k < pair.source.size(); ++k) wrong += pair.source[k] != pair.target[k];
  }
  InspectOptions what;
  what.path = folder / "train";
  what.verify = true;
  const Inspection inspection = inspect(what);
  EXPECT_EQ(inspection.wrong_characters, wrong);  // even if both characters have the same id
  EXPECT_EQ(inspection.sentences, 8187);
}

}  // namespace
}  // namespace relmpi
