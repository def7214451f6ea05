#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/utf8.h"
#include "data/jinja/filters.h"
#include "data/jinja/operators.h"
#include "data/jinja/python_text.h"

namespace relmpi::jinja {

std::string soft_text(const Value& value, Budget& budget) { return str(value, budget); }

namespace {

Filter cased(std::string (*change)(const std::string&)) {
  return [=](const Value& input, const Arguments& arguments, Budget& budget) {
    arguments.demand(0, {});
    return Value(change(soft_text(input, budget)));
  };
}

Value trimmed(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"chars"});
  const Value* of = arguments.find(0, "chars");
  const std::string text = soft_text(input, budget);
  if (of == nullptr || of->is<None>()) return std::string(strip(text, true, true));
  if (of->text() == nullptr) throw Trouble("chars must be a text");
  return std::string(strip(text, true, true, *of->text()));
}

// At most `most` times; an empty `old` stands between all characters.
std::string replaced(const std::string& text, const std::string& old, const std::string& fresh,
                     std::int64_t most, Budget& budget) {
  std::string out;
  std::size_t done = 0;
  const auto put = [&](std::size_t at, std::size_t behind) {
    budget.bytes(at - done + fresh.size());
    out.append(text, done, at - done).append(fresh);
    done = behind;
    --most;
  };
  if (old.empty()) {
    for (std::size_t at = 0; most != 0 && at <= text.size();
         at += at < text.size() ? utf8_step(text, at).length : 1)
      put(at, at);
  } else {
    for (std::size_t at = text.find(old); most != 0 && at != std::string::npos; at = text.find(old, done))
      put(at, at + old.size());
  }
  return out.append(text, done);
}

Value replacing(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(2, {"old", "new", "count"});
  std::int64_t most = -1, scratch = 0;
  if (const Value* count = arguments.find(2, "count"); count != nullptr && !count->is<None>()) {
    const auto* held = whole(*count, scratch);
    if (held == nullptr) throw Trouble("count must be a whole number");
    most = *held < 0 ? -1 : *held;
  }
  return replaced(soft_text(input, budget), soft_text(*arguments.find(0, "old"), budget),
                  soft_text(*arguments.find(1, "new"), budget), most, budget);
}

// Words begin behind spaces and opening brackets, otherwise than in str.title.
Value titled(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {});
  std::string out;
  bool first = true;
  const std::string text = soft_text(input, budget);
  for (const std::string_view character : characters(text)) {
    const bool splits =
        is_space_at(character, 0) || std::string_view("-({[<").find(character) != std::string_view::npos;
    out += first ? upper(std::string(character)) : lower(std::string(character));
    first = splits;
  }
  return out;
}

Value indented(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"width", "first", "blank"});
  if (input.text() == nullptr) throw Trouble("a text was expected, not {}", type_name(input));
  const Value *width = arguments.find(0, "width"), *first = arguments.find(1, "first"),
              *blank = arguments.find(2, "blank");
  std::string indent = "    ";
  std::int64_t scratch = 0;
  if (width != nullptr && width->text() != nullptr)
    indent = *width->text();
  else if (width != nullptr)
    indent = *arithmetic("*", Value(std::string(" ")), whole(*width, scratch) != nullptr ? *width : Value(),
                         budget)
                  .text();
  std::string text = *input.text();
  text += '\n';
  const auto lines = split_lines(text, false);
  std::string out;
  if (first != nullptr && truth(*first)) out = indent;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    budget.bytes(indent.size() + lines[i].size());
    if (i > 0) out += "\n";
    if (i > 0 && (!lines[i].empty() || (blank != nullptr && truth(*blank)))) out += indent;
    out += lines[i];
  }
  return out;
}

// int(text) of Python for what is written in ASCII; nothing if it is no whole number.
std::optional<std::int64_t> parsed_whole(std::string_view text) {
  text = strip(text, true, true);
  if (text.find('_') != std::string_view::npos) throw Trouble("a number with _ in it");
  const std::size_t digits = text.starts_with('+') || text.starts_with('-') ? 1 : 0;
  if (text.size() == digits || text.find_first_not_of("0123456789", digits) != std::string_view::npos)
    return std::nullopt;
  if (text.size() > 18) throw Trouble("the number {} is too long", text);
  return std::strtoll(std::string(text).c_str(), nullptr, 10);
}

std::optional<double> parsed_float(std::string_view text) {
  text = strip(text, true, true);
  if (text.find('_') != std::string_view::npos) throw Trouble("a number with _ in it");
  if (text.empty() || text.find_first_of("xXpP(") != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9e18) throw Trouble("the number needs more than 64 bits");
  return static_cast<std::int64_t>(value);
}

Value to_whole(const Value& input, const Arguments& arguments, Budget&) {
  arguments.demand(0, {"default", "base"});
  if (const Value* base = arguments.find(1, "base"); base != nullptr)
    throw Trouble("another base is not built");
  const Value* given = arguments.find(0, "default");
  const Value otherwise = given != nullptr ? *given : Value(std::int64_t{0});
  std::int64_t scratch = 0;
  if (const auto* held = whole(input, scratch)) return *held;
  std::optional<std::int64_t> found;
  if (const std::string* text = input.text()) {
    found = parsed_whole(*text);
    const auto number = found ? std::nullopt : parsed_float(*text);
    if (number) found = truncated(*number);
  } else if (const auto* held = input.as<double>()) {
    found = truncated(*held);
  }
  return found ? Value(*found) : otherwise;
}

Value to_float(const Value& input, const Arguments& arguments, Budget&) {
  arguments.demand(0, {"default"});
  const Value* given = arguments.find(0, "default");
  if (is_number(input)) return number(input);
  const auto found = input.text() != nullptr ? parsed_float(*input.text()) : std::nullopt;
  return found ? Value(*found) : given != nullptr ? *given : Value(0.0);
}

// Half to even on the exact value, as both Python and fmt round.
Value rounded(const Value& input, const Arguments& arguments, Budget&) {
  arguments.demand(0, {"precision", "method"});
  const Value *precision = arguments.find(0, "precision"), *method = arguments.find(1, "method");
  std::int64_t scratch = 0;
  const std::int64_t* digits = precision != nullptr ? whole(*precision, scratch) : &scratch;
  if (digits == nullptr || *digits < 0 || *digits > 100) throw Trouble("precision must be 0 to 100");
  const std::string how = method == nullptr ? "common" : method->text() != nullptr ? *method->text() : "";
  if (how != "common" && how != "ceil" && how != "floor")
    throw Trouble("method must be common, ceil or floor");
  if (how == "common" && !input.is<double>() && is_number(input)) return *whole(input, scratch);
  const double value = number(input);
  if (how == "common") {
    if (!std::isfinite(value)) return value;
    return std::strtod(fmt::format("{:.{}f}", value, *digits).c_str(), nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(*digits));
  return (how == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale;
}

Value absolute(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {});
  if (const auto* held = input.as<double>()) return std::abs(*held);
  return less(input, std::int64_t{0}, budget) ? negative(input, budget) : positive(input);
}

// transformers' own tojson, which escapes no HTML and no letters.
Value to_json(const Value& input, const Arguments& arguments, Budget& budget) {
  arguments.demand(0, {"ensure_ascii", "indent", "separators", "sort_keys"});
  const Value *ascii = arguments.find(0, "ensure_ascii"), *indent = arguments.find(1, "indent"),
              *separators = arguments.find(2, "separators"), *sort = arguments.find(3, "sort_keys");
  if (ascii != nullptr && truth(*ascii)) throw Trouble("ensure_ascii=true is not built");
  JsonLayout layout;
  std::string indent_text;
  std::int64_t scratch = 0;
  if (indent != nullptr && !indent->is<None>()) {
    if (indent->text() != nullptr)
      indent_text = *indent->text();
    else if (const auto* width = whole(*indent, scratch); width != nullptr && *width <= 100)
      indent_text = std::string(static_cast<std::size_t>(std::max<std::int64_t>(*width, 0)), ' ');
    else
      throw Trouble("indent must be a text or a whole number to 100");
    layout.indent = &indent_text;
    layout.item_separator.assign(1, ',');
  }
  if (separators != nullptr && !separators->is<None>()) {
    const auto items = iterate(*separators, budget);
    if (items->values.size() != 2 || items->values[0].text() == nullptr || items->values[1].text() == nullptr)
      throw Trouble("separators must be two texts");
    layout.item_separator = *items->values[0].text();
    layout.key_separator = *items->values[1].text();
  }
  layout.sort_keys = sort != nullptr && truth(*sort);
  return json_text(input, layout, budget);
}

}  // namespace

const Filters& text_filters() {
  static const Filters filters = {
      {"upper", cased(&upper)},
      {"lower", cased(&lower)},
      {"capitalize", cased(&capitalize)},
      {"string", cased([](const std::string& text) { return text; })},
      {"title", &titled},
      {"trim", &trimmed},
      {"replace", &replacing},
      {"indent", &indented},
      {"tojson", &to_json},
      {"int", &to_whole},
      {"float", &to_float},
      {"round", &rounded},
      {"abs", &absolute},
  };
  return filters;
}

}  // namespace relmpi::jinja
