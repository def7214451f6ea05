#include "data/tokenizers/normalize.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include <limits>

#include "base/error.h"

namespace relmpi {

std::string_view compose_utf8(std::string_view text, std::string& scratch) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InputError("a text of {} bytes is too long to be normalised; give it in parts", text.size());
  UErrorCode status = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(status);
  const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
  RELMPI_CHECK(U_SUCCESS(status), "NFC: {}", u_errorName(status));
  if (nfc->isNormalizedUTF8(piece, status) && U_SUCCESS(status)) return text;
  scratch.clear();
  icu::StringByteSink<std::string> sink(&scratch);
  nfc->normalizeUTF8(0, piece, sink, nullptr, status);
  RELMPI_CHECK(U_SUCCESS(status), "NFC: {}", u_errorName(status));
  return scratch;
}

}  // namespace relmpi
