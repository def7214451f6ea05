// A vocabulary: data/text/vocabulary.h.

#include "data/text/vocabulary.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

void check_token(const Vocabulary& vocabulary, std::int32_t id) {
  const std::string& token = vocabulary.token(id);
  const auto text = decode_utf8(token);
  RELMPI_CHECK(text && !text->empty() && token.find('\n') == std::string::npos, "token {}", id);
  RELMPI_CHECK(vocabulary.find(token) == id, "token {} is found as {}", id, vocabulary.find(token));
  const char32_t character = vocabulary.character(id);
  RELMPI_CHECK(character == (text->size() == 1 ? text->front() : 0), "token {}", id);
  if (text->size() == 1) RELMPI_CHECK(vocabulary.character_id(text->front()) == id, "token {}", id);
}

// What a rewritten file with Windows' line ends holds: the same tokens.
void check_line_ends(const Vocabulary& vocabulary) {
  std::string bytes;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) bytes += vocabulary.token(id) + "\r\n";
  const auto again = Vocabulary::from_bytes(bytes, "again");
  RELMPI_CHECK(again.size() == vocabulary.size(), "{} tokens, not {}", again.size(), vocabulary.size());
  for (std::int32_t id = 0; id < vocabulary.size(); ++id)
    RELMPI_CHECK(again.token(id) == vocabulary.token(id), "token {}", id);
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  const std::string bytes(fuzz::text_of(data, size));
  const auto vocabulary = fuzz::accepted("vocabulary", [&] { return Vocabulary::from_bytes(bytes, "fuzz"); });
  if (!vocabulary) return 0;
  RELMPI_CHECK(vocabulary->bytes() == bytes && vocabulary->xxh3() == xxh3_128(bytes), "bytes are kept");
  for (std::int32_t id = 0; id < vocabulary->size(); ++id) check_token(*vocabulary, id);
  for (const std::int32_t id :
       {vocabulary->pad(), vocabulary->unk(), vocabulary->cls(), vocabulary->sep(), vocabulary->mask()})
    RELMPI_CHECK(vocabulary->token(id).starts_with('['), "special token {}", id);
  for (const char32_t c : {U'\0', U'a', U'A', U'一', U'\x10FFFF'}) {
    const std::int32_t id = vocabulary->character_id(c);
    RELMPI_CHECK(0 <= id && id < vocabulary->size(), "id {}", id);
  }
  check_line_ends(*vocabulary);
  return 0;
}
