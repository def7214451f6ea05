#include "data/tokenizers/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "test_data.h"

namespace relmpi {
namespace {

using Messages = std::vector<ChatMessage>;

const Messages kQuestion = {{"user", "Hi"}};
const Messages kTalk = {{"system", "Be brief."}, {"user", "1+1?"}, {"assistant", "2"}, {"user", "2+2?"}};

std::string render(ChatFamily family, const Messages& messages, bool generate = true) {
  return ChatTemplate(family).render(messages, generate);
}

TEST(ChatTemplate, AQuestionAloneGetsTheFamilysSystemMessage) {
  const std::string question = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(render(ChatFamily::kChatMl, kQuestion), question);
  EXPECT_EQ(
      render(ChatFamily::kSmolLm2, kQuestion),
      "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
          question);
  EXPECT_EQ(render(ChatFamily::kQwen2, kQuestion),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + question);
  EXPECT_EQ(
      render(ChatFamily::kQwen25, kQuestion),
      "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n" +
          question);
  EXPECT_EQ(render(ChatFamily::kQwen3, kQuestion), question + "<think>\n\n</think>\n\n");
}

TEST(ChatTemplate, AConversationKeepsItsOwnSystemMessage) {
  const std::string talk =
      "<|im_start|>system\nBe "
      "brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
      "<|im_start|>user\n2+2?<|im_end|>\n";
  for (const auto family : {ChatFamily::kChatMl, ChatFamily::kSmolLm2, ChatFamily::kQwen2,
                            ChatFamily::kQwen25, ChatFamily::kQwen3})
    EXPECT_EQ(render(family, kTalk, false), talk) << static_cast<int>(family);
  EXPECT_EQ(render(ChatFamily::kQwen25, kTalk), talk + "<|im_start|>assistant\n");
}

// Reasoning is kept only behind the last question, where the template also puts an empty one.
TEST(ChatTemplate, Qwen3LeavesOutReasoningBeforeTheLastQuestion) {
  const Messages earlier = {{"user", "a"}, {"assistant", "<think>\nhm\n</think>\n\nb"}, {"user", "c"}};
  EXPECT_EQ(
      render(ChatFamily::kQwen3, earlier, false),
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n");
  const Messages last = {{"user", "a"}, {"assistant", "<think>\nhm\n</think>\n\nb"}};
  EXPECT_EQ(render(ChatFamily::kQwen3, last, false),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nb<|im_end|>\n");
  const Messages plain = {{"user", "a"}, {"assistant", "b"}};
  EXPECT_EQ(render(ChatFamily::kQwen3, plain, false),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nb<|im_end|>\n");
  // Of two answers without reasoning only the last one gets it; a tool's answer is no question.
  const Messages tool = {
      {"user", "a"}, {"assistant", "b"}, {"user", "<tool_response>c</tool_response>"}, {"assistant", "d"}};
  EXPECT_EQ(render(ChatFamily::kQwen3, tool, false),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
            "<|im_start|>user\n<tool_response>c</tool_response><|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\nd<|im_end|>\n");
  EXPECT_EQ(render(ChatFamily::kQwen25, last, false).find("hm") != std::string::npos, true);
}

TEST(ChatTemplate, RefusesConversationsThatAreNone) {
  EXPECT_THROW(render(ChatFamily::kQwen2, {}), InputError);
  EXPECT_NE(message_of<InputError>([] {
              render(ChatFamily::kQwen2, {{"tool", "x"}});
            }).find("'tool'"),
            std::string::npos);
}

TEST(ChatTemplate, KnowsTheFamilyByTheTemplatesMarks) {
  const std::string turns =
      "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}";
  const auto family = [&](const std::string& source) {
    return ChatTemplate::from_source(source, "config").family();
  };
  EXPECT_EQ(family(turns), ChatFamily::kChatMl);
  EXPECT_EQ(
      family(
          turns +
          "{{ 'system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>' }}"),
      ChatFamily::kSmolLm2);
  EXPECT_EQ(family(turns + "{{ 'system\\nYou are a helpful assistant.<|im_end|>' }}"), ChatFamily::kQwen2);
  EXPECT_EQ(
      family(
          turns +
          "{{ 'system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>' }}"),
      ChatFamily::kQwen25);
  EXPECT_EQ(
      family(
          turns +
          "{%- set ns = namespace(last_query_index=0) %}{% if enable_thinking is false %}<think>{% endif %}"),
      ChatFamily::kQwen3);
  for (const std::string& unknown : {std::string("{{ '[INST]' + message['content'] }}"), std::string(),
                                     turns + "{{ 'system\\nYou are a pirate.<|im_end|>' }}",
                                     turns + "{{ 'system\\nYou are a helpful assistant<|im_end|>' }}",
                                     turns + "last_query_index enable_thinking is false render_content"})
    EXPECT_NE(message_of<InputError>([&] { family(unknown); }).find("plain text"), std::string::npos)
        << unknown;
}

TEST(ChatTemplate, IsLookedForInTheModelsFolder) {
  const TemporaryFolder folder;
  const auto load = [&] { return ChatTemplate::load(folder.path()).family(); };
  EXPECT_NE(message_of<InputError>(load).find("no chat template"), std::string::npos);
  std::ofstream(folder / "tokenizer_config.json") << R"({"chat_template": null})";
  EXPECT_NE(message_of<InputError>(load).find("no chat template"), std::string::npos);
  std::ofstream(folder / "tokenizer_config.json") << R"({"chat_template": 7})";
  EXPECT_THROW(load(), InputError);
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"chat_template": [{"name": "rag", "template": "x"}, {"name": "default", "template": "<|im_start|><|im_end|>"}]})";
  EXPECT_EQ(load(), ChatFamily::kChatMl);
  // Newer folders keep it in a file of its own, which goes first. A file's path means its folder.
  std::ofstream(folder / "chat_template.jinja")
      << "<|im_start|>system\nYou are a helpful assistant.<|im_end|>";
  EXPECT_EQ(ChatTemplate::load(folder / "tokenizer.json").family(), ChatFamily::kQwen2);
}

TEST(ChatTemplate, ReadsConversations) {
  const auto messages =
      parse_messages(R"( [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": ""}])");
  ASSERT_TRUE(messages.has_value());
  ASSERT_EQ(messages->size(), 2U);
  EXPECT_EQ((*messages)[0].content, "a\nb");
  EXPECT_EQ((*messages)[1].role, "assistant");
  for (const char* text : {"", "hello", "[1, 2]", "[]", "[unfinished", R"({"role": "user"})"})
    EXPECT_FALSE(parse_messages(text).has_value()) << text;
  EXPECT_NE(message_of<InputError>([] { parse_messages(R"([{"role": "user"}])"); }).find("message 1"),
            std::string::npos);
  EXPECT_NE(
      message_of<InputError>([] { parse_messages(R"([{"role": "user", "content": "a"})"); }).find("its end"),
      std::string::npos);
}

}  // namespace
}  // namespace relmpi
