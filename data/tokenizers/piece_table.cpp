#include "data/tokenizers/piece_table.h"

#include <bit>
#include <functional>
#include <utility>

namespace relmpi {
namespace {

std::uint32_t hash_of(std::string_view piece) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(piece));
}

}  // namespace

PieceTable::PieceTable(std::size_t expected) : table_(std::bit_ceil(2 * expected + 16)) {}

std::size_t PieceTable::slot(std::string_view piece, std::uint32_t hash) const {
  std::size_t at = hash & (table_.size() - 1);
  for (; table_[at].id >= 0; at = (at + 1) & (table_.size() - 1)) {
    const Entry& entry = table_[at];
    if (entry.hash == hash && piece == std::string_view(bytes_).substr(entry.begin, entry.length)) break;
  }
  return at;
}

void PieceTable::add(std::string_view piece, std::int32_t id) {
  if (2 * (size_ + 1) > table_.size()) {
    const auto old = std::exchange(table_, std::vector<Entry>(2 * table_.size()));
    for (const Entry& entry : old) {
      if (entry.id < 0) continue;
      table_[slot(std::string_view(bytes_).substr(entry.begin, entry.length), entry.hash)] = entry;
    }
  }
  const std::uint32_t hash = hash_of(piece);
  Entry& entry = table_[slot(piece, hash)];
  if (entry.id >= 0) return;
  entry = {hash, id, bytes_.size(), piece.size()};
  bytes_ += piece;
  ++size_;
}

std::int32_t PieceTable::find(std::string_view piece) const { return table_[slot(piece, hash_of(piece))].id; }

}  // namespace relmpi
