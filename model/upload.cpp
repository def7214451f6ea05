#include "model/upload.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/torch_headers.h"
#if RELMPI_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace relmpi {
namespace {

#if RELMPI_CUDA
// The stream that copies to this device go through. libtorch owns it; asking for it starts the device, so
// that no other one is asked.
c10::cuda::CUDAStream copy_stream(c10::DeviceIndex device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
  const std::lock_guard lock(mutex);
  auto found = streams.find(device);
  if (found == streams.end())
    found = streams.emplace(device, c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)).first;
  return found->second;
}
#endif

at::Tensor to_device(const at::Tensor& host, at::Device device) {
#if RELMPI_CUDA
  if (device.is_cuda()) {
    const c10::cuda::CUDAStream copies = copy_stream(device.index());
    const c10::cuda::CUDAStream work = c10::cuda::getCurrentCUDAStream(device.index());
    at::Tensor there;
    at::cuda::CUDAEvent done;
    {
      const c10::cuda::CUDAStreamGuard guard(copies);
      there = host.to(device, /*non_blocking=*/true);
      done.record(copies);
    }
    done.block(work);
    there.record_stream(work);  // its memory is not used again before `work` is through with it
    return there;
  }
#endif
  return host.to(device);
}

}  // namespace

std::vector<at::Tensor> upload(
    const std::vector<std::reference_wrapper<const std::vector<std::int64_t>>>& arrays, at::Device device) {
  std::int64_t total = 0;
  for (const std::vector<std::int64_t>& array : arrays) total += static_cast<std::int64_t>(array.size());
  const at::Tensor host = at::empty({total}, at::TensorOptions(at::kLong).pinned_memory(device.is_cuda()));
  auto* next = host.data_ptr<std::int64_t>();
  for (const std::vector<std::int64_t>& array : arrays) next = std::ranges::copy(array, next).out;
  const at::Tensor all = to_device(host, device);
  std::vector<at::Tensor> tensors;
  std::int64_t begin = 0;
  for (const std::vector<std::int64_t>& array : arrays) {
    const auto size = static_cast<std::int64_t>(array.size());
    tensors.push_back(all.narrow(0, begin, size));
    begin += size;
  }
  return tensors;
}

}  // namespace relmpi
