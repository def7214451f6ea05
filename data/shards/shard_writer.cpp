#include "data/shards/shard_writer.h"

#include <algorithm>
#include <cstddef>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

using hdf5::Access;
using hdf5::Column;
using hdf5::Handle;
using hdf5::Location;

constexpr std::uint64_t kNarrowVocabulary = 65536;
constexpr std::size_t kStoredExceptionBytes = 8 + 4 + 1;

Handle exception_type(bool stored, const Location& location) {
  const std::size_t bytes = stored ? kStoredExceptionBytes : sizeof(ShardException);
  Handle type(RELMPI_HDF5(location, H5Tcreate, H5T_COMPOUND, bytes), H5Tclose);
  const auto insert = [&](const char* name, std::size_t packed, std::size_t offset, hid_t element) {
    RELMPI_HDF5(location, H5Tinsert, type, name, stored ? packed : offset, element);
  };
  insert("position", 0, offsetof(ShardException, position), H5T_STD_U64LE);
  insert("code_point", 8, offsetof(ShardException, code_point), H5T_STD_U32LE);
  insert("side", 12, offsetof(ShardException, side), H5T_STD_U8LE);
  return type;
}

// Appends whole chunks, or everything, and keeps the rest. `narrow`: as 16-bit numbers.
template <typename T>
void write_out(Column& column, std::vector<T>& elements, bool all, bool narrow = false) {
  const std::size_t count = all ? elements.size() : elements.size() / kShardChunk * kShardChunk;
  if (count == 0) return;
  if constexpr (std::is_same_v<T, std::uint32_t>) {
    if (narrow) {
      const std::vector<std::uint16_t> ids(elements.begin(),
                                           elements.begin() + static_cast<std::ptrdiff_t>(count));
      column.append(ids.data(), count);
    }
  }
  if (!narrow) column.append(elements.data(), count);
  elements.erase(elements.begin(), elements.begin() + static_cast<std::ptrdiff_t>(count));
}

bool is_narrow(const Vocabulary& vocabulary) {
  return static_cast<std::uint64_t>(vocabulary.size()) <= kNarrowVocabulary;
}

}  // namespace

ShardWriter::ShardWriter(const std::filesystem::path& path, const Vocabulary& vocabulary, ShardHeader header)
    : path_(path), vocabulary_(vocabulary), header_(std::move(header)), offsets_{0} {
  header_.format_version = kShardFormat;
  header_.vocab_xxh3 = vocabulary.xxh3();
  header_.vocab_size = static_cast<std::uint64_t>(vocabulary.size());
  header_.sentences = header_.tokens = 0;
  const hdf5::Session session;
  file_ = hdf5::create_file(path);
  const std::string name = path.string();
  const bool narrow = is_narrow(vocabulary);
  const hid_t stored = narrow ? H5T_STD_U16LE : H5T_STD_U32LE;
  const hid_t memory = narrow ? H5T_NATIVE_UINT16 : H5T_NATIVE_UINT32;
  source_column_ = Column::create(file_, name, "/source", stored, memory, kShardChunk);
  target_column_ = Column::create(file_, name, "/target", stored, memory, kShardChunk);
  offsets_column_ = Column::create(file_, name, "/offsets", H5T_STD_U64LE, H5T_NATIVE_UINT64, kSmallChunk);
  const Location location{name, "/exceptions", Access::kWrite};
  const Handle packed = exception_type(true, location), loose = exception_type(false, location);
  exceptions_column_ = Column::create(file_, name, "/exceptions", packed, loose, kSmallChunk);
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::encode(const std::u32string& text, std::uint8_t side, std::vector<std::uint32_t>& ids) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::int32_t id = vocabulary_.character_id(text[i]);
    ids.push_back(static_cast<std::uint32_t>(id));
    // U+0000 is what the vocabulary says for "no character", so it is an exception even if it is a token.
    if (text[i] != 0 && vocabulary_.character(id) == text[i]) continue;
    exceptions_.push_back({header_.tokens + i, static_cast<std::uint32_t>(text[i]), side});
  }
}

void ShardWriter::append(const TextPair& pair) {
  RELMPI_CHECK(!pair.source.empty() && pair.source.size() == pair.target.size(), "{} and {} characters",
               pair.source.size(), pair.target.size());
  const auto first = static_cast<std::ptrdiff_t>(exceptions_.size());
  encode(pair.source, 0, source_);
  const auto middle = static_cast<std::ptrdiff_t>(exceptions_.size());
  encode(pair.target, 1, target_);
  const auto by_position = [](const ShardException& a, const ShardException& b) {
    return a.position < b.position;
  };
  std::inplace_merge(exceptions_.begin() + first, exceptions_.begin() + middle, exceptions_.end(),
                     by_position);
  header_.tokens += pair.source.size();
  header_.sentences += 1;
  offsets_.push_back(header_.tokens);
  if (source_.size() >= 16 * kShardChunk) flush(false);
}

void ShardWriter::flush(bool all) {
  const hdf5::Session session;
  const bool narrow = is_narrow(vocabulary_);
  write_out(source_column_, source_, all, narrow);
  write_out(target_column_, target_, all, narrow);
  write_out(offsets_column_, offsets_, all);
  write_out(exceptions_column_, exceptions_, all);
}

void ShardWriter::finish() {
  const hdf5::Session session;
  flush(true);
  const Location location{path_.string(), "/meta", Access::kWrite};
  {
    const Handle meta = hdf5::create_group(file_, "/meta", location);
    hdf5::write_attribute(meta, "format_version", header_.format_version, location);
    hdf5::write_attribute(meta, "vocab_xxh3", header_.vocab_xxh3, location);
    hdf5::write_attribute(meta, "vocab_size", header_.vocab_size, location);
    hdf5::write_attribute(meta, "sentences", header_.sentences, location);
    hdf5::write_attribute(meta, "tokens", header_.tokens, location);
    hdf5::write_attribute(meta, "creator", header_.creator, location);
    hdf5::write_attribute(meta, "sources", header_.sources, location);
    hdf5::write_attribute(meta, "selection", header_.selection, location);
    if (!header_.noise.empty()) hdf5::write_attribute(meta, "noise", header_.noise, location);
  }
  for (Column* column : {&source_column_, &target_column_, &offsets_column_, &exceptions_column_})
    column->close();
  const Location whole{path_.string(), "", Access::kWrite};
  RELMPI_HDF5(whole, H5Fflush, file_, H5F_SCOPE_GLOBAL);
  file_.close("H5Fclose", whole);
  fsync_path(path_);
}

}  // namespace relmpi
