#include "data/tokenizers/character_classes.h"

#include <unicode/uchar.h>

#include <vector>

namespace relmpi {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

UBool mark_range(const void* context, UChar32 begin, UChar32 end, UCharCategory category) {
  auto& classes = *static_cast<std::vector<std::uint8_t>*>(const_cast<void*>(context));
  const auto mask = U_MASK(category);
  const std::uint8_t bits = (mask & U_GC_L_MASK) != 0 ? kLetter : (mask & U_GC_N_MASK) != 0 ? kNumber : 0;
  for (auto c = static_cast<std::size_t>(begin); c < static_cast<std::size_t>(end); ++c) classes[c] = bits;
  return true;
}

}  // namespace

const std::uint8_t* character_classes() {
  static const auto classes = [] {
    std::vector<std::uint8_t> all(kCodePoints, 0);
    u_enumCharTypes(mark_range, &all);
    // No white space lies above U+3000.
    for (UChar32 c = 0; c <= 0x3000; ++c)
      if (u_isUWhiteSpace(c)) all[static_cast<std::size_t>(c)] |= kSpace;
    all['\r'] |= kNewline;
    all['\n'] |= kNewline;
    return all;
  }();
  return classes.data();
}

}  // namespace relmpi
