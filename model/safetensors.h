#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace relmpi {

// The safetensors format (github.com/huggingface/safetensors): 8 bytes of header length, a JSON header of
// name -> {dtype, shape, data_offsets}, then the tensors' bytes.

// Reads all tensors to host memory. Dtypes F64 F32 F16 BF16 I64 I32 U8. Throws InputError naming file and
// tensor for a truncated file, a header that is not JSON, offsets that overlap, leave gaps or do not fit
// shape and dtype.
std::map<std::string, at::Tensor> read_safetensors(const std::filesystem::path& file);

// The same without a copy: the tensors look into the file, which stays mapped while one of them lives. They
// must not be written to.
std::map<std::string, at::Tensor> map_safetensors(const std::filesystem::path& file);

// Writes atomically (temporary name, fsync, rename), tensors in the order given, host or device, made
// contiguous. `metadata` lands in "__metadata__" ({"format": "pt"} makes transformers accept the file).
void write_safetensors(const std::filesystem::path& file,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace relmpi
