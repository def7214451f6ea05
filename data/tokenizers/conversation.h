#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace relmpi {

// A conversation as chat templates see it.
struct Conversation {
  nlohmann::ordered_json messages;   // [{"role":..,"content":..}, ...]; a template may read more fields
  nlohmann::ordered_json tools;      // a list of descriptions; null if there are none
  nlohmann::ordered_json documents;  // a list of objects; null if there are none
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  // "chat_template_kwargs"
};

// What a user says, alone.
Conversation user_says(const std::string& text);

// [{"role":..}, ...], or {"messages": [..]} with or without "tools", "documents" and "chat_template_kwargs";
// the object's other fields are the caller's affair. Throws InputError that begins with `source`.
Conversation conversation_of(const nlohmann::ordered_json& document, const std::string& source);

// The same from text; nothing if it is neither an array of objects nor an object with "messages" (it is then
// plain text). Throws InputError for one that is wrong, has other fields or breaks off.
std::optional<Conversation> parse_conversation(const std::string& text, const std::string& source);

}  // namespace relmpi
