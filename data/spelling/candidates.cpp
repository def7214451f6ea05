#include "data/spelling/candidates.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "data/spelling/noise.h"

namespace relmpi {
namespace {

struct Scored {
  std::int32_t id = 0;
  double score = 0;
};

// Stands for the count of a y that never occurs: below any real count, so that such y only fill rows up.
constexpr double kUnseenCount = 1e-6;

bool better(const Scored& a, const Scored& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; }

// P(meant y | wrote x) is proportional to count(y) * P(x | y). The part of P(x | y) that comes from y's own
// lists is sparse and inverted entry by entry. The part from the frequent characters is w(x) * u(y) with u(y)
// = share(y) / (W - w(y)): for every frequent x the best y outside x's sparse list are the same few, so it is
// enough to join the first K + 1 of them.
class Inverse {
 public:
  Inverse(const Vocabulary& vocabulary, const NoiseChannel& channel, const std::vector<std::int64_t>& counts,
          std::size_t width)
      : vocabulary_(vocabulary),
        listed_(counts.size()),
        frequent_(counts.size(), 0),
        written_(counts.size(), 0) {
    std::vector<Scored> meant;
    for (std::int32_t y = 0; y < vocabulary.size(); ++y) {
      const char32_t character = vocabulary.character(y);
      if (character == 0) continue;
      const double count = std::max(kUnseenCount, static_cast<double>(counts[static_cast<std::size_t>(y)]));
      written_[static_cast<std::size_t>(y)] = channel.frequent_weight(character);
      for (const auto& [x, probability] : channel.listed_probabilities(character)) {
        const auto id = exact_id(x);
        if (id >= 0) listed_[static_cast<std::size_t>(id)].push_back({y, count * probability});
      }
      const double share = channel.frequent_share(character);
      if (share <= 0) continue;
      const double term = count * share / (channel.frequent_total() - channel.frequent_weight(character));
      frequent_[static_cast<std::size_t>(y)] = term;
      meant.push_back({y, term});
    }
    const auto kept = std::min(meant.size(), width + 1);
    std::partial_sort(meant.begin(), meant.begin() + static_cast<std::ptrdiff_t>(kept), meant.end(), better);
    meant.resize(kept);
    usual_ = std::move(meant);
  }

  // All y that may have been meant by x and be among the best `width` others, best first.
  std::vector<Scored> candidates(std::int32_t x) const {
    const double weight = written_[static_cast<std::size_t>(x)];
    std::vector<Scored> scored = listed_[static_cast<std::size_t>(x)];
    for (auto& entry : scored) entry.score += weight * frequent_[static_cast<std::size_t>(entry.id)];
    const auto listed = scored.size();
    if (weight > 0) {
      for (const auto& entry : usual_) {
        const auto end = scored.begin() + static_cast<std::ptrdiff_t>(listed);
        const bool known =
            std::any_of(scored.begin(), end, [&](const Scored& s) { return s.id == entry.id; });
        if (!known && entry.id != x) scored.push_back({entry.id, weight * entry.score});
      }
    }
    std::ranges::sort(scored, better);
    return scored;
  }

 private:
  // The id of the token that is this character itself, or -1 (character_id falls back to lower case and
  // [UNK]).
  std::int32_t exact_id(char32_t character) const {
    const auto id = vocabulary_.character_id(character);
    return vocabulary_.character(id) == character ? id : -1;
  }

  const Vocabulary& vocabulary_;
  std::vector<std::vector<Scored>> listed_;  // by written x: meant y with count(y) * listed probability of x
  std::vector<double> frequent_;             // by meant y: count(y) * u(y)
  std::vector<double> written_;              // by written x: w(x)
  std::vector<Scored> usual_;                // the K + 1 largest of frequent_
};

}  // namespace

CandidateTable build_candidates(const Vocabulary& vocabulary, const ConfusionSet& confusion,
                                const std::vector<std::int64_t>& counts, std::int32_t width,
                                const ErrorMix& mix) {
  demand(width >= 1, "candidates", width, "at least 1, the character itself");
  if (counts.size() != static_cast<std::size_t>(vocabulary.size())) {
    throw InputError("{} counts for a vocabulary of {} tokens; count with the vocabulary that the model has",
                     counts.size(), vocabulary.size());
  }
  const auto allowed = [&](char32_t c) { return vocabulary.character(vocabulary.character_id(c)) == c; };
  const NoiseChannel channel(confusion, mix, allowed);
  const auto k = static_cast<std::size_t>(width);
  const Inverse inverse(vocabulary, channel, counts, k);
  CandidateTable table{vocabulary.size(), width, {}};
  table.ids.assign(counts.size() * k, -1);
  for (std::int32_t x = 0; x < vocabulary.size(); ++x) {
    auto* row = table.ids.data() + static_cast<std::size_t>(x) * k;
    row[0] = x;
    if (vocabulary.character(x) == 0) continue;
    const auto scored = inverse.candidates(x);
    for (std::size_t i = 0; i < std::min(scored.size(), k - 1); ++i) row[i + 1] = scored[i].id;
  }
  return table;
}

}  // namespace relmpi
