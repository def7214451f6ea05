#include "data/shards/shard_reader.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "base/error.h"

namespace relmpi {
namespace {

using hdf5::Access;
using hdf5::Column;
using hdf5::Handle;
using hdf5::Location;

constexpr std::uint64_t kOffsetsAtOnce = 1 << 20;
constexpr const char* kRemedy = "write the shard again with relmpi-data shard";

ShardHeader read_header(hid_t file, const std::string& name) {
  const Location location{name, "/meta", Access::kRead};
  const Handle meta(RELMPI_HDF5(location, H5Gopen2, file, "/meta", H5P_DEFAULT), H5Gclose);
  ShardHeader header;
  header.format_version = hdf5::read_number(meta, "format_version", location);
  if (header.format_version != kShardFormat) {
    throw InputError("{}: /meta: format_version is {}; this program reads version {}: {}", name,
                     header.format_version, kShardFormat, kRemedy);
  }
  header.vocab_xxh3 = hdf5::read_text(meta, "vocab_xxh3", location);
  header.sentences = hdf5::read_number(meta, "sentences", location);
  header.tokens = hdf5::read_number(meta, "tokens", location);
  const auto text_if_present = [&](const char* attribute) {
    return hdf5::has_attribute(meta, attribute, location) ? hdf5::read_text(meta, attribute, location)
                                                          : std::string();
  };
  if (hdf5::has_attribute(meta, "vocab_size", location)) {
    header.vocab_size = hdf5::read_number(meta, "vocab_size", location);
  }
  header.creator = text_if_present("creator");
  header.sources = text_if_present("sources");
  header.selection = text_if_present("selection");
  header.noise = text_if_present("noise");
  return header;
}

void expect_size(const std::string& file, const char* name, std::uint64_t size, std::uint64_t expected) {
  if (size == expected) return;
  throw InputError("{}: {}: {} elements, but /meta promises {}: {}", file, name, size, expected, kRemedy);
}

}  // namespace

ShardReader::ShardReader(const std::filesystem::path& path) : path_(path) {
  const hdf5::Session session;
  const std::string name = path.string();
  file_ = hdf5::open_file(path);
  header_ = read_header(file_, name);
  source_ = Column::open(file_, name, "/source");
  target_ = Column::open(file_, name, "/target");
  exceptions_ = Column::open(file_, name, "/exceptions");
  offsets_ = Column::open(file_, name, "/offsets");
  for (const auto& [side, label] : {std::pair(&source_, "/source"), std::pair(&target_, "/target")}) {
    expect_size(name, label, side->size(), header_.tokens);
    if (side->unsigned_bytes() != 2 && side->unsigned_bytes() != 4) {
      throw InputError("{}: {}: not ids of 16 or 32 bits without sign: {}", name, label, kRemedy);
    }
  }
  if (header_.sentences > header_.tokens) {
    throw InputError("{}: /meta: {} sentences of {} characters in all: {}", name, header_.sentences,
                     header_.tokens, kRemedy);
  }
  expect_size(name, "/offsets", offsets_.size(), header_.sentences + 1);
  if (offsets_.unsigned_bytes() != 8) {
    throw InputError("{}: /offsets: not numbers of 64 bits without sign: {}", name, kRemedy);
  }
}

ShardReader::~ShardReader() = default;

std::vector<std::uint64_t> ShardReader::offsets(std::uint64_t begin, std::uint64_t end) const {
  std::vector<std::uint64_t> result(end - begin + 1);
  offsets_.read(H5T_NATIVE_UINT64, begin, result.size(), result.data());
  return result;
}

std::vector<std::uint16_t> ShardReader::lengths() const {
  std::vector<std::uint16_t> result;
  result.reserve(header_.sentences);
  std::uint64_t position = 0;
  for (std::uint64_t begin = 0; begin <= header_.sentences; begin += kOffsetsAtOnce) {
    const auto piece = offsets(begin, std::min(begin + kOffsetsAtOnce, header_.sentences + 1) - 1);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::uint64_t sentence = begin + i;  // the one that ends here is sentence - 1
      const bool fits = sentence == 0
                            ? piece[i] == 0
                            : piece[i] > position && piece[i] - position <= std::uint64_t{kLongestSentence};
      if (!fits || piece[i] > header_.tokens) {
        throw InputError(
            "{}: /offsets: number {} is {} after {}; they begin at 0 and grow by 1 to {} up to {}: {}",
            path_.string(), sentence, piece[i], position, kLongestSentence, header_.tokens, kRemedy);
      }
      if (sentence > 0) result.push_back(static_cast<std::uint16_t>(piece[i] - position));
      position = piece[i];
    }
  }
  if (position != header_.tokens) {
    throw InputError("{}: /offsets: they end at {}, but /meta promises {} tokens: {}", path_.string(),
                     position, header_.tokens, kRemedy);
  }
  return result;
}

void ShardReader::read_side(const Column& column, std::uint64_t begin, std::uint64_t count,
                            std::uint32_t* out) const {
  if (column.unsigned_bytes() == 4) return column.read(H5T_NATIVE_UINT32, begin, count, out);
  std::vector<std::uint16_t> ids(count);
  column.read(H5T_NATIVE_UINT16, begin, count, ids.data());
  std::copy(ids.begin(), ids.end(), out);
}

void ShardReader::read(std::uint64_t begin, std::uint64_t count, std::uint32_t* source,
                       std::uint32_t* target) const {
  const hdf5::Session session;
  read_side(source_, begin, count, source);
  read_side(target_, begin, count, target);
}

std::vector<ShardException> ShardReader::exceptions() const {
  const hdf5::Session session;
  const Location location{path_.string(), "/exceptions", Access::kRead};
  const Handle type(RELMPI_HDF5(location, H5Tcreate, H5T_COMPOUND, sizeof(ShardException)), H5Tclose);
  RELMPI_HDF5(location, H5Tinsert, type, "position", offsetof(ShardException, position), H5T_NATIVE_UINT64);
  RELMPI_HDF5(location, H5Tinsert, type, "code_point", offsetof(ShardException, code_point),
              H5T_NATIVE_UINT32);
  RELMPI_HDF5(location, H5Tinsert, type, "side", offsetof(ShardException, side), H5T_NATIVE_UINT8);
  std::vector<ShardException> all(exceptions_.size());
  exceptions_.read(type, 0, all.size(), all.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [position, code_point, side] = all[i];
    const bool is_character = code_point < 0xD800 || (code_point > 0xDFFF && code_point <= 0x10FFFF);
    const bool ascends = i == 0 || std::tie(all[i - 1].position, all[i - 1].side) < std::tie(position, side);
    if (position < header_.tokens && side < 2 && is_character && ascends) continue;
    throw InputError(
        "{}: /exceptions: record {} (position {}, side {}, code point {:#x}) is out of range or order: {}",
        path_.string(), i, position, side, code_point, kRemedy);
  }
  return all;
}

TextPair restore_text(const ShardReader& shard, const std::vector<ShardException>& exceptions,
                      const Vocabulary& vocabulary, std::uint64_t begin, std::uint64_t end) {
  const std::size_t length = end - begin;
  std::vector<std::uint32_t> ids[2] = {std::vector<std::uint32_t>(length),
                                       std::vector<std::uint32_t>(length)};
  shard.read(begin, length, ids[0].data(), ids[1].data());
  std::u32string text[2];
  for (int side = 0; side < 2; ++side) {
    for (const std::uint32_t id : ids[side]) {
      const bool known = id < static_cast<std::uint32_t>(vocabulary.size());
      text[side].push_back(known ? vocabulary.character(static_cast<std::int32_t>(id)) : 0);
    }
  }
  const auto before = [](const ShardException& item, std::uint64_t position) {
    return item.position < position;
  };
  auto item = std::lower_bound(exceptions.begin(), exceptions.end(), begin, before);
  std::vector<bool> restored[2] = {std::vector<bool>(length), std::vector<bool>(length)};
  for (; item != exceptions.end() && item->position < end; ++item) {
    text[item->side][item->position - begin] = static_cast<char32_t>(item->code_point);
    restored[item->side][item->position - begin] = true;
  }
  for (int side = 0; side < 2; ++side) {
    for (std::size_t i = 0; i < length; ++i) {
      if (text[side][i] != 0 || restored[side][i]) continue;
      throw InputError(
          "{}: /{}: id {} at position {} is not a character of the vocabulary, and /exceptions does not say "
          "which it was: {}",
          shard.path().string(), side == 0 ? "source" : "target", ids[side][i], begin + i, kRemedy);
    }
  }
  return {std::move(text[0]), std::move(text[1])};
}

}  // namespace relmpi
