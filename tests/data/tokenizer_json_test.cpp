#include "data/tokenizers/tokenizer_json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "base/error.h"
#include "data/tokenizers/bpe_tokenizer.h"
#include "test_data.h"
#include "tokenizer_testing.h"

namespace relmpi {
namespace {

using nlohmann::json;

// Reads a small tokenizer after a change.
void read_changed(const std::function<void(json&)>& change) {
  json document = small_tokenizer({"a b", "c d"});
  change(document);
  read_tokenizer_json(document.dump(), "tokenizer.json");
}

struct Refusal {
  const char* what;
  std::function<void(json&)> change;
  const char* names;  // what the error must say
};

const std::vector<Refusal>& refusals() {
  static const json byte_level = small_tokenizer()["pre_tokenizer"];
  static const auto sequence = [](json first, json second) {
    return json{{"type", "Sequence"}, {"pretokenizers", {std::move(first), std::move(second)}}};
  };
  static const std::vector<Refusal> all = {
      {"another model", [](json& d) { d["model"]["type"] = "Unigram"; }, "\"Unigram\""},
      {"no model", [](json& d) { d.erase("model"); }, "\"model\" is missing"},
      {"byte fallback where a byte has no token",
       [](json& d) {
         d["model"]["byte_fallback"] = true;
         d["model"]["vocab"].erase("z");
       },
       "byte_fallback"},
      {"dropout", [](json& d) { d["model"]["dropout"] = 0.1; }, "dropout"},
      {"a prefix", [](json& d) { d["model"]["continuing_subword_prefix"] = "##"; },
       "continuing_subword_prefix"},
      {"a suffix", [](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }, "end_of_word_suffix"},
      {"an unknown token that is none where a byte has no token",
       [](json& d) {
         d["model"]["unk_token"] = "<unk>";
         d["model"]["vocab"].erase("z");
       },
       "unk_token"},
      {"an empty vocabulary", [](json& d) { d["model"]["vocab"] = json::object(); }, "vocabulary is empty"},
      {"an id twice", [](json& d) { d["model"]["vocab"]["ab"] = 7; }, "the same id 7"},
      {"an id that is negative", [](json& d) { d["model"]["vocab"]["ab"] = -1; }, "-1"},
      {"an id that is a fraction", [](json& d) { d["model"]["vocab"]["ab"] = 1.5; }, "1.5"},
      {"an id far away", [](json& d) { d["model"]["vocab"]["ab"] = 1000000000; }, "1000000000"},
      {"an id beyond all", [](json& d) { d["model"]["vocab"]["ab"] = 18446744073709551615U; }, "no token id"},
      {"a merge of strangers", [](json& d) { d["model"]["merges"].push_back("zz q"); }, "\"zz\""},
      {"a merge into a stranger", [](json& d) { d["model"]["merges"].push_back("z q"); }, "\"zq\""},
      {"a merge of three", [](json& d) { d["model"]["merges"].push_back("a b c"); }, "no merge"},
      {"a merge of numbers",
       [](json& d) {
         d["model"]["merges"].push_back({1, 2});
       },
       "merges[2]"},
      {"another normalizer",
       [](json& d) {
         d["normalizer"] = {{"type", "Lowercase"}};
       },
       "Lowercase"},
      {"a wrong added id", [](json& d) { d["added_tokens"] = {added_token(300, "<s>")}; }, "gives it 258"},
      {"an added token of other id", [](json& d) { d["added_tokens"] = {added_token(258, "ab")}; },
       "gives it 256"},
      {"an added token twice with two ids",
       [](json& d) {
         d["added_tokens"] = {added_token(258, "<s>"), added_token(259, "<s>")};
       },
       "twice"},
      {"an added token twice with two meanings",
       [](json& d) {
         d["added_tokens"] = {added_token(258, "<s>"), added_token(258, "<s>", false)};
       },
       "twice"},
      {"an empty added token", [](json& d) { d["added_tokens"] = {added_token(258, "")}; }, "empty"},
      {"a flag that is none",
       [](json& d) {
         d["added_tokens"] = {{{"id", 258}, {"content", "x"}, {"special", 1}}};
       },
       "true or false"},
      {"no byte level",
       [](json& d) {
         d["pre_tokenizer"] = {{"type", "Digits"}};
       },
       "no ByteLevel"},
      {"no pre-tokenizer", [](json& d) { d["pre_tokenizer"] = nullptr; }, "\"pre_tokenizer\" is missing"},
      {"another pre-tokenizer",
       [](json& d) {
         d["pre_tokenizer"] = {{"type", "Metaspace"}};
       },
       "Metaspace"},
      {"a step behind byte level",
       [](json& d) {
         d["pre_tokenizer"] = sequence(byte_level, {{"type", "Digits"}});
       },
       "pretokenizers[1]"},
      {"an unknown behavior",
       [](json& d) { d["pre_tokenizer"] = sequence(split_step("a", "Sideways"), byte_level); }, "Sideways"},
      {"a regex that is none",
       [](json& d) { d["pre_tokenizer"] = sequence(split_step("(", "Isolated"), byte_level); },
       "pretokenizers[0].pattern"},
      {"an empty string",
       [](json& d) {
         d["pre_tokenizer"] = sequence(
             {{"type", "Split"}, {"pattern", {{"String", ""}}}, {"behavior", "Isolated"}}, byte_level);
       },
       "empty"},
      {"another decoder",
       [](json& d) {
         d["decoder"] = {{"type", "WordPiece"}};
       },
       "decoder"},
      {"no decoder", [](json& d) { d["decoder"] = nullptr; }, "\"decoder\" is missing"},
      {"another post-processor",
       [](json& d) {
         d["post_processor"] = {{"type", "BertProcessing"}};
       },
       "BertProcessing"},
      {"a template of a token without a text",
       [](json& d) {
         d["model"]["vocab"][""] = 258;
         d["post_processor"] = {
             {"type", "TemplateProcessing"},
             {"single", {{{"SpecialToken", {{"id", "x"}}}}, {{"Sequence", {{"id", "A"}}}}}},
             {"special_tokens", {{"x", {{"id", "x"}, {"ids", {258}}, {"tokens", {"x"}}}}}}};
       },
       "no token has the id 258"},
      {"a list", [](json& d) { d = json::array(); }, "an object was expected"},
  };
  return all;
}

TEST(TokenizerJson, RefusesWhatWouldChangeTheIds) {
  EXPECT_NO_THROW(read_changed([](json&) {}));
  for (const auto& refusal : refusals()) {
    const std::string message = message_of<InputError>([&] { read_changed(refusal.change); });
    EXPECT_NE(message.find(refusal.names), std::string::npos) << refusal.what << ": " << message;
    EXPECT_NE(message.find("tokenizer.json"), std::string::npos) << refusal.what << ": " << message;
  }
}

TEST(TokenizerJson, TakesHowAddedTokensAreNumbered) {
  read_changed([](json& d) {
    // "ab" keeps its place in the vocabulary, new ones come behind it.
    d["added_tokens"] = {added_token(256, "ab"), added_token(258, "<s>"), added_token(259, "</s>")};
  });
}

// Hugging Face's library reads such files, and these settings change no id.
TEST(TokenizerJson, TakesWhatCannotMatter) {
  const auto ids = [](const json& document) {
    return BpeTokenizer::from_bytes(document.dump(), "tokenizer.json").encode("abcd<s>é</s>");
  };
  json document = small_tokenizer({"a b", "c d"});
  document["added_tokens"] = {added_token(258, "<s>"), added_token(259, "</s>")};
  const auto expected = ids(document);
  document["added_tokens"] = {added_token(258, "<s>"), added_token(258, "<s>"), added_token(259, "</s>"),
                              added_token(258, "<s>")};
  EXPECT_EQ(ids(document), expected);
  document["model"]["byte_fallback"] = true;
  EXPECT_EQ(ids(document), expected);
  for (const char* unknown : {"", "<unk>"}) {
    document["model"]["unk_token"] = unknown;
    EXPECT_EQ(ids(document), expected);
  }
}

TEST(TokenizerJson, IsFoundInAFolder) {
  const TemporaryFolder folder;
  EXPECT_NE(message_of<InputError>([&] { BpeTokenizer::load(folder.path()); }).find("tokenizer.json"),
            std::string::npos);
  std::ofstream(folder / "tokenizer.json") << small_tokenizer().dump();
  EXPECT_EQ(BpeTokenizer::load(folder.path()).vocabulary_size(), 256);
  EXPECT_EQ(BpeTokenizer::load(folder / "tokenizer.json").vocabulary_size(), 256);
}

}  // namespace
}  // namespace relmpi
