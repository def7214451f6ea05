#include "data/jinja/template.h"

#include <nlohmann/json.hpp>

#include "data/jinja/evaluator.h"
#include "data/jinja/parser.h"

namespace relmpi::jinja {

struct Parsed {
  std::string name, source;
  Body body;
};

Template::Template(const std::string& source, std::string name) {
  std::string text = normalized_source(source);
  Body body = parse(text, name);
  parsed_ = std::make_unique<const Parsed>(Parsed{std::move(name), std::move(text), std::move(body)});
}

Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

std::string Template::render(const nlohmann::ordered_json& variables, std::time_t now) const {
  return Evaluator(parsed_->source, parsed_->name, now).run(parsed_->body, variables);
}

}  // namespace relmpi::jinja
