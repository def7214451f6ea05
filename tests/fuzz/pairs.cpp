// A file of sentence pairs: data/shards/pairs.h.

#include "data/shards/pairs.h"

#include <algorithm>

#include "base/hash.h"
#include "base/utf8.h"
#include "data/text/characters.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

constexpr std::int64_t kMaxLength = 12;

void check_pair(const TextPair& pair) {
  const auto length = static_cast<std::int64_t>(pair.source.size());
  RELMPI_CHECK(pair.source.size() == pair.target.size() && 1 <= length && length <= kMaxLength, "{} and {}",
               pair.source.size(), pair.target.size());
  RELMPI_CHECK(std::ranges::none_of(pair.source + pair.target, is_space), "white space");
  TextPair again;
  BadLineExample bad;
  const std::string line = encode_utf8(pair.source) + '\t' + encode_utf8(pair.target);
  RELMPI_CHECK(parse_pair(line, kMaxLength, again, bad), "refused when read again: {}", bad.detail);
  RELMPI_CHECK(again.source == pair.source && again.target == pair.target, "read again as something else");
}

// The lines of a text, cut in the plainest way.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), lines.back().size() + 1));
  }
  if (!lines.empty() && lines.front().starts_with("\xEF\xBB\xBF")) lines.front().remove_prefix(3);
  return lines;
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("pairs.tsv");
  const std::string_view text = fuzz::text_of(data, size);
  PairReader reader(file.fill(text), kMaxLength);
  BadLines bad;
  TextPair pair, expected;
  std::int64_t pairs = 0, line = 0, refused = 0;
  const auto lines = lines_of(text);
  const auto next_expected = [&] {  // false at the end
    BadLineExample example;
    while (line < static_cast<std::int64_t>(lines.size())) {
      if (parse_pair(lines[static_cast<std::size_t>(line++)], kMaxLength, expected, example)) return true;
      ++refused;
    }
    return false;
  };
  for (; reader.next(pair, bad); ++pairs) {
    check_pair(pair);
    RELMPI_CHECK(next_expected() && reader.line() == line, "pair {} of line {}", pairs, reader.line());
    RELMPI_CHECK(pair.source == expected.source && pair.target == expected.target, "line {}", line);
  }
  RELMPI_CHECK(!next_expected(), "a pair was left out");
  RELMPI_CHECK(reader.line() == line && bad.total() == refused && pairs + refused == line, "{} + {} of {}",
               pairs, refused, line);
  RELMPI_CHECK(reader.bytes() == static_cast<std::int64_t>(size) && reader.xxh3() == xxh3_128(text), "bytes");
  fuzz::Verdicts& count = fuzz::verdicts()["lines"];
  count.taken += static_cast<std::uint64_t>(pairs);
  count.refused += static_cast<std::uint64_t>(refused);
  for (const BadLineExample& example : bad.examples())
    RELMPI_CHECK(1 <= example.line && example.line <= line && !example.detail.empty(), "line {}",
                 example.line);
  return 0;
}
