#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "data/tokenizers/split_pattern.h"

namespace relmpi {

// What becomes of the matches of a pattern and of the text between them (Hugging Face's names).
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

// One cut: every piece that came so far is cut again.
struct SplitStep {
  std::shared_ptr<const SplitPattern> pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // the matches are what is between the matches
};

struct PreTokenizer {
  std::vector<SplitStep> before;  // on the text as it is
  bool add_prefix_space = false;  // before each piece that does not begin with one
  std::vector<SplitStep> after;   // behind that space
};

// Cuts text into the pieces that are encoded one by one. Holds what one thread needs for it; made per call.
class PreTokenizerRun {
 public:
  struct Piece {
    std::string_view bytes;
    std::size_t place = 0;  // in the text, in bytes
    bool spaced = false;    // begins with a space that was put in; `place` is that of what follows it
  };
  using Sink = std::function<void(const Piece& piece)>;

  // Keeps a reference to `rules`.
  explicit PreTokenizerRun(const PreTokenizer& rules);

  // Calls `sink` for each piece, from the left, none of them empty. The text must be valid UTF-8. Throws
  // InputError if a regular expression cannot cope with the text.
  void split(std::string_view text, const Sink& sink);

 private:
  struct Step {
    const SplitStep* rule;
    std::unique_ptr<PatternMatcher> matcher;
  };

  void step(std::size_t index, Piece piece, const Sink& sink);

  std::vector<Step> steps_;
  std::size_t prefix_at_;  // the step that the space is put before; beyond the end for none
  bool add_prefix_space_;
};

}  // namespace relmpi
