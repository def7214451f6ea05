#include "base/json.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"

namespace relmpi {

using Json = nlohmann::json;

namespace {

template <typename Document>
Document parse(std::string_view bytes, const std::string& name) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, typename Document::parse_event_t event, Document& parsed) {
    using Event = typename Document::parse_event_t;
    if (depth >= kJsonDepth && (event == Event::object_start || event == Event::array_start))
      throw InputError("{}: arrays and objects are nested more than {} deep", name, kJsonDepth);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.template get<std::string>()).second)
      throw InputError("{}: the key {} appears twice in one object; keep one of them", name, parsed.dump());
    return true;
  };
  try {
    return Document::parse(bytes, check);
  } catch (const Json::exception& error) {
    throw InputError("{}: not a JSON document: {}", name, error.what());
  }
}

}  // namespace

Json parse_json(std::string_view bytes, const std::string& name) { return parse<Json>(bytes, name); }

nlohmann::ordered_json parse_ordered_json(std::string_view bytes, const std::string& name) {
  return parse<nlohmann::ordered_json>(bytes, name);
}

bool is_whole_number(const Json& value) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMost);
}

void print_json(const nlohmann::ordered_json& document, int indent) {
  fmt::print("{}\n", document.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace relmpi
