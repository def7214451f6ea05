#include "train/diagnose/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <fstream>

#include "base/torch_headers.h"

namespace relmpi {

void write_trace(const std::string& file, at::Device device, const std::function<void()>& work) {
  using torch::autograd::profiler::ActivityType;
  std::set<ActivityType> activities{ActivityType::CPU};
  if (device.is_cuda()) activities.insert(ActivityType::CUDA);
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO,
                                                     /*report_input_shapes=*/true);
  torch::autograd::profiler::prepareProfiler(config, activities);
  torch::autograd::profiler::enableProfiler(config, activities,
                                            {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  work();
  torch::autograd::profiler::disableProfiler()->save(file);
  if (!std::ifstream(file)) throw RuntimeError("the timeline could not be written to {}", file);
}

}  // namespace relmpi
