#include "data/tokenizers/wordpiece.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "test_data.h"
#include "wordpiece_golden.h"

namespace relmpi {
namespace {

Vocabulary golden_vocabulary() { return Vocabulary::from_bytes(kGoldenVocabulary, "golden"); }

TEST(Wordpiece, GivesTheIdsOfHuggingFacesTokenizer) {
  const auto vocabulary = golden_vocabulary();
  for (const auto& golden : kGoldenTokens) {
    const std::string text(golden.text, golden.bytes);
    const auto tokens = Wordpiece(vocabulary, {golden.lower_case}).tokenize(text);
    EXPECT_EQ(tokens.ids, golden.ids) << "'" << text << "', lower case: " << golden.lower_case;
    ASSERT_EQ(tokens.tokens.size(), tokens.ids.size());
    for (std::size_t i = 0; i < tokens.ids.size(); ++i)
      EXPECT_EQ(tokens.tokens[i], vocabulary.token(tokens.ids[i]));
  }
}

TEST(Wordpiece, DecodesPiecesIntoWordsAndTidiesPunctuation) {
  const auto vocabulary = golden_vocabulary();
  const Wordpiece wordpiece(vocabulary);
  const auto ids = wordpiece.tokenize("hello, 中文 unaffable.").ids;
  EXPECT_EQ(wordpiece.decode(ids), "hello, 中 文 unaffable.");
  EXPECT_EQ(wordpiece.decode({}), "");
}

TEST(Wordpiece, RefusesWhatItCannotRead) {
  const auto vocabulary = golden_vocabulary();
  const Wordpiece wordpiece(vocabulary);
  EXPECT_THROW(wordpiece.tokenize("\xff"), InputError);
  EXPECT_NE(
      message_of<InputError>([&] { wordpiece.decode({vocabulary.size()}); }).find("not in the vocabulary"),
      std::string::npos);
  EXPECT_THROW(wordpiece.decode({-1}), InputError);
}

TEST(Wordpiece, ChineseTextIsOneTokenACharacterAsInTheShards) {
  const auto path = shared_data() / "bert-base-chinese" / "vocab.txt";
  RELMPI_NEEDS(path);
  const auto vocabulary = Vocabulary::load(path);
  const std::u32string text = U"依据合同法，下列正确的是？";
  std::vector<std::int32_t> expected;
  for (char32_t c : text) expected.push_back(vocabulary.character_id(c));
  EXPECT_EQ(Wordpiece(vocabulary).tokenize("依据合同法，下列正确的是？").ids, expected);
}

}  // namespace
}  // namespace relmpi
