#include "data/text/text_lines.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"

namespace relmpi {
namespace {

// Byte order marks; UTF-32's little one begins with UTF-16's.
struct Mark {
  std::string_view bytes;
  const char* encoding;
};
using namespace std::string_view_literals;
constexpr Mark kMarks[] = {{"\xFF\xFE\0\0"sv, "UTF-32LE"},
                           {"\0\0\xFE\xFF"sv, "UTF-32BE"},
                           {"\xFF\xFE"sv, "UTF-16LE"},
                           {"\xFE\xFF"sv, "UTF-16BE"}};

// The encoding of bytes that are no UTF-8, by their mark, their NULs (Latin letters in UTF-16 have one each)
// or their range. A guess, told as one.
const char* seeming_encoding(std::string_view bytes) {
  for (const Mark& mark : kMarks)
    if (bytes.starts_with(mark.bytes)) return mark.encoding;
  std::size_t even = 0, odd = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) (i % 2 == 0 ? even : odd) += bytes[i] == '\0' ? 1 : 0;
  if (odd > bytes.size() / 4) return "UTF-16LE";
  if (even > bytes.size() / 4) return "UTF-16BE";
  // Pairs of high bytes are Chinese; one alone between ASCII is a Latin letter.
  std::size_t pairs = 0, alone = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<unsigned char>(bytes[i]) < 0x80) continue;
    const bool pair = i + 1 < bytes.size() && static_cast<unsigned char>(bytes[i + 1]) >= 0x80;
    (pair ? pairs : alone) += 1;
    i += pair ? 1 : 0;
  }
  return pairs > alone ? "GB18030" : "ISO-8859-1";
}

[[noreturn]] void refuse(const std::string& source, std::string_view bytes, std::size_t at) {
  const char* encoding = seeming_encoding(bytes);
  throw InputError("{}: not valid UTF-8 at byte {}: it seems to be {}; convert it: iconv -f {} -t UTF-8",
                   source, at, encoding, encoding);
}

void refuse_wide(const std::string& bytes, const std::string& source) {
  for (const Mark& mark : kMarks)
    if (bytes.starts_with(mark.bytes)) refuse(source, bytes, 0);
  // Without a mark every second byte of Latin text is NUL, which is UTF-8 too.
  const auto nuls = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\0'));
  if (bytes.size() >= 4 && nuls > bytes.size() / 4) refuse(source, bytes, bytes.find('\0'));
}

}  // namespace

std::string checked_line(std::string line, const std::string& source, bool first) {
  if (first) refuse_wide(line, source);
  if (const auto wrong = first_invalid_utf8(line)) refuse(source, line, *wrong);
  if (line.ends_with('\r')) line.pop_back();
  if (first && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
  return line;
}

std::vector<std::string> read_text_lines(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  refuse_wide(bytes, file.string() + ":1");
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    lines.push_back(checked_line(bytes.substr(begin, end - begin),
                                 fmt::format("{}:{}", file.string(), lines.size() + 1), lines.empty()));
    begin = end + 1;
  }
  return lines;
}

std::string read_text(const std::filesystem::path& file) {
  std::string text;
  const auto lines = read_text_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) text += (i > 0 ? "\n" : "") + lines[i];
  return text;
}

}  // namespace relmpi
