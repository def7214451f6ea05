#include "data/tokenizers/conversation.h"

#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

Json list_field(const Json& row, const char* name, const std::string& source) {
  const auto found = row.find(name);
  if (found == row.end() || found->is_null()) return nullptr;
  if (!found->is_array()) throw InputError("{}: \"{}\" must be a list", source, name);
  for (const Json& one : *found)
    if (!one.is_object()) throw InputError("{}: \"{}\" must be a list of objects", source, name);
  return *found;
}

void check_message(const Json& message, const std::string& source) {
  if (!message.is_object())
    throw InputError("{}: an object with \"role\" and \"content\" was expected", source);
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string())
    throw InputError("{}: the field \"role\", a text, is missing", source);
  const auto content = message.find("content");
  const bool calls = message.contains("tool_calls");
  if (content == message.end() && !calls) throw InputError("{}: the field \"content\" is missing", source);
  if (content != message.end() && !content->is_string() && !content->is_array() &&
      !(calls && content->is_null()))
    throw InputError("{}: \"content\" must be a text or a list of parts", source);
}

bool begins_like_a_conversation(std::string_view text) {
  return text.starts_with("[{") || text.starts_with("{\"messages\"");
}

}  // namespace

Conversation user_says(const std::string& text) {
  return {.messages = Json::array({Json{{"role", "user"}, {"content", text}}})};
}

Conversation conversation_of(const Json& document, const std::string& source) {
  Conversation out;
  if (document.is_array()) {
    out.messages = document;
  } else {
    out.messages = document.value("messages", Json());
    out.tools = list_field(document, "tools", source);
    out.documents = list_field(document, "documents", source);
    const auto variables = document.find("chat_template_kwargs");
    if (variables != document.end() && !variables->is_null()) {
      if (!variables->is_object()) throw InputError("{}: \"chat_template_kwargs\" must be an object", source);
      out.variables = *variables;
    }
  }
  if (!out.messages.is_array() || out.messages.empty())
    throw InputError("{}: \"messages\" must be a list of at least one {{\"role\", \"content\"}}", source);
  for (std::size_t i = 0; i < out.messages.size(); ++i)
    check_message(out.messages[i], fmt::format("{}: message {}", source, i + 1));
  return out;
}

std::optional<Conversation> parse_conversation(const std::string& text, const std::string& source) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos || (text[first] != '[' && text[first] != '{')) return std::nullopt;
  if (!Json::accept(text)) {
    if (begins_like_a_conversation(std::string_view(text).substr(first)))
      throw InputError("{}: the text begins like a conversation, but is not JSON: is its end missing?",
                       source);
    return std::nullopt;
  }
  const Json document = parse_ordered_json(text, source);
  if (document.is_array() ? document.empty() || !document[0].is_object() : !document.contains("messages"))
    return std::nullopt;
  if (document.is_object())
    for (const auto& [name, value] : document.items())
      if (name != "messages" && name != "tools" && name != "documents" && name != "chat_template_kwargs")
        throw InputError("{}: the field \"{}\" is unknown", source, name);
  return conversation_of(document, source);
}

}  // namespace relmpi
