#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <string>

namespace relmpi {

// Runs `work` under libtorch's profiler and writes a timeline of its operators (and GPU kernels) that
// chrome://tracing and ui.perfetto.dev open. Throws RuntimeError if the file cannot be written.
void write_trace(const std::string& file, at::Device device, const std::function<void()>& work);

}  // namespace relmpi
