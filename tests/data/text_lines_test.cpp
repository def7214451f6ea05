#include "data/text/text_lines.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "test_data.h"

namespace relmpi {
namespace {

using namespace std::string_literals;

std::vector<std::string> lines_of(const TemporaryFolder& folder, const std::string& bytes) {
  std::ofstream(folder / "f.txt", std::ios::binary) << bytes;
  return read_text_lines(folder / "f.txt");
}

TEST(TextLines, ByteOrderMarkAndWindowsLineEndsBelongToNoLine) {
  const TemporaryFolder folder;
  EXPECT_EQ(lines_of(folder, "\xEF\xBB\xBFHello\r\nW\r\r\n\nx"),
            (std::vector<std::string>{"Hello", "W\r", "", "x"}));
  EXPECT_EQ(lines_of(folder, ""), std::vector<std::string>{});
}

TEST(TextLines, OtherEncodingsAreNamedWithTheirLine) {
  const TemporaryFolder folder;
  const std::pair<std::string, const char*> cases[] = {
      {"a\ncaf\xE9\n", "f.txt:2: not valid UTF-8 at byte 3: it seems to be ISO-8859-1"},
      {"\xFF\xFEH\0i\0"s, "f.txt:1: not valid UTF-8 at byte 0: it seems to be UTF-16LE"},
      {"H\0i\0\n\0"s, "f.txt:1: not valid UTF-8 at byte 1: it seems to be UTF-16LE"},
      {"\0H\0i"s, "UTF-16BE"},
      {"\xC4\xE3\xBA\xC3", "GB18030"}};
  for (const auto& [bytes, expected] : cases) {
    const std::string message = message_of<InputError>([&, &bytes = bytes] { lines_of(folder, bytes); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_NE(message.find("iconv -f"), std::string::npos);
  }
}

}  // namespace
}  // namespace relmpi
