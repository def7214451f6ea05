#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace relmpi {

// Records the kernels that some work starts, so that all of them can be started again at once: for when
// starting them one by one takes the host longer than running them takes the GPU.
class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;

  // Calls `work`, whose kernels do not run but become a graph; the function returned runs it on the current
  // stream. Tensors that the work reads or writes stay as long as the graph is used, and what it makes is
  // made at the same place at each run. Graphs of one recorder share their memory: one runs at a time, and
  // may overwrite what another made and nothing holds any more. Throws c10::Error for work that cannot be
  // recorded, such as one that waits for the device.
  virtual std::function<void()> record(const std::function<void()>& work) = 0;
};

// By CUDA graphs. Null if `device` is no GPU.
std::unique_ptr<GraphRecorder> make_graph_recorder(c10::Device device);

}  // namespace relmpi
