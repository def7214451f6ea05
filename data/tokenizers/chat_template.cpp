#include "data/tokenizers/chat_template.h"

#include <ctime>
#include <mutex>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "data/jinja/python_text.h"
#include "data/tokenizers/special_tokens.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A template's source and where it is from. `name`: of named templates.
struct Found {
  std::string source, file, name;
};

// The field "chat_template" of a JSON file: a text, or a list of named ones.
std::vector<Found> in_json(const fs::path& file) {
  if (!fs::exists(file)) return {};
  const Json document = parse_ordered_json(read_file(file), file.string());
  if (!document.is_object()) throw InputError("{}: an object was expected", file.string());
  const Json source = document.value("chat_template", Json());
  if (source.is_null()) return {};
  if (source.is_string()) return {{source.get<std::string>(), file.string(), "default"}};
  std::vector<Found> out;
  for (std::size_t i = 0; source.is_array() && i < source.size(); ++i) {
    const Json &name = source[i].value("name", Json()), &text = source[i].value("template", Json());
    if (!name.is_string() || !text.is_string())
      throw InputError("{}: chat_template[{}] must have the texts \"name\" and \"template\"", file.string(),
                       i);
    out.push_back(
        {text.get<std::string>(), file.string() + ": " + name.get<std::string>(), name.get<std::string>()});
  }
  if (out.empty())
    throw InputError("{}: chat_template is neither a text nor a list of named ones", file.string());
  return out;
}

std::vector<Found> in_folder(const fs::path& folder) {
  const fs::path jinja = folder / "chat_template.jinja";
  if (fs::exists(jinja)) return {{read_file(jinja), jinja.string(), "default"}};
  for (const char* name : {"tokenizer_config.json", "chat_template.json"})
    if (auto found = in_json(folder / name); !found.empty()) return found;
  throw InputError(
      "{}: no chat template (neither chat_template.jinja nor the field \"chat_template\" in "
      "tokenizer_config.json): the model may not be one for conversations; write the prompts out as plain "
      "text, without --chat, or name a template with --template FILE",
      folder.empty() ? "." : folder.string());
}

// What transformers marks the last message with, to find where it ends in the rendered text.
constexpr const char* kMark = "CONTINUE_FINAL_MESSAGE_TAG ";

// The text that is to go on, marked in `messages`.
std::string mark_final_message(Json& messages) {
  Json& content = messages.back()["content"];
  Json* text = &content;
  if (content.is_array()) {
    text = nullptr;
    for (Json& part : content)
      if (part.is_object() && part.contains("text")) text = &part["text"];
  }
  if (text == nullptr || !text->is_string())
    throw InputError("--continue-final-message: the last message has no text to go on with");
  std::string before = text->get<std::string>();
  *text = before + kMark;
  return before;
}

// The rendered text up to the end of the final message.
std::string cut_at_mark(std::string rendered, const std::string& message) {
  const std::string mark = kMark, bare = mark.substr(0, mark.size() - 1);
  const std::size_t at = rendered.rfind(bare);
  if (at == std::string::npos || rendered.find(jinja::strip(message, true, true)) == std::string::npos)
    throw InputError(
        "--continue-final-message: the template drops or changes the last message, so that its end is not "
        "found");
  const bool spaced = rendered.compare(at, mark.size(), mark) == 0;
  rendered.resize(at);
  return spaced ? rendered : std::string(jinja::strip(rendered, false, true));
}

// Once for each: a field that the template's source has no word of changes nothing.
void warn_unread(const std::string& source, const std::string& field) {
  static std::mutex mutex;
  static std::set<std::string> warned;
  if (source.find(field) != std::string::npos) return;
  const std::lock_guard lock(mutex);
  if (warned.insert(field).second)
    spdlog::warn("the chat template does not read \"{}\": it has no effect", field);
}

void warn_of_unread(const std::string& source, const Conversation& conversation) {
  if (!conversation.tools.is_null()) warn_unread(source, "tools");
  if (!conversation.documents.is_null()) warn_unread(source, "documents");
  for (const auto& [name, value] : conversation.variables.items()) warn_unread(source, name);
  for (const Json& message : conversation.messages)
    for (const auto& [name, value] : message.items())
      if (name != "role" && name != "content") warn_unread(source, name);
}

}  // namespace

void ChatTemplate::add(const std::string& source, const std::string& name, bool for_tools) {
  (for_tools ? for_tools_ : plain_) = Source{source, jinja::Template(source, name)};
}

ChatTemplate ChatTemplate::from_source(const std::string& source, const std::string& name,
                                       Json special_tokens) {
  ChatTemplate out;
  out.add(source, name, false);
  out.special_tokens_ = std::move(special_tokens);
  return out;
}

ChatTemplate ChatTemplate::load(const fs::path& path, const fs::path& file) {
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  if (!file.empty()) return from_source(read_file(file), file.string(), named_special_tokens(folder));
  ChatTemplate out;
  out.special_tokens_ = named_special_tokens(folder);
  for (const Found& found : in_folder(folder))
    if (found.name == "default" || found.name == "tool_use")
      out.add(found.source, found.file, found.name == "tool_use");
  if (!out.plain_ && !out.for_tools_)
    throw InputError(
        "{}: none of the chat templates is named \"default\" or \"tool_use\"; name one with --template FILE",
        folder.string());
  return out;
}

const ChatTemplate::Source& ChatTemplate::chosen(const Conversation& conversation) const {
  if (for_tools_ && !conversation.tools.is_null()) return *for_tools_;
  if (!plain_)
    throw InputError("of the chat templates only \"tool_use\" is there, and the conversation has no tools");
  return *plain_;
}

std::string ChatTemplate::render(const Conversation& conversation, const ChatOptions& options) const {
  const Source& source = chosen(conversation);
  Json variables = special_tokens_;
  if (options.thinking) variables["enable_thinking"] = *options.thinking;
  for (const auto& [name, value] : conversation.variables.items()) variables[name] = value;
  for (const char* name : {"messages", "tools", "documents", "add_generation_prompt"})
    if (conversation.variables.contains(name))
      throw InputError("chat_template_kwargs: \"{}\" is given beside it already", name);
  warn_of_unread(source.text, conversation);
  if (options.thinking) warn_unread(source.text, "enable_thinking");
  variables["messages"] = conversation.messages;
  variables["tools"] = conversation.tools;
  variables["documents"] = conversation.documents;
  variables["add_generation_prompt"] = options.add_generation_prompt && !options.continue_final_message;
  if (!options.continue_final_message) return source.parsed.render(variables, std::time(nullptr));
  const std::string message = mark_final_message(variables["messages"]);
  return cut_at_mark(source.parsed.render(variables, std::time(nullptr)), message);
}

}  // namespace relmpi
