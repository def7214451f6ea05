// tokenizer.json: data/tokenizers/tokenizer_json.h, and texts through the tokenizer that it describes:
// data/tokenizers/bpe_tokenizer.h.

#include <set>

#include "base/utf8.h"
#include "data/tokenizers/bpe_tokenizer.h"
#include "data/tokenizers/streaming_decoder.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

constexpr const char* kTexts[] = {
    "", "abc abcd  a1b22 <s>ab</s> x", "It's I'LL  \r\n\t e\u0301!\u3000中文 ½٣ 😀👍🏽\u0085",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    " \n \n\n<s> <s>  <s>"};

void check_text(const BpeTokenizer& tokenizer, const char* text, const EncodeOptions& options) {
  std::optional<Encoding> encoding;
  try {
    encoding = tokenizer.encode_fully(text, options);
  } catch (const InputError& error) {
    // The texts are valid and short: nothing but a regular expression out of time or memory is in their way.
    RELMPI_CHECK(std::string_view(error.what()).find("gave up on the text") != std::string_view::npos, "{}",
                 error.what());
    return;
  }
  RELMPI_CHECK(encoding->ids.size() == encoding->tokens.size(), "{} tokens", encoding->tokens.size());
  StreamingDecoder decoder(tokenizer);
  std::string streamed;
  for (const std::int32_t id : encoding->ids) {
    RELMPI_CHECK(0 <= id && id < tokenizer.vocabulary_size(), "id {}", id);
    streamed += decoder.push(id);
  }
  streamed += decoder.finish();
  RELMPI_CHECK(decode_utf8(streamed) && streamed == tokenizer.decode(encoding->ids), "{}", streamed);
  RELMPI_CHECK(tokenizer.encode(text, options) == encoding->ids, "the same text, other ids");
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  const auto tokenizer = fuzz::accepted(
      "tokenizer.json", [&] { return BpeTokenizer::from_bytes(fuzz::text_of(data, size), "fuzz"); });
  if (!tokenizer) return 0;
  std::set<std::string> tokens;
  for (std::int32_t id = -1; id <= std::min<std::int64_t>(tokenizer->vocabulary_size(), 300); ++id)
    if (tokenizer->has_token(id))
      RELMPI_CHECK(tokens.insert(tokenizer->token(id)).second, "id {} has the token of another", id);
  for (const char* text : kTexts) {
    check_text(*tokenizer, text, {});
    check_text(*tokenizer, text, {.special_tokens_in_text = false, .add_special_tokens = true});
  }
  return 0;
}
