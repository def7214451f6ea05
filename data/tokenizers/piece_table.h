#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relmpi {

// Ids by the bytes of a piece of text. Built once, then only read.
class PieceTable {
 public:
  // Makes room for `expected` pieces.
  explicit PieceTable(std::size_t expected = 0);

  // A piece that is already there keeps its id.
  void add(std::string_view piece, std::int32_t id);
  // The id, or -1.
  std::int32_t find(std::string_view piece) const;

 private:
  struct Entry {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
    std::size_t begin = 0;
    std::size_t length = 0;
  };
  // Where the piece is, or the free place for it.
  std::size_t slot(std::string_view piece, std::uint32_t hash) const;

  std::string bytes_;         // all pieces end to end
  std::vector<Entry> table_;  // open addressing; a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace relmpi
