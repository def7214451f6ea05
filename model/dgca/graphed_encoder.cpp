#include "model/dgca/graphed_encoder.h"

#include "base/torch_headers.h"
#include "model/dgca/leaf_gradients.h"
#include "model/graph_recorder.h"

namespace relmpi {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Every graph keeps its inputs and its hidden states; what lies between them is shared by all.
constexpr std::size_t kMostShapes = 32;

// One shape: what the graphs read and write, at addresses that stay.
struct Captured {
  Inputs inputs;
  at::Tensor prompt;       // leaf with a gradient; undefined without prompts
  at::Tensor hidden;       // (B * S, H), written by `forward`
  at::Tensor grad_hidden;  // read by `backward`
  std::function<void()> forward, backward;
};

// The encoder's inputs alone, copied.
Inputs copy_of(const Inputs& in) {
  Inputs copy;
  copy.rows = in.rows;
  copy.width = in.width;
  copy.ids = in.ids.clone();
  copy.positions = in.positions.clone();
  copy.padding_mask = in.padding_mask.clone();
  if (in.prompt_slots.defined()) copy.prompt_slots = in.prompt_slots.clone();
  return copy;
}

void copy_into(const Inputs& from, Inputs& to) {
  to.ids.copy_(from.ids);
  to.positions.copy_(from.positions);
  to.padding_mask.copy_(from.padding_mask);
  if (to.prompt_slots.defined()) to.prompt_slots.copy_(from.prompt_slots);
}

class Replay : public torch::autograd::Function<Replay> {
 public:
  // `anchor` requires a gradient, so that the backward pass comes here even if there is no prompt.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& prompt, const at::Tensor& anchor,
                            const Inputs& inputs, const std::shared_ptr<Captured>& graph) {
    (void)anchor;
    context->saved_data["graph"] = reinterpret_cast<std::int64_t>(graph.get());
    copy_into(inputs, graph->inputs);
    if (prompt.defined()) graph->prompt.detach().copy_(prompt);
    graph->forward();
    return graph->hidden.detach();
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    auto& graph = *reinterpret_cast<Captured*>(context->saved_data["graph"].toInt());
    graph.grad_hidden.copy_(grads[0]);
    graph.backward();
    return {graph.prompt.defined() ? graph.prompt.grad().clone() : at::Tensor(), {}, {}, {}};
  }
};

class Graphed : public GraphedEncoder {
 public:
  Graphed(const Parameters& parameters, const ModelConfig& config, at::ScalarType dtype,
          std::unique_ptr<GraphRecorder> recorder)
      : parameters_(parameters),
        config_(config),
        dtype_(dtype),
        anchor_(at::zeros({}, parameters.flat().options()).requires_grad_(true)),
        recorder_(std::move(recorder)) {}

  at::Tensor encode(const Weights& weights, const Inputs& inputs, const at::Tensor& prompt) override {
    const std::shared_ptr<Captured> graph = graph_for(inputs, prompt);
    return graph ? Replay::apply(prompt, anchor_, inputs, graph)
                 : relmpi::encode(weights, config_, inputs, prompt, Mode::kTrain);
  }

 private:
  // The graphs of this shape, captured now that it comes for the second time: the first run, without graphs,
  // has made what libraries make at their first call. Null: run without.
  std::shared_ptr<Captured> graph_for(const Inputs& inputs, const at::Tensor& prompt) {
    const auto [at, first] = graphs_.try_emplace({inputs.rows, inputs.width});
    if (at->second || first || captured_ == kMostShapes) return at->second;
    try {
      at->second = capture(inputs, prompt);
    } catch (const c10::Error& error) {
      throw RuntimeError(
          "capturing a CUDA graph of {} rows of {} slots failed: {}. Run without --cuda-graphs", inputs.rows,
          inputs.width, error.what_without_backtrace());
    }
    ++captured_;
    return at->second;
  }

  std::shared_ptr<Captured> capture(const Inputs& inputs, const at::Tensor& prompt) {
    auto graph = std::make_shared<Captured>();
    graph->inputs = copy_of(inputs);
    if (prompt.defined()) {
      graph->prompt = prompt.detach().clone().requires_grad_(true);
      graph->prompt.mutable_grad() = at::zeros_like(prompt);
    }
    graph->grad_hidden = at::zeros({inputs.rows * inputs.width, config_.hidden_size},
                                   parameters_.flat().options().dtype(dtype_));
    graph->forward = recorder_->record([&] {
      const Weights weights = make_weights(parameters_, config_, dtype_);
      const auto gradients = std::make_shared<LeafGradients>(parameters_.device());
      const at::Tensor leaf =
          prompt.defined() ? use_leaf(graph->prompt, graph->prompt.detach(), gradients) : prompt;
      graph->hidden = relmpi::encode(weights, config_, graph->inputs, leaf, Mode::kTrain);
    });
    graph->backward = recorder_->record([&] {
      if (graph->prompt.defined()) graph->prompt.mutable_grad().zero_();
      graph->hidden.backward(graph->grad_hidden);
    });
    graph->hidden = graph->hidden.detach();
    return graph;
  }

  const Parameters& parameters_;
  const ModelConfig config_;
  at::ScalarType dtype_;
  at::Tensor anchor_;
  std::unique_ptr<GraphRecorder> recorder_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<Captured>> graphs_;
  std::size_t captured_ = 0;
};

}  // namespace

std::unique_ptr<GraphedEncoder> make_graphed_encoder(const Parameters& parameters, const ModelConfig& config,
                                                     at::ScalarType dtype) {
  if (auto recorder = make_graph_recorder(parameters.device()))
    return std::make_unique<Graphed>(parameters, config, dtype, std::move(recorder));
  spdlog::warn("--cuda-graphs has no effect on {}", parameters.device().str());
  return nullptr;
}

}  // namespace relmpi
