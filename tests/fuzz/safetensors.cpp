// A safetensors file, header and data: model/safetensors.h.

#include "model/safetensors.h"

#include <ATen/ATen.h>

#include <cstring>

#include "base/files.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

bool same(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  return a.nbytes() == 0 || std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

// The tensors fill the file behind its header, with neither gap nor overlap, and are the same when written
// and read.
void check_tensors(const std::map<std::string, at::Tensor>& tensors, std::string_view file_bytes) {
  std::size_t bytes = 0;
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (const auto& [name, tensor] : tensors) {
    RELMPI_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(), "{}", name);
    bytes += tensor.nbytes();
    list.emplace_back(name, tensor);
  }
  std::uint64_t header = 0;
  for (std::size_t i = 8; i-- > 0;) header = header << 8 | static_cast<unsigned char>(file_bytes[i]);
  RELMPI_CHECK(8 + header + bytes == file_bytes.size(), "tensors of {} bytes behind a header of {}", bytes,
               header);
  static fuzz::ScratchFile file("again.safetensors");
  write_safetensors(file.path(), list);
  const auto again = read_safetensors(file.path());
  RELMPI_CHECK(again.size() == tensors.size(), "{} tensors, not {}", again.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) RELMPI_CHECK(same(again.at(name), tensor), "{}", name);
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("model.safetensors");
  const std::string_view bytes = fuzz::text_of(data, size);
  file.fill(bytes);
  if (const auto tensors = fuzz::accepted("safetensors", [&] { return read_safetensors(file.path()); }))
    check_tensors(*tensors, bytes);
  return 0;
}
