// What jinja2 gives is compared in tests/reference/chat_parity.py; here is what needs no Python.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/jinja/template.h"
#include "test_data.h"

namespace relmpi::jinja {
namespace {

using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& variables = Json::object()) {
  return Template(source, "t.jinja").render(variables, 0);
}

TEST(Jinja, WhiteSpaceAroundTags) {
  EXPECT_EQ(render("a\n  {% if true %}\n b\n  {%- endif %}\nc\n"), "a\n bc");
  EXPECT_EQ(render("  {%+ if true +%}\nx{% endif %}{#- c -#}  y"), "  \nxy");
  EXPECT_EQ(render("a {{- 1 -}} b {% raw %}{{ x }}{% endraw %}"), "a1b {{ x }}");
}

TEST(Jinja, ValuesAreThoseOfPython) {
  EXPECT_EQ(render("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 1e16 }} {{ [1, 'a', none, true] }}"),
            "-4 2 3.5 1e+16 [1, 'a', None, True]");
  EXPECT_EQ(render("{{ 'héllo'[::-1] }} {{ 'a</think>b'.split('</think>')[-1] }} {{ x | tojson }}",
                   {{"x", {{"b", "<é>"}, {"a", 1.0}}}}),
            "olléh b {\"b\": \"<é>\", \"a\": 1.0}");
}

TEST(Jinja, ScopesEndWithTheirLoop) {
  EXPECT_EQ(render("{% set x = 0 %}{% for i in range(3) %}{{ x }}{% set x = i %}{% endfor %}{{ x }}"),
            "0000");
  EXPECT_EQ(
      render(
          "{% set n = namespace(x=0) %}{% for i in range(3) %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}"),
      "3");
  EXPECT_EQ(render("{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=5) }}"), "1215");
}

TEST(Jinja, ARefusalNamesFileLineAndExpression) {
  const std::pair<const char*, const char*> cases[] = {
      {"\n\n{{ 'x' | escape }}", "t.jinja:3: 'x' | escape: the filter 'escape' is not built"},
      {"a\n{{ messages.x }}", "t.jinja:2: messages.x: 'messages' is undefined"},
      {"{% include 'x' %}", "t.jinja:1: the template cannot be read: the block {% include %} is not built"},
      {"{% if x %}\n", "{% endif %} is missing"},
      {"{{ raise_exception('No tools!') }}", "refuses this conversation: No tools! (t.jinja:1)"}};
  for (const auto& [source, expected] : cases)
    EXPECT_NE(message_of<InputError>([&, &source = source] { render(source); }).find(expected),
              std::string::npos)
        << message_of<InputError>([&, &source = source] { render(source); });
}

// A template is foreign code.
TEST(Jinja, EndsWhateverTheTemplateSays) {
  const std::pair<std::string, const char*> cases[] = {
      {"{% for i in range(10 ** 9) %}x{% endfor %}", "range() is limited"},
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "too many steps"},
      {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested too deep"},
      {"{% set n = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
       "MiB"},
      {"{{ 'x' * 10 ** 12 }}", "MiB"},
      {"{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}",
       "nested more than"},
      {"{{ " + std::string(9999, '(') + "1" + std::string(9999, ')') + " }}", "nested too deep"},
      {"{{ " + std::string(100000, '-') + "1 }}", "nested too deep"}};
  for (const auto& [source, expected] : cases) {
    const std::string message = message_of<InputError>([&, &source = source] { render(source); });
    EXPECT_NE(message.find(expected), std::string::npos) << message.substr(0, 300);
  }
}

}  // namespace
}  // namespace relmpi::jinja
