#include "eval/llm/decode_benchmark.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

// Of a figure of the answers.
template <typename T, typename Figure>
T sum(const std::vector<DecodedRequest>& rows, Figure figure) {
  T total{};
  for (const DecodedRequest& row : rows) total += static_cast<T>(figure(row.answer));
  return total;
}

}  // namespace

ordered_json to_json(const DecodedRequest& row) {
  const Answer& answer = row.answer;
  return {{"index", row.request.index},
          {"prompt_ids", row.request.prompt},
          {"output_ids", answer.ids},
          {"text", answer.text},
          {"finish_reason", to_string(answer.finish)},
          {"ttft", answer.ttft},
          {"latency", answer.latency},
          {"drafted", answer.drafted},
          {"accepted", answer.accepted},
          {"target_calls", answer.forward_passes}};
}

DecodedRequest decoded_request(const nlohmann::json& row) {
  DecodedRequest out;
  row.at("index").get_to(out.request.index);
  row.at("prompt_ids").get_to(out.request.prompt);
  row.at("output_ids").get_to(out.answer.ids);
  row.at("text").get_to(out.answer.text);
  out.answer.finish = finish_reason_of(row.at("finish_reason").get<std::string>());
  row.at("ttft").get_to(out.answer.ttft);
  row.at("latency").get_to(out.answer.latency);
  row.at("drafted").get_to(out.answer.drafted);
  row.at("accepted").get_to(out.answer.accepted);
  row.at("target_calls").get_to(out.answer.forward_passes);
  return out;
}

std::int64_t DecodeBenchmark::tokens() const {
  return sum<std::int64_t>(rows, [](const Answer& answer) { return answer.ids.size(); });
}

double DecodeBenchmark::throughput() const { return ratio(tokens(), seconds); }

double DecodeBenchmark::mean_ttft() const {
  return ratio(sum<double>(rows, [](const Answer& answer) { return answer.ttft; }), rows.size());
}

double DecodeBenchmark::mean_latency() const {
  return ratio(sum<double>(rows, [](const Answer& answer) { return answer.latency; }), rows.size());
}

double DecodeBenchmark::acceptance_rate() const {
  return ratio(sum<double>(rows, [](const Answer& answer) { return answer.accepted; }),
               sum<double>(rows, [](const Answer& answer) { return answer.drafted; }));
}

ordered_json to_json(const DecodeBenchmark& benchmark) {
  ordered_json requests = ordered_json::array();
  for (const DecodedRequest& row : benchmark.rows) requests.push_back(to_json(row));
  return {{"method", benchmark.method},
          {"total_requests", benchmark.rows.size()},
          {"total_duration", benchmark.seconds},
          {"total_tokens", benchmark.tokens()},
          {"overall_throughput", benchmark.throughput()},
          {"avg_ttft", benchmark.mean_ttft()},
          {"avg_latency", benchmark.mean_latency()},
          {"avg_acceptance_rate", benchmark.acceptance_rate()},
          {"target_calls", benchmark.figures.target_calls},
          {"target_seconds", benchmark.figures.target_seconds},
          {"requests", std::move(requests)}};
}

std::string summary(const DecodeBenchmark& benchmark) {
  return fmt::format("{} request(s), {} tokens, {:.1f} tokens/s; first token after {:.3f} s on average",
                     benchmark.rows.size(), benchmark.tokens(), benchmark.throughput(),
                     benchmark.mean_ttft());
}

}  // namespace relmpi
