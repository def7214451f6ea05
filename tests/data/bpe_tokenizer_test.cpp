#include "data/tokenizers/bpe_tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "data/tokenizers/streaming_decoder.h"
#include "test_data.h"
#include "tokenizer_testing.h"

namespace relmpi {
namespace {

using Ids = std::vector<std::int32_t>;
using Tokens = std::vector<std::string>;
using nlohmann::json;

BpeTokenizer tokenizer_of(const json& document) {
  return BpeTokenizer::from_bytes(document.dump(), "tokenizer.json");
}

const Tokens kHello = {"h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or"};

Ids bytes_of(const std::string& text) {
  Ids ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

TEST(BpeTokenizer, MergesThePairsOfLowestRankFirst) {
  const auto tokenizer = tokenizer_of(small_tokenizer(kHello));
  EXPECT_EQ(tokenizer.encode_fully("hello world").tokens, (Tokens{"hello", "Ġwor", "l", "d"}));
  EXPECT_EQ(tokenizer.encode("hello world"), (Ids{259, 262, 'l', 'd'}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.vocabulary_size(), 263);
  EXPECT_EQ(tokenizer.token(262), "Ġwor");
  EXPECT_EQ(tokenizer.bytes(262), " wor");
}

TEST(BpeTokenizer, MergesMayBeTextsOrPairs) {
  json document = small_tokenizer(kHello);
  json pairs = json::array();
  for (const std::string& merge : kHello) {
    const auto space = merge.find(' ');
    pairs.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  document["model"]["merges"] = pairs;
  EXPECT_EQ(tokenizer_of(document).encode("hello world"), (Ids{259, 262, 'l', 'd'}));
}

// "ab" is in the vocabulary, but its parts merge into other tokens first.
TEST(BpeTokenizer, AWholePieceIsOneTokenOnlyWhereTheMergesSaySoUnlessTheyAreIgnored) {
  json document = small_tokenizer({"b c", "a b", "ab c"});
  EXPECT_EQ(tokenizer_of(document).encode_fully("abc").tokens, (Tokens{"a", "bc"}));
  document["model"]["ignore_merges"] = true;
  EXPECT_EQ(tokenizer_of(document).encode_fully("abc").tokens, Tokens{"abc"});
}

TEST(BpeTokenizer, BytesWithoutATokenAreLeftOutAndTold) {
  json document = small_tokenizer({"a b"});
  document["model"]["vocab"].erase(byte_level_text("\x01"));
  document["model"]["vocab"].erase(byte_level_text("\xC3"));
  const auto tokenizer = tokenizer_of(document);
  // The neighbours of a byte that is left out merge.
  const auto encoding = tokenizer.encode_fully("x a\x01\x01é");
  EXPECT_EQ(encoding.ids, (Ids{'x', ' ', 'a', 0xA9}));
  ASSERT_EQ(encoding.dropped.size(), 3U);
  EXPECT_EQ(encoding.dropped[0].place, 3U);
  EXPECT_EQ(encoding.dropped[0].byte, 1);
  EXPECT_EQ(encoding.dropped[2].place, 5U);
  EXPECT_EQ(encoding.dropped[2].byte, 0xC3);
  document["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(tokenizer_of(document)
                .encode_fully("a\x01"
                              "b")
                .tokens,
            Tokens{"ab"});
}

// The space that add_prefix_space puts in is none of the text.
TEST(BpeTokenizer, OnlyBytesOfTheTextAreTold) {
  json document = small_tokenizer();
  document["model"]["vocab"].erase(byte_level_text(" "));
  document["model"]["vocab"].erase(byte_level_text("\x01"));
  document["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {split_step(R"(\|)", "Removed"), {{"type", "ByteLevel"}, {"add_prefix_space", true}}}}};
  const auto encoding = tokenizer_of(document).encode_fully("\x01|b\x01 c");
  EXPECT_EQ(encoding.ids, (Ids{'b', 'c'}));
  ASSERT_EQ(encoding.dropped.size(), 3U);
  for (const auto& [i, place, byte] : {std::tuple(0, 0, 0x01), {1, 3, 0x01}, {2, 4, 0x20}}) {
    EXPECT_EQ(encoding.dropped[static_cast<std::size_t>(i)].place, static_cast<std::size_t>(place));
    EXPECT_EQ(encoding.dropped[static_cast<std::size_t>(i)].byte, byte);
  }
}

TEST(BpeTokenizer, AnUnknownTokenStandsForBytesWithoutOne) {
  json document = small_tokenizer();
  document["model"]["vocab"].erase(byte_level_text("\x01"));
  document["model"]["vocab"]["<unk>"] = 300;
  document["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(tokenizer_of(document).encode("\x01\x01.\x01"), (Ids{300, 300, '.', 300}));
  document["model"]["fuse_unk"] = true;
  const auto encoding = tokenizer_of(document).encode_fully("\x01\x01.\x01");
  EXPECT_EQ(encoding.ids, (Ids{300, '.', 300}));
  EXPECT_TRUE(encoding.dropped.empty());
}

TEST(BpeTokenizer, AddedTokensAreFoundFirstTheLongestAtAPlace) {
  json document = small_tokenizer(kHello);
  document["added_tokens"] = {added_token(263, "<|end|>"), added_token(264, "<|end|>s"),
                              added_token(258, "hell", false)};
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer.encode("<|end|><|end|>s<|end"), (Ids{263, 264, '<', '|', 'e', 'n', 'd'}));
  EXPECT_EQ(tokenizer.encode("hello"), (Ids{258, 'o'}));
  EXPECT_EQ(tokenizer.encode("a<|end|>hell", {.special_tokens_in_text = false}),
            (Ids{'a', '<', '|', 'e', 'n', 'd', '|', '>', 258}));
  EXPECT_TRUE(tokenizer.is_special(263));
  EXPECT_FALSE(tokenizer.is_special(258));
  const Ids ids = {263, 259, 258};
  EXPECT_EQ(tokenizer.decode(ids), "<|end|>hellohell");
  EXPECT_EQ(tokenizer.decode(ids, true), "hellohell");
}

TEST(BpeTokenizer, AddedTokensMayTakeSpacesOrWantToStandAlone) {
  json document = small_tokenizer();
  document["added_tokens"] = {added_token(256, "<l>"), added_token(257, "<r>"), added_token(258, "ww")};
  document["added_tokens"][0]["lstrip"] = true;
  document["added_tokens"][1]["rstrip"] = true;
  document["added_tokens"][2]["single_word"] = true;
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer.encode("a \u3000<l> b"), (Ids{'a', 256, ' ', 'b'}));
  EXPECT_EQ(tokenizer.encode_fully("a <l>").tokens[1], " <l>");
  EXPECT_EQ(tokenizer.encode("a <r> \n<l>"), (Ids{'a', ' ', 257, 256}));
  EXPECT_EQ(tokenizer.encode("ww,ww-ww"), (Ids{258, ',', 258, '-', 258}));
  EXPECT_EQ(tokenizer.encode("www"), (Ids{'w', 'w', 'w'}));
  EXPECT_EQ(tokenizer.encode("éww ww_"), bytes_of("éww ww_"));
}

// Ids of Hugging Face's library, which ends in a panic at the last of these texts.
TEST(BpeTokenizer, SpacesThatTwoAddedTokensWantGoToTheFirst) {
  json document = small_tokenizer();
  document["added_tokens"] = {added_token(256, "<r>"), added_token(257, "  ")};
  document["added_tokens"][0]["rstrip"] = document["added_tokens"][1]["lstrip"] = true;
  const auto stripping = tokenizer_of(document);
  EXPECT_EQ(stripping.encode("a<r>  b"), (Ids{'a', 256, 'b'}));
  EXPECT_EQ(stripping.encode("a   <r> b"), (Ids{'a', 257, ' ', 256, 'b'}));
  EXPECT_EQ(stripping.encode("a<r>   b"), (Ids{'a', 256, 'b'}));
  // Without lstrip the spaces are there twice.
  document["added_tokens"][1]["lstrip"] = false;
  EXPECT_EQ(tokenizer_of(document).encode("a<r>  b"), (Ids{'a', 256, 257, 'b'}));
  EXPECT_EQ(tokenizer_of(document).encode("a<r>   b"), (Ids{'a', 256, 257, ' ', 'b'}));
}

TEST(BpeTokenizer, NormalisesBetweenTheTokensThatAreFoundAsTheyStand) {
  json document = small_tokenizer();
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  document["added_tokens"] = {added_token(256, "e\u0301!"), added_token(257, "o\u0301?")};
  document["added_tokens"][1]["normalized"] = true;
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer.encode("e\u0301"), bytes_of("é"));
  EXPECT_EQ(tokenizer.encode("e\u0301!"), Ids{256});
  EXPECT_EQ(tokenizer.encode("é!"), bytes_of("é!"));
  EXPECT_EQ(tokenizer.encode("o\u0301?ó?"), (Ids{257, 257}));
  document["normalizer"] = nullptr;
  EXPECT_EQ(tokenizer_of(document).encode("e\u0301"), bytes_of("e\u0301"));
}

TEST(BpeTokenizer, PutsTheTemplatesTokensAroundATextOnRequest) {
  json document = small_tokenizer();
  document["added_tokens"] = {added_token(256, "<s>"), added_token(257, "</s>")};
  const auto token = [](const char* name, int id) {
    return json{{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  document["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}},
        {{"type", "TemplateProcessing"},
         {"single",
          {{{"SpecialToken", {{"id", "<s>"}}}},
           {{"Sequence", {{"id", "A"}}}},
           {{"SpecialToken", {{"id", "</s>"}}}}}},
         {"special_tokens", {{"<s>", token("<s>", 256)}, {"</s>", token("</s>", 257)}}}}}}};
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer.encode("a"), Ids{'a'});
  EXPECT_EQ(tokenizer.encode("a", {.add_special_tokens = true}), (Ids{256, 'a', 257}));
  EXPECT_EQ(tokenizer.encode("", {.add_special_tokens = true}), (Ids{256, 257}));
}

TEST(BpeTokenizer, DecodesAnyIds) {
  const auto tokenizer = tokenizer_of(small_tokenizer());
  EXPECT_EQ(tokenizer.decode(bytes_of("中文")), "中文");
  EXPECT_EQ(tokenizer.decode(Ids{0xE4, 0xB8, 'x'}), "\uFFFDx");
  EXPECT_EQ(tokenizer.decode(Ids{'a', -1, 256, 2147483647, 'b'}), "ab");  // no tokens
  EXPECT_NE(message_of<InputError>([&] { tokenizer.token(256); }).find("256"), std::string::npos);
}

TEST(BpeTokenizer, RefusesTextThatIsNotUtf8) {
  const auto tokenizer = tokenizer_of(small_tokenizer());
  EXPECT_NE(message_of<InputError>([&] { tokenizer.encode("ab\xFF"); }).find("byte 2"), std::string::npos);
}

TEST(BpeTokenizer, StreamsWhatDecodeGives) {
  const auto tokenizer = tokenizer_of(small_tokenizer());
  StreamingDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push(0xB8), "");
  EXPECT_EQ(decoder.push(0xAD), "中");
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push('x'), "\uFFFDx");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Random random(1, "stream", i);
    Ids ids(random.below(30));
    constexpr int kLikely[] = {'a', 0x80, 0x9F, 0xBF, 0xC3, 0xE4, 0xED, 0xF0, 0xF4, 0xFF, 999};
    for (auto& id : ids) id = kLikely[random.below(std::size(kLikely))];
    std::string text;
    for (const auto id : ids) {
      const std::string now = decoder.push(id);
      EXPECT_FALSE(first_invalid_utf8(now).has_value());
      text += now;
    }
    EXPECT_EQ(text + decoder.finish(), tokenizer.decode(ids));
  }
}

// The square of these lengths would take hours.
TEST(BpeTokenizer, AWordOfAMillionLettersTakesAMoment) {
  const auto tokenizer = tokenizer_of(small_tokenizer({"a a", "aa aa", "Ġ Ġ", "ĠĠ ĠĠ"}));
  EXPECT_EQ(tokenizer.encode(std::string(1000000, 'a')).size(), 250000U);
  EXPECT_EQ(tokenizer.encode(std::string(1000000, ' ')).size(), 250000U);
}

TEST(BpeTokenizer, ThreadsShareATokenizer) {
  json document = small_tokenizer(kHello);
  document["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", {split_step(R"([\p{L}\p{M}]+)", "Isolated"), document["pre_tokenizer"]}}};
  const auto tokenizer = tokenizer_of(document);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "hello wörld " + std::to_string(i);
  const Ids expected = tokenizer.encode(text);
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  threads.reserve(found.size());
  for (auto& ids : found) threads.emplace_back([&] { ids = tokenizer.encode(text); });
  for (auto& thread : threads) thread.join();
  for (const auto& ids : found) EXPECT_EQ(ids, expected);
}

}  // namespace
}  // namespace relmpi
