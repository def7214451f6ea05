#include <algorithm>
#include <cmath>

#include "data/jinja/python_text.h"
#include "data/jinja/value.h"

namespace relmpi::jinja {

// repr() of a float: the fewest digits that give it back, always with a point or an exponent.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

namespace {

void append_list(std::string& out, const Sequence& list, Budget& budget) {
  const bool tuple = list.kind == SequenceKind::kTuple;
  out += tuple ? "(" : "[";
  const auto& values = list.items->values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ", ";
    out += repr(values[i], budget);
  }
  if (tuple && values.size() == 1) out += ",";
  out += tuple ? ")" : "]";
}

std::string scalar_text(const Value& value) {
  if (value.is<None>()) return "None";
  if (const auto* held = value.as<bool>()) return *held ? "True" : "False";
  if (const auto* held = value.as<std::int64_t>()) return fmt::format("{}", *held);
  if (const auto* held = value.as<double>()) return float_text(*held);
  throw Trouble("the text of a {} is not known here", type_name(value));
}

}  // namespace

std::string str(const Value& value, Budget& budget) {
  if (const auto* text = value.text()) return *text;
  if (value.is<Undefined>()) return "";
  return repr(value, budget);
}

std::string repr(const Value& value, Budget& budget) {
  budget.step();
  std::string out;
  if (const auto* text = value.text()) {
    out = quoted(*text);
  } else if (value.is<Undefined>()) {
    out += "Undefined";
  } else if (const auto* dict = value.as<Dict>()) {
    out += '{';
    for (const auto& [key, held] : dict->entries->pairs)
      out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", repr(key, budget), repr(held, budget));
    out += '}';
  } else if (const auto* list = value.as<Sequence>(); list != nullptr && list->kind <= SequenceKind::kTuple) {
    append_list(out, *list, budget);
  } else {
    out = scalar_text(value);
  }
  budget.bytes(out.size());
  return out;
}

namespace {

// Python's json module writes these alone as escapes if ensure_ascii is false.
std::string json_string(const std::string& text) {
  std::string out(1, '"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<int>(c));
        else
          out += c;
    }
  }
  out += '"';
  return out;
}

std::string json_scalar(const Value& value) {
  if (value.is<None>()) return "null";
  if (const auto* held = value.as<bool>()) return *held ? "true" : "false";
  if (const auto* held = value.as<std::int64_t>()) return fmt::format("{}", *held);
  if (const auto* held = value.as<double>()) {
    if (std::isnan(*held)) return "NaN";
    if (std::isinf(*held)) return *held > 0 ? "Infinity" : "-Infinity";
    return float_text(*held);
  }
  throw Trouble("{} is nothing that JSON can hold", type_name(value));
}

class JsonWriter {
 public:
  JsonWriter(const JsonLayout& layout, Budget& budget) : layout_(layout), budget_(budget) {}

  void write(const Value& value) {
    const std::size_t before = out.size();
    budget_.step();
    if (const auto* text = value.text())
      out += json_string(*text);
    else if (const auto* list = value.as<Sequence>(); list && list->kind <= SequenceKind::kTuple)
      write_list(list->items->values);
    else if (const auto* dict = value.as<Dict>())
      write_dict(dict->entries->pairs);
    else
      out += json_scalar(value);
    budget_.bytes(out.size() - before);
  }

  std::string out;

 private:
  void write_list(const std::vector<Value>& values) {
    out += "[";
    ++level_;
    for (std::size_t i = 0; i < values.size(); ++i) {
      separate(i);
      write(values[i]);
    }
    close(values.empty(), "]");
  }

  void write_dict(std::vector<std::pair<Value, Value>> pairs) {
    if (layout_.sort_keys)
      std::ranges::stable_sort(pairs,
                               [&](const auto& a, const auto& b) { return less(a.first, b.first, budget_); });
    out += "{";
    ++level_;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      separate(i);
      const auto& [key, value] = pairs[i];
      out += json_string(key.text() != nullptr ? *key.text() : json_scalar(key));
      out += layout_.key_separator;
      write(value);
    }
    close(pairs.empty(), "}");
  }

  void separate(std::size_t i) {
    if (i > 0) out += layout_.item_separator;
    new_line();
  }

  void new_line() {
    if (layout_.indent == nullptr) return;
    out += "\n";
    for (int i = 0; i < level_; ++i) out += *layout_.indent;
  }

  void close(bool empty, const char* bracket) {
    --level_;
    if (!empty) new_line();
    out += bracket;
  }

  const JsonLayout& layout_;
  Budget& budget_;
  int level_ = 0;
};

}  // namespace

std::string json_text(const Value& value, const JsonLayout& layout, Budget& budget) {
  JsonWriter writer(layout, budget);
  writer.write(value);
  return std::move(writer.out);
}

}  // namespace relmpi::jinja
