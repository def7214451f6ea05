#include "data/spelling/confusion.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "test_data.h"

namespace relmpi {
namespace {

using Characters = std::vector<char32_t>;

ConfusionSet small_set() {
  ConfusionSet set;
  set.same_sound = {{U'字', {U'自', U'子'}}, {U'自', {U'字'}}};
  set.similar_sound = {{U'字', {U'知'}}};
  set.similar_shape = {{U'字', {U'学', U'宇', U'子'}}};
  set.frequent = {U'的', U'一'};
  set.counts = {{U'自', 3}, {U'子', 8}, {U'的', 100}, {U'𠀀', 1}};
  return set;
}

TEST(Confusion, ComesBackFromItsFile) {
  const TemporaryFolder folder;
  const auto set = small_set();
  set.save(folder / "c.json");
  const auto read = ConfusionSet::load(folder / "c.json");
  EXPECT_EQ(read.same_sound, set.same_sound);
  EXPECT_EQ(read.similar_sound, set.similar_sound);
  EXPECT_EQ(read.similar_shape, set.similar_shape);
  EXPECT_EQ(read.frequent, set.frequent);
  EXPECT_EQ(read.counts, set.counts);
}

TEST(Confusion, TheSameSetGivesTheSameFile) {
  const TemporaryFolder folder;
  auto set = small_set();
  set.save(folder / "a.json");
  set.same_sound.rehash(1000);  // another order in memory
  set.save(folder / "b.json");
  EXPECT_EQ(read_file(folder / "a.json"), read_file(folder / "b.json"));
}

TEST(Confusion, ErrorsNameTheEntry) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& lists, const std::string& counts = "{}") {
    const auto path = folder / "c.json";
    write_file_atomic(path, R"({"format_version":1,"same_sound":)" + lists +
                                R"(,"similar_sound":{},"similar_shape":{},"frequent":"","counts":)" + counts +
                                "}");
    return message_of<InputError>([&] { ConfusionSet::load(path); });
  };
  EXPECT_NE(message(R"({"字":"字"})").find("same_sound.字"), std::string::npos);
  EXPECT_NE(message(R"({"字":"自自"})").find("twice"), std::string::npos);
  EXPECT_NE(message(R"({"字字":"自"})").find("not one character"), std::string::npos);
  EXPECT_NE(message(R"({"字":["自"]})").find("string"), std::string::npos);
  EXPECT_NE(message("[]").find("'same_sound'"), std::string::npos);
  EXPECT_NE(message("{}", R"({"字":-1})").find("counts.字"), std::string::npos);
  write_file_atomic(folder / "other.json", R"({"字":["自"]})");
  const auto other = message_of<InputError>([&] { ConfusionSet::load(folder / "other.json"); });
  EXPECT_NE(other.find("--import-same"), std::string::npos);
  write_file_atomic(folder / "cut.json", R"({"format_version":1,)");
  EXPECT_THROW(ConfusionSet::load(folder / "cut.json"), InputError);
}

TEST(Confusion, ImportDropsAndCountsWhatDoesNotBelong) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "lists.json", R"({"字":["自","字","自","","子"],"两个":["自"]})");
  const auto [lists, dropped] = import_lists(folder / "lists.json");
  EXPECT_EQ(lists, (ConfusionSet::Lists{{U'字', {U'自', U'子'}}}));
  EXPECT_EQ(dropped.duplicates, 1);
  EXPECT_EQ(dropped.self, 1);
  EXPECT_EQ(dropped.not_one, 2);
  write_file_atomic(folder / "frequent.txt", "的\n一\n的\n\n");
  const auto frequent = import_characters(folder / "frequent.txt");
  EXPECT_EQ(frequent.characters, (Characters{U'的', U'一'}));
  EXPECT_EQ(frequent.dropped.duplicates, 1);
  EXPECT_EQ(frequent.dropped.not_one, 1);
}

TEST(Confusion, SortsByCountAndCutsToTheLimits) {
  auto set = small_set();
  set.sort_by_count();
  EXPECT_EQ(set.same_sound[U'字'], (Characters{U'子', U'自'}));
  EXPECT_EQ(set.similar_shape[U'字'], (Characters{U'子', U'学', U'宇'}));  // uncounted ones keep their order
  set.limit({1, 0, 2, 1});
  EXPECT_EQ(set.same_sound[U'字'], (Characters{U'子'}));
  EXPECT_EQ(set.similar_sound[U'字'], (Characters{U'知'}));
  EXPECT_EQ(set.similar_shape[U'字'], (Characters{U'子', U'学'}));
  EXPECT_EQ(set.frequent, (Characters{U'的'}));
}

TEST(Confusion, UniteAddsWhatIsMissingBehindWhatIsThere) {
  auto set = small_set();
  ConfusionSet other;
  other.same_sound = {{U'字', {U'渍', U'自'}}, {U'中', {U'钟'}}};
  other.frequent = {U'一', U'是'};
  other.counts = {{U'自', 99}, {U'钟', 2}};
  set.unite(other);
  EXPECT_EQ(set.same_sound[U'字'], (Characters{U'自', U'子', U'渍'}));
  EXPECT_EQ(set.same_sound[U'中'], (Characters{U'钟'}));
  EXPECT_EQ(set.frequent, (Characters{U'的', U'一', U'是'}));
  EXPECT_EQ(set.count(U'自'), 3);
  EXPECT_EQ(set.count(U'钟'), 2);
}

TEST(Confusion, RecoveryCountsPairsInsideTheUniverse) {
  ConfusionSet found;
  found.same_sound = {{U'字', {U'自'}}};
  found.similar_shape = {{U'字', {U'子'}}};
  // Wanted by sound: 字-自 (found), 字-子 (found by shape), 自-字 (missing).
  const auto recovery = recovered(small_set(), found, ErrorKind::kSameSound, U"字自子");
  EXPECT_EQ(recovery.pairs, 3);
  EXPECT_EQ(recovery.by_kind, 1);
  EXPECT_EQ(recovery.by_any, 2);
  EXPECT_EQ(recovered(small_set(), found, ErrorKind::kSameSound, U"字自").pairs, 2);
}

}  // namespace
}  // namespace relmpi
