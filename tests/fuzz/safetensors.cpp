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

void check_tensors(const std::map<std::string, at::Tensor>& tensors, std::size_t size) {
  std::size_t bytes = 0;
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (const auto& [name, tensor] : tensors) {
    RELMPI_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(), "{}", name);
    bytes += tensor.nbytes();
    list.emplace_back(name, tensor);
  }
  RELMPI_CHECK(bytes + 8 <= size, "tensors of {} bytes from {}", bytes, size);
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
  file.fill(fuzz::text_of(data, size));
  if (const auto tensors = fuzz::accepted([&] { return read_safetensors(file.path()); }))
    check_tensors(*tensors, size);
  return 0;
}
