#include "data/tokenizers/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "test_data.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTurns =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% if enable_thinking is defined %}{{ enable_thinking }}{% "
    "endif %}{% endif %}";

Conversation talk(const char* text) { return conversation_of(Json::parse(text), "talk"); }

std::string render(const char* text, const ChatOptions& options = {}) {
  return ChatTemplate::from_source(kTurns, "t.jinja", {{"bos_token", "<s>"}}).render(talk(text), options);
}

TEST(ChatTemplate, ShowsTheTemplateConversationAndSpecialTokens) {
  constexpr const char* kTalk = R"([{"role":"user","content":"Hi"}])";
  EXPECT_EQ(render(kTalk), "<s><user>Hi</><assistant>");
  EXPECT_EQ(render(kTalk, {.add_generation_prompt = false}), "<s><user>Hi</>");
  EXPECT_EQ(render(kTalk, {.thinking = false}), "<s><user>Hi</><assistant>False");
  // A row's own variables go before the option, as transformers lets arguments go before special tokens.
  constexpr const char* kOwn =
      R"({"messages":[{"role":"user","content":"Hi"}],"chat_template_kwargs":{"enable_thinking":true,"bos_token":"B"}})";
  EXPECT_EQ(render(kOwn, {.thinking = false}), "B<user>Hi</><assistant>True");
}

TEST(ChatTemplate, AFinalMessageIsLeftOpen) {
  const ChatOptions options{.continue_final_message = true};
  EXPECT_EQ(render(R"([{"role":"assistant","content":"The colour is "}])", options),
            "<s><assistant>The colour is ");
  const auto trimming = ChatTemplate::from_source("{{ messages[0].content | trim }}</>", "t.jinja");
  EXPECT_EQ(trimming.render(talk(R"([{"role":"assistant","content":" is "}])"), options), "is");
  const auto dropping = ChatTemplate::from_source("nothing", "t.jinja");
  EXPECT_NE(message_of<InputError>([&] {
              dropping.render(talk(R"([{"role":"assistant","content":"is"}])"), options);
            }).find("--continue-final-message"),
            std::string::npos);
}

TEST(ChatTemplate, IsLookedForInTheModelsFolder) {
  const TemporaryFolder folder;
  constexpr const char* kTalk = R"([{"role":"user","content":"Hi"}])";
  const auto load = [&](const char* text) { return ChatTemplate::load(folder.path()).render(talk(text)); };
  EXPECT_NE(message_of<InputError>([&] { load(kTalk); }).find("no chat template"), std::string::npos);
  std::ofstream(folder / "chat_template.json") << R"({"chat_template": "processor"})";
  EXPECT_EQ(load(kTalk), "processor");
  std::ofstream(folder / "tokenizer_config.json") << R"({"chat_template": 7})";
  EXPECT_THROW(load(kTalk), InputError);
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"bos_token": {"content": "<s>"}, "eos_token": null, "chat_template": [
              {"name": "default", "template": "{{ bos_token }}|{{ eos_token is defined }}"},
              {"name": "tool_use", "template": "{{ tools | length }} tools"}, {"name": "rag", "template": "{{"}]})";
  EXPECT_EQ(load(kTalk), "<s>|False");
  EXPECT_EQ(load(R"({"messages":[{"role":"user","content":"Hi"}],"tools":[{},{}]})"), "2 tools");
  // Newer folders keep it in a file of its own, which goes first. A file's path means its folder.
  std::ofstream(folder / "chat_template.jinja") << "own";
  EXPECT_EQ(ChatTemplate::load(folder / "tokenizer.json").render(talk(kTalk)), "own");
  std::ofstream(folder / "other.jinja") << "{{ bos_token }}other";
  EXPECT_EQ(ChatTemplate::load(folder.path(), folder / "other.jinja").render(talk(kTalk)), "<s>other");
}

TEST(Conversation, IsToldFromPlainText) {
  for (const char* text :
       {"", "hello", "[1, 2]", "[]", "[unfinished", R"({"role": "user"})", "[INST] Hi [/INST]"})
    EXPECT_FALSE(parse_conversation(text, "stdin:3").has_value()) << text;
  const auto found = parse_conversation(
      R"( {"messages": [{"role": "tool", "content": "x"}], "tools": [{"b": 1, "a": 2}]})", "l");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->tools.dump(), R"([{"b":1,"a":2}])");  // in the order of the file
  const std::pair<const char*, const char*> wrong[] = {
      {R"([{"role": "user"}])", "message 1"},
      {R"([{"content": "a"}])", "role"},
      {R"([{"role": "user", "content": "a"})", "its end"},
      {R"({"messages": [], "tools": []})", "messages"},
      {R"({"messages": [{"role": "user", "content": "a"}], "tool": []})", "\"tool\""},
      {R"({"messages": [{"role": "user", "content": "a"}], "tools": {}})", "tools"}};
  for (const auto& [text, naming] : wrong) {
    const std::string message =
        message_of<InputError>([&, &text = text] { parse_conversation(text, "stdin:3"); });
    EXPECT_TRUE(message.starts_with("stdin:3") && message.find(naming) != std::string::npos) << message;
  }
}

}  // namespace
}  // namespace relmpi
