#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/decoding/generation.h"

namespace relmpi {

// A request and its answer: a row of a result.
struct DecodedRequest {
  Request request;
  Answer answer;
};
nlohmann::ordered_json to_json(const DecodedRequest& row);
// The row that to_json wrote, on another rank. Throws what nlohmann::json throws for anything else.
DecodedRequest decoded_request(const nlohmann::json& row);

// How a decoding method did on all requests.
struct DecodeBenchmark {
  std::string method;
  double seconds = 0;                // from the first request to the last answer of all ranks
  Figures figures;                   // of all ranks
  std::vector<DecodedRequest> rows;  // in the order of the requests

  std::int64_t tokens() const;
  double throughput() const;  // tokens a second
  double mean_ttft() const;
  double mean_latency() const;
  double acceptance_rate() const;  // of all drafted tokens; 0 without drafts
};
nlohmann::ordered_json to_json(const DecodeBenchmark& benchmark);

// One line of figures, for a person.
std::string summary(const DecodeBenchmark& benchmark);

}  // namespace relmpi
