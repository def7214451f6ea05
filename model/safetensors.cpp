#include "model/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/files.h"
#include "base/json_fields.h"
#include "base/mapped_file.h"

namespace relmpi {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<at::ScalarType, const char*>, 7> kDtypes{{{at::kDouble, "F64"},
                                                                         {at::kFloat, "F32"},
                                                                         {at::kHalf, "F16"},
                                                                         {at::kBFloat16, "BF16"},
                                                                         {at::kLong, "I64"},
                                                                         {at::kInt, "I32"},
                                                                         {at::kByte, "U8"}}};

std::optional<at::ScalarType> dtype_named(const std::string& name) {
  for (const auto& [dtype, known] : kDtypes)
    if (name == known) return dtype;
  return std::nullopt;
}

const char* name_of(at::ScalarType dtype) {
  for (const auto& [known, name] : kDtypes)
    if (dtype == known) return name;
  RELMPI_CHECK(false, "no safetensors name for dtype {}", c10::toString(dtype));
}

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

std::uint64_t header_length(std::string_view bytes, const std::string& file) {
  if (bytes.size() < 8) throw InputError("{} has {} bytes and is not a safetensors file", file, bytes.size());
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = (length << 8) | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  if (length > bytes.size() - 8)
    throw InputError(
        "{}: the header claims {} bytes, the file has {}: truncated or damaged; copy or download it again",
        file, length, bytes.size());
  return length;
}

// A tensor's sizes or offsets: whole numbers from 0 on.
std::vector<std::int64_t> numbers(const JsonFields& tensor, const char* name) {
  const json& list = tensor.array(name);
  const auto right = [](const json& number) { return is_whole_number(number) && number >= 0; };
  if (!std::all_of(list.begin(), list.end(), right)) tensor.wrong(name, list, "whole numbers from 0 on");
  return list.get<std::vector<std::int64_t>>();
}

// What the shape takes; a size of 0 must not hide that the others cannot be.
std::uint64_t bytes_of(const Entry& entry, const std::string& file) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  std::uint64_t bytes = c10::elementSize(entry.dtype);
  bool empty = false;
  for (const std::int64_t size : entry.shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (bytes > kMost / factor)
      throw InputError("{}: tensor {} has an impossible shape: [{}]", file, entry.name,
                       fmt::join(entry.shape, ","));
    bytes *= factor;
    empty = empty || size == 0;
  }
  return empty ? 0 : bytes;
}

Entry parse_entry(const std::string& name, const json& value, const std::string& file) {
  Entry entry{.name = name, .dtype = at::kFloat, .shape = {}, .begin = 0, .end = 0};
  const JsonFields fields(value, fmt::format("{}: tensor {}", file, name));
  const auto dtype = dtype_named(fields.text("dtype"));
  if (!dtype) fields.wrong("dtype", fields.at("dtype"), "F64, F32, F16, BF16, I64, I32 or U8");
  entry.dtype = *dtype;
  entry.shape = numbers(fields, "shape");
  const auto offsets = numbers(fields, "data_offsets");
  if (offsets.size() != 2) fields.wrong("data_offsets", fields.at("data_offsets"), "two numbers");
  entry.begin = static_cast<std::uint64_t>(offsets[0]);
  entry.end = static_cast<std::uint64_t>(offsets[1]);
  const std::uint64_t bytes = bytes_of(entry, file);
  if (entry.begin > entry.end || entry.end - entry.begin != bytes)
    throw InputError("{}: tensor {} needs {} bytes for its shape and dtype, but its offsets are {} to {}",
                     file, name, bytes, entry.begin, entry.end);
  return entry;
}

std::vector<Entry> parse_header(std::string_view bytes, std::uint64_t length, const std::string& file) {
  const json header = parse_json(bytes.substr(8, length), file);
  if (!header.is_object()) throw InputError("{}: the header is not a JSON object", file);
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items())
    if (name != "__metadata__") entries.push_back(parse_entry(name, value, file));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected)
      throw InputError(
          "{}: tensor {} starts at byte {} of the data, but {} was expected: overlapping or missing data",
          file, entry.name, entry.begin, expected);
    expected = entry.end;
  }
  if (expected != bytes.size() - 8 - length)
    throw InputError(
        "{}: the tensors need {} bytes, the file holds {}: truncated or damaged; copy or download it again",
        file, expected, bytes.size() - 8 - length);
  return entries;
}

}  // namespace

std::map<std::string, at::Tensor> map_safetensors(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto mapping = std::make_shared<const MappedFile>(path);
  const std::string_view bytes = mapping->bytes();
  const std::uint64_t length = header_length(bytes, file);
  std::map<std::string, at::Tensor> tensors;
  for (const Entry& entry : parse_header(bytes, length, file)) {
    const char* begin = bytes.data() + 8 + length + entry.begin;
    const bool aligned = reinterpret_cast<std::uintptr_t>(begin) % c10::elementSize(entry.dtype) == 0;
    at::Tensor tensor;
    if (aligned && entry.end > entry.begin) {
      tensor = at::from_blob(
          const_cast<char*>(begin), entry.shape, [mapping](void*) {}, at::TensorOptions(entry.dtype));
    } else {
      tensor = at::empty(entry.shape, entry.dtype);
      if (entry.end > entry.begin) std::memcpy(tensor.data_ptr(), begin, entry.end - entry.begin);
    }
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

std::map<std::string, at::Tensor> read_safetensors(const std::filesystem::path& path) {
  auto tensors = map_safetensors(path);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  return tensors;
}

void write_safetensors(const std::filesystem::path& file,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t bytes = tensor.nbytes();
    header[name] = {{"dtype", name_of(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  AtomicFile out(file);
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  out.write(length);
  out.write(text);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
    out.write({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  }
  out.commit();
}

}  // namespace relmpi
