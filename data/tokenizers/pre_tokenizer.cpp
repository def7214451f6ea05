#include "data/tokenizers/pre_tokenizer.h"

#include <string>

namespace relmpi {
namespace {

// Joins the stretches of a text, matches and what is between them, as the behavior says.
template <typename Emit>
class Joiner {
 public:
  Joiner(SplitBehavior behavior, const Emit& emit) : behavior_(behavior), emit_(emit) {}

  void add(TextRange range, bool is_match) {
    switch (behavior_) {
      case SplitBehavior::kIsolated:
        return emit_(range);
      case SplitBehavior::kRemoved:
        if (!is_match) emit_(range);
        return;
      case SplitBehavior::kContiguous:
        return join(range, is_match, is_match == last_is_match_);
      case SplitBehavior::kMergedWithPrevious:
        return join(range, is_match, is_match && !last_is_match_);
      case SplitBehavior::kMergedWithNext:
        return join(range, is_match, !is_match && last_is_match_);
    }
  }
  void finish() {
    if (holds_) emit_(held_);
  }

 private:
  void join(TextRange range, bool is_match, bool together) {
    if (holds_ && together) {
      held_.end = range.end;
    } else {
      finish();
      held_ = range;
      holds_ = true;
    }
    last_is_match_ = is_match;
  }

  SplitBehavior behavior_;
  const Emit& emit_;
  TextRange held_;
  bool holds_ = false;
  bool last_is_match_ = false;
};

template <typename Emit>
void cut(const SplitStep& rule, PatternMatcher& matcher, std::string_view text, const Emit& emit) {
  Joiner<Emit> joiner(rule.behavior, emit);
  matcher.start(text);
  std::size_t end = 0;
  for (TextRange match; matcher.next(match); end = match.end) {
    if (end != match.begin) joiner.add({end, match.begin}, rule.invert);
    joiner.add(match, !rule.invert);
  }
  if (end != text.size()) joiner.add({end, text.size()}, rule.invert);
  joiner.finish();
}

}  // namespace

PreTokenizerRun::PreTokenizerRun(const PreTokenizer& rules)
    : prefix_at_(rules.before.size()), add_prefix_space_(rules.add_prefix_space) {
  for (const auto* rule_list : {&rules.before, &rules.after})
    for (const SplitStep& rule : *rule_list) steps_.push_back({&rule, rule.pattern->matcher()});
}

void PreTokenizerRun::split(std::string_view text, const Sink& sink) {
  if (!text.empty()) step(0, {text}, sink);
}

void PreTokenizerRun::step(std::size_t index, Piece piece, const Sink& sink) {
  std::string spaced;
  if (index == prefix_at_ && add_prefix_space_ && !piece.bytes.starts_with(' ')) {
    spaced.assign(1, ' ').append(piece.bytes);
    piece = {spaced, piece.place, true};
  }
  if (index == steps_.size()) return sink(piece);
  const Step& current = steps_[index];
  cut(*current.rule, *current.matcher, piece.bytes, [&](TextRange range) {
    if (range.begin == range.end) return;
    const bool first = range.begin == 0;
    const std::size_t place = piece.place + range.begin - (piece.spaced && !first ? 1 : 0);
    step(index + 1, {piece.bytes.substr(range.begin, range.end - range.begin), place, piece.spaced && first},
         sink);
  });
}

}  // namespace relmpi
