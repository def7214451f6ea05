#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace relmpi {

// A text that is being continued.
struct Sequence {
  std::int64_t index = 0;            // of its request: names its random stream
  std::int64_t slot = 0;             // its place in the batch, from 0
  std::vector<std::int32_t> tokens;  // prompt and answer so far
  std::size_t prompt = 0;            // how many of them are the prompt

  std::size_t answered() const { return tokens.size() - prompt; }
};

// What one step adds to a text.
struct Advance {
  std::vector<std::int32_t> tokens;        // at least one
  std::int64_t drafted = 0, accepted = 0;  // of a draft: proposed, and taken over
};

// The work of a method since it was made.
struct Figures {
  std::int64_t target_calls = 0;  // forward passes of the model that answers, each for all texts of a step
  double target_seconds = 0;
};

// How tokens follow from a text. generate() keeps the texts and decides where an answer ends; a method has
// the models and their caches. To add one is to write a file with another class of this kind.
class DecodingMethod {
 public:
  virtual ~DecodingMethod() = default;
  virtual std::string_view name() const = 0;

  // A new batch, in the order of the slots; what was before is forgotten. At most `capacity` tokens of a text
  // are run through a model: a text is full with one more.
  virtual void start(std::span<const Sequence> batch, std::int64_t capacity) = 0;

  // The next tokens of each of these texts, which are those of the step before with its tokens appended. A
  // text that is full is never here again, nor one that is finished.
  virtual std::vector<Advance> advance(std::span<const Sequence* const> active) = 0;

  // An answer ended inside the last advance of this slot: of its text, only the first `tokens` stand.
  virtual void keep(std::int64_t slot, std::int64_t tokens) = 0;

  virtual Figures figures() const = 0;
};

}  // namespace relmpi
