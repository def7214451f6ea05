#include "model/graph_recorder.h"

#include "base/torch_headers.h"
#if RELMPI_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace relmpi {

#if RELMPI_CUDA
namespace {

class CudaGraphs : public GraphRecorder {
 public:
  explicit CudaGraphs(c10::Device device) : stream_(c10::cuda::getStreamFromPool(false, device.index())) {}

  // Other threads (the loader's, which pins memory) may go on meanwhile.
  std::function<void()> record(const std::function<void()>& work) override {
    c10::cuda::device_synchronize();
    const c10::cuda::CUDAStreamGuard guard(stream_);
    const auto graph = std::make_shared<at::cuda::CUDAGraph>();
    graph->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        graph->capture_end();
      } catch (const c10::Error&) {  // the first error is the one that says why
      }
      throw;
    }
    graph->capture_end();
    return [graph] { graph->replay(); };
  }

 private:
  at::cuda::MempoolId_t pool_ = at::cuda::graph_pool_handle();
  c10::cuda::CUDAStream stream_;
};

}  // namespace
#endif

std::unique_ptr<GraphRecorder> make_graph_recorder(c10::Device device) {
#if RELMPI_CUDA
  if (device.is_cuda()) return std::make_unique<CudaGraphs>(device);
#endif
  (void)device;
  return nullptr;
}

}  // namespace relmpi
