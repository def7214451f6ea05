#include "tests/pretend/pretend_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/Resize.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/native/transformers/sdp_utils_cpp.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;

// --- What is counted -------------------------------------------------------------------------------------

std::mutex mutex;
PretendCosts costs;
std::atomic<bool> may_wait{true};

void count_kernel(const std::string& name) {
  const std::lock_guard lock(mutex);
  ++costs.kernels[name];
}

void count_wait(const std::string& what) {
  TORCH_CHECK(may_wait, what, " would wait for the device");
  const std::lock_guard lock(mutex);
  ++costs.waits;
}

// --- Memory, guard, generator ------------------------------------------------------------------------------

class PretendAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    c10::DataPtr host = c10::GetCPUAllocator()->allocate(bytes);
    void* const data = host.get();
    void* const context = host.release_context();
    return {data, context, c10::GetCPUAllocator()->raw_deleter(), at::Device(kType, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return c10::GetCPUAllocator()->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

// One device with one stream, on which everything is done when it is asked for.
class PretendGuard : public c10::impl::DeviceGuardImplInterface {
 public:
  at::DeviceType type() const override { return kType; }
  at::Device exchangeDevice(at::Device) const override { return {kType, 0}; }
  at::Device getDevice() const override { return {kType, 0}; }
  void setDevice(at::Device) const override {}
  void uncheckedSetDevice(at::Device) const noexcept override {}
  c10::Stream getStream(at::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(at::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  at::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const at::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const at::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { count_wait("synchronize"); }
};

struct PretendHooks : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
  at::DeviceIndex deviceCount() const override { return 1; }
  const at::Generator& getDefaultGenerator(at::DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  void resizePrivateUse1Bytes(const c10::Storage& storage, std::size_t bytes) const override {
    at::native::resize_bytes_nocuda(storage, bytes);
  }
};

// --- Tensors -----------------------------------------------------------------------------------------------

bool is_ours(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == kType; }

// The same memory as a CPU tensor.
at::Tensor on_host(const at::Tensor& tensor) {
  if (!is_ours(tensor)) return tensor;
  const auto options = at::TensorOptions(tensor.dtype()).device(at::kCPU);
  if (tensor.numel() == 0) return at::empty_strided(tensor.sizes(), tensor.strides(), options);  // may grow
  return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), options);
}

// A copy of a CPU tensor, with its strides.
at::Tensor on_device(const at::Tensor& host) {
  if (!host.defined() || is_ours(host)) return host;
  const at::Tensor there =
      at::empty_strided(host.sizes(), host.strides(), host.options().device(pretend_device()));
  if (host.numel() > 0) on_host(there).copy_(host);
  return there;
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, c10::GetAllocator(kType),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                         std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, c10::GetAllocator(kType),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(dtype));
}

const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size, std::optional<at::MemoryFormat>) {
  at::native::resize_impl_cpu_(self.unsafeGetTensorImpl(), size, std::nullopt);
  return self;
}

at::Tensor reshape_alias(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride) {
  return at::native::as_strided_tensorimpl(self, size, stride, self.storage_offset());
}

at::Tensor as_strided(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride,
                      std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  if (is_ours(from) && !is_ours(to)) {
    count_wait("a copy to the host");
  } else if (!is_ours(from)) {
    const std::lock_guard lock(mutex);
    ++costs.uploads;
  } else {
    count_kernel("aten::copy_");
  }
  at::Tensor there = on_host(to);
  there.copy_(on_host(from));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_from(from, to, false);
}

at::Scalar item(const at::Tensor& self) {
  count_wait("item()");
  return at::_local_scalar_dense(on_host(self));
}

// --- All other operators: the CPU's, on the same memory
// --------------------------------------------------------

// The tensors of an argument: one, an optional one, or a list.
template <typename Function>
void for_each_tensor(c10::IValue& value, const Function& function) {
  if (value.isTensor()) {
    value = function(value.toTensor());
  } else if (value.isTensorList()) {
    std::vector<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(function(tensor));
    value = c10::IValue(list);
  } else if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
      list.push_back(tensor ? std::optional(function(*tensor)) : std::nullopt);
    value = c10::IValue(list);
  }
}

// Operators that a GPU cannot size without asking the device.
bool waits_for_size(const std::string& name, std::vector<c10::IValue>& arguments) {
  if (name == "aten::nonzero" || name == "aten::masked_select" || name.starts_with("aten::_unique"))
    return true;
  bool mask = false;
  if (name.starts_with("aten::index") || name == "aten::_index_put_impl_")
    for (std::size_t i = 1; i < arguments.size(); ++i)
      if (arguments[i].isOptionalTensorList() || arguments[i].isTensorList())
        for_each_tensor(arguments[i], [&](const at::Tensor& tensor) {
          mask = mask || (tensor.defined() && tensor.scalar_type() == at::kBool);
          return tensor;
        });
  return mask || name == "aten::equal";
}

void on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::FunctionSchema& schema = op.schema();
  const std::string name = schema.name();
  const std::size_t count = schema.arguments().size(), first = stack->size() - count;
  std::vector<c10::IValue> arguments(stack->begin() + static_cast<std::ptrdiff_t>(first), stack->end());
  stack->resize(first);
  const std::vector<c10::IValue> before = arguments;
  if (waits_for_size(name, arguments)) count_wait(name);
  count_kernel(name);
  for (c10::IValue& argument : arguments) {
    if (argument.isDevice()) argument = c10::IValue(at::Device(at::kCPU));
    for_each_tensor(argument, [&](const at::Tensor& tensor) {
      TORCH_CHECK(!tensor.defined() || is_ours(tensor) || tensor.dim() == 0, name,
                  ": a tensor of the CPU beside one of the device");
      return on_host(tensor);
    });
  }
  const std::vector<c10::IValue> on_hosts = arguments;
  torch::jit::Stack inner = arguments;
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &inner);
  // What an operator writes to is written in place, unless it made room for it.
  for (std::size_t i = 0; i < count; ++i) {
    const c10::AliasInfo* alias = schema.arguments()[i].alias_info();
    if (alias == nullptr || !alias->isWrite() || !before[i].isTensor()) continue;
    const at::Tensor ours = before[i].toTensor(), host = on_hosts[i].toTensor();
    if (!is_ours(ours) || ours.sizes() == host.sizes()) continue;
    ours.resize_(host.sizes());
    on_host(ours).copy_(host);
  }
  for (std::size_t r = 0; r < inner.size(); ++r) {
    const c10::AliasInfo* alias = schema.returns()[r].alias_info();
    if (alias == nullptr) {
      for_each_tensor(inner[r], [](const at::Tensor& tensor) { return on_device(tensor); });
    } else {
      TORCH_CHECK(alias->isWrite(), name, " is a view, which the device must make itself");
      for (std::size_t i = 0; i < count; ++i)
        if (const c10::AliasInfo* of = schema.arguments()[i].alias_info(); of != nullptr && *of == *alias)
          inner[r] = before[i];
    }
    stack->push_back(inner[r]);
  }
}

// --- Operators that a GPU has as one kernel, and the CPU has not
// -----------------------------------------------

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Three lstm_cell(const at::Tensor& input_gates, const at::Tensor& hidden_gates, const at::Tensor& c,
                const std::optional<at::Tensor>& input_bias, const std::optional<at::Tensor>& hidden_bias) {
  count_kernel("aten::_thnn_fused_lstm_cell");
  at::Tensor sum = on_host(input_gates) + on_host(hidden_gates);
  if (input_bias) sum = sum + on_host(*input_bias) + on_host(*hidden_bias);
  const auto parts = sum.chunk(4, 1);
  const at::Tensor i = parts[0].sigmoid(), f = parts[1].sigmoid(), g = parts[2].tanh(),
                   o = parts[3].sigmoid();
  const at::Tensor next = f * on_host(c) + i * g;
  return {on_device(o * next.tanh()), on_device(next), on_device(at::cat({i, f, g, o}, 1))};
}

Three lstm_cell_backward(const std::optional<at::Tensor>& grad_h, const std::optional<at::Tensor>& grad_c,
                         const at::Tensor& c_before, const at::Tensor& c, const at::Tensor& gates,
                         bool has_bias) {
  count_kernel("aten::_thnn_fused_lstm_cell_backward_impl");
  const auto parts = on_host(gates).chunk(4, 1);
  const at::Tensor &i = parts[0], &f = parts[1], &g = parts[2], &o = parts[3];
  const at::Tensor t = on_host(c).tanh(),
                   of_h = grad_h && grad_h->defined() ? on_host(*grad_h) : at::zeros_like(t);
  const at::Tensor of_c =
      (grad_c && grad_c->defined() ? on_host(*grad_c) : at::zeros_like(t)) + of_h * o * (1 - t * t);
  const at::Tensor of_gates = at::cat({of_c * g * i * (1 - i), of_c * on_host(c_before) * f * (1 - f),
                                       of_c * i * (1 - g * g), of_h * t * o * (1 - o)},
                                      1);
  return {on_device(of_gates), on_device(of_c * f), has_bias ? on_device(of_gates.sum(0)) : at::Tensor()};
}

at::Tensor& addmm_to(const at::Tensor& self, const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype,
                     const at::Scalar& beta, const at::Scalar& alpha, at::Tensor& out) {
  count_kernel("aten::addmm");
  on_host(out).copy_(at::addmm(on_host(self), on_host(a).to(dtype), on_host(b).to(dtype), beta, alpha));
  return out;
}

at::Tensor mm_to(const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype) {
  count_kernel("aten::mm");
  return on_device(at::mm(on_host(a).to(dtype), on_host(b).to(dtype)));
}

// softmax(Q K^T scale + bias) of CPU tensors.
at::Tensor attention_weights(const at::Tensor& q, const at::Tensor& k, const std::optional<at::Tensor>& bias,
                             bool causal, double scale) {
  at::Tensor scores = at::matmul(q, k.transpose(2, 3)) * scale;
  if (bias) scores = scores + on_host(*bias);
  if (causal)
    scores = scores.masked_fill(at::ones({q.size(2), k.size(2)}, at::kBool).tril().logical_not(),
                                -std::numeric_limits<double>::infinity());
  return at::softmax(scores, 3);
}

double scale_of(const at::Tensor& q, std::optional<double> scale) {
  return scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
}

// (B, heads, S, D) that lies as (B, S, heads, D), as a GPU's kernels leave it.
at::Tensor slots_first(const at::Tensor& host) {
  return on_device(host.transpose(1, 2).contiguous()).transpose(1, 2);
}

using Attended = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, c10::SymInt, c10::SymInt,
                            at::Tensor, at::Tensor, at::Tensor>;

Attended attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const std::optional<at::Tensor>& bias, double dropout, bool causal, bool,
                   std::optional<double> scale) {
  count_kernel("aten::scaled_dot_product_attention");
  const auto of_each_head = [&](const at::Tensor& tensor) {  // heads in groups share keys and values
    return on_host(tensor).repeat_interleave(q.size(1) / tensor.size(1), 1);
  };
  const at::Tensor p = attention_weights(on_host(q), of_each_head(k), bias, causal, scale_of(q, scale));
  // The backward pass finds the dropout where a GPU keeps its random state.
  const at::Tensor kept =
      dropout > 0 ? at::empty_like(p).bernoulli_(1 - dropout).div_(1 - dropout) : at::ones({}, p.options());
  const at::Tensor none = at::empty({0}, q.options());
  return {slots_first(at::matmul(p * kept, of_each_head(v))),
          none,
          none,
          none,
          q.size(2),
          k.size(2),
          on_device(kept),
          none,
          none};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> attention_backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
    const at::Tensor& bias, std::array<bool, 4>, const at::Tensor&, const at::Tensor&, const at::Tensor&,
    const at::Tensor&, c10::SymInt, c10::SymInt, double, bool causal, const at::Tensor& dropped,
    const at::Tensor&, std::optional<double> factor) {
  count_kernel("aten::scaled_dot_product_attention_backward");
  const double scale = scale_of(q, factor);
  const at::Tensor query = on_host(q), key = on_host(k), kept = on_host(dropped), of_out = on_host(grad);
  const at::Tensor p =
      attention_weights(query, key, bias.defined() ? std::optional(bias) : std::nullopt, causal, scale);
  const at::Tensor of_p = at::matmul(of_out, on_host(v).transpose(2, 3)) * kept;
  const at::Tensor of_scores = p * (of_p - (of_p * p).sum(3, /*keepdim=*/true)) * scale;
  return {slots_first(at::matmul(of_scores, key)),
          slots_first(at::matmul(of_scores.transpose(2, 3), query)),
          slots_first(at::matmul((p * kept).transpose(2, 3), of_out)),
          {}};
}

std::int64_t choose_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                              const std::optional<at::Tensor>&, double, bool, std::optional<double>, bool) {
  return static_cast<std::int64_t>(sdp::SDPBackend::overrideable);
}

constexpr auto boxed = &torch::CppFunction::makeFromBoxedFunction<&on_cpu>;

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(boxed()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("as_strided", &as_strided);
  m.impl("view", static_cast<at::Tensor (*)(const at::Tensor&, at::IntArrayRef)>(&at::native::view));
  m.impl("_reshape_alias", &reshape_alias);
  m.impl("unfold", &at::native::unfold);
  m.impl("resize_", &resize);
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("_local_scalar_dense", &item);
  m.impl("_thnn_fused_lstm_cell", &lstm_cell);
  m.impl("_thnn_fused_lstm_cell_backward_impl", &lstm_cell_backward);
  m.impl("addmm.dtype_out", &addmm_to);
  m.impl("mm.dtype", &mm_to);
  m.impl("_scaled_dot_product_fused_attention_overrideable", &attention);
  m.impl("_scaled_dot_product_fused_attention_overrideable_backward", &attention_backward);
  // One kernel on a GPU; elsewhere libtorch makes several of them.
  for (const char* name : {"_fused_rms_norm", "_foreach_add_.List", "embedding", "native_layer_norm"})
    m.impl(name, boxed());
}

struct Registered {
  Registered() {
    static PretendAllocator allocator;
    static PretendHooks hooks;
    c10::SetAllocator(kType, &allocator);
    at::RegisterPrivateUse1HooksInterface(&hooks);
    c10::register_privateuse1_backend("pretend");
    at::native::_fused_sdp_choice_stub.set_privateuse1_dispatch_ptr(&choose_attention);
  }
};

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, PretendGuard)

at::Device pretend_device() {
  static const Registered registered;
  return {kType, 0};
}

std::int64_t PretendCosts::all_kernels() const {
  std::int64_t sum = 0;
  for (const auto& [name, count] : kernels) sum += count;
  return sum;
}

std::string PretendCosts::table() const {
  std::vector<std::pair<std::int64_t, std::string>> lines;
  for (const auto& [name, count] : kernels) lines.emplace_back(count, name);
  std::ranges::sort(lines, std::greater<>());
  std::string text;
  for (const auto& [count, name] : lines) text += fmt::format("{:6}  {}\n", count, name);
  return text;
}

PretendCosts pretend_costs() {
  const std::lock_guard lock(mutex);
  return costs;
}

void reset_pretend_costs() {
  const std::lock_guard lock(mutex);
  costs = {};
}

NoWaits::NoWaits() { may_wait = false; }
NoWaits::~NoWaits() { may_wait = true; }

}  // namespace relmpi
