#include "data/spelling/noise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "data/text/characters.h"

namespace relmpi {
namespace {

constexpr double kLargestMean = 100;
constexpr auto kFrequentKind = static_cast<std::size_t>(ErrorKind::kFrequent);

// sqrt(count) in units of 1/1024: whole numbers make every draw exact on every machine.
std::uint64_t integer_weight(std::int64_t count) {
  return static_cast<std::uint64_t>(
      std::llround(1024 * std::sqrt(static_cast<double>(std::max<std::int64_t>(1, count)))));
}

void validate_mix(const ErrorMix& mix) {
  double sum = 0;
  for (std::size_t k = 0; k < mix.size(); ++k) {
    if (!(mix[k] >= 0) || !std::isfinite(mix[k])) {
      throw InputError("--mix: the share {} of {} is not a number >= 0", mix[k], kErrorKindNames[k]);
    }
    sum += mix[k];
  }
  if (sum <= 0) throw InputError("--mix: all shares are 0; give at least one kind of error a positive share");
}

}  // namespace

void NoiseOptions::validate() const {
  if (!(mean_errors > 0 && mean_errors <= kLargestMean)) {
    throw InputError("--mean-errors {}: a number above 0 and up to {} is needed", mean_errors, kLargestMean);
  }
  if (!(clean >= 0 && clean <= 1)) throw InputError("--clean {}: a probability in [0, 1] is needed", clean);
  validate_mix(mix);
}

std::size_t NoiseChannel::Weighted::at(std::uint64_t point) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(sums, point) - sums.begin());
}

NoiseChannel::NoiseChannel(const ConfusionSet& confusion, const ErrorMix& mix,
                           const std::function<bool(char32_t)>& allowed)
    : mix_(mix) {
  validate_mix(mix);
  for (std::size_t kind = 0; kind < kFrequentKind; ++kind) {
    if (mix[kind] == 0) continue;
    for (const auto& [meant, list] : confusion.lists(static_cast<ErrorKind>(kind))) {
      auto weighted = weigh(confusion, list, meant, allowed);
      if (!weighted.characters.empty()) lists_[meant][kind] = std::move(weighted);
    }
  }
  if (mix[kFrequentKind] > 0) frequent_ = weigh(confusion, confusion.frequent, 0, allowed);
  for (std::size_t i = 0; i < frequent_.characters.size(); ++i)
    frequent_place_.emplace(frequent_.characters[i], i);
}

NoiseChannel::Weighted NoiseChannel::weigh(const ConfusionSet& confusion, const std::vector<char32_t>& list,
                                           char32_t without,
                                           const std::function<bool(char32_t)>& allowed) const {
  Weighted weighted;
  for (char32_t character : list) {
    if (character == without || (allowed && !allowed(character))) continue;
    weighted.characters.push_back(character);
    weighted.sums.push_back(weighted.total() + integer_weight(confusion.count(character)));
  }
  return weighted;
}

ErrorMix NoiseChannel::shares(char32_t meant) const {
  ErrorMix shares{};
  const auto found = lists_.find(meant);
  for (std::size_t kind = 0; kind < kFrequentKind; ++kind) {
    if (found != lists_.end() && found->second[kind].total() > 0) shares[kind] = mix_[kind];
  }
  const bool other_frequent = frequent_.characters.size() > (frequent_place_.contains(meant) ? 1U : 0U);
  if (other_frequent && is_han(meant)) shares[kFrequentKind] = mix_[kFrequentKind];
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (sum > 0) {
    for (double& share : shares) share /= sum;
  }
  return shares;
}

bool NoiseChannel::can_err(char32_t meant) const {
  const auto kinds = shares(meant);
  return std::ranges::any_of(kinds, [](double share) { return share > 0; });
}

std::pair<char32_t, ErrorKind> NoiseChannel::draw(char32_t meant, Random& random) const {
  const auto kinds = shares(meant);
  double point = random.uniform();
  std::size_t kind = kinds.size();
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (kinds[k] <= 0) continue;
    kind = k;  // the last kind that there is takes what rounding leaves
    if (point < kinds[k]) break;
    point -= kinds[k];
  }
  RELMPI_CHECK(kind < kinds.size(), "U+{:04X} has no replacement", static_cast<unsigned>(meant));
  if (kind < kFrequentKind) {
    const auto& list = lists_.at(meant)[kind];
    return {list.characters[list.at(random.below(list.total()))], static_cast<ErrorKind>(kind)};
  }
  const auto self = frequent_place_.find(meant);
  if (self == frequent_place_.end()) {
    return {frequent_.characters[frequent_.at(random.below(frequent_.total()))], ErrorKind::kFrequent};
  }
  // The list without `meant`: its stretch of the running sums is stepped over.
  const auto place = self->second;
  const auto weight = frequent_.weight(place);
  auto where = random.below(frequent_.total() - weight);
  if (where >= frequent_.sums[place] - weight) where += weight;
  return {frequent_.characters[frequent_.at(where)], ErrorKind::kFrequent};
}

std::vector<std::pair<char32_t, double>> NoiseChannel::listed_probabilities(char32_t meant) const {
  const auto found = lists_.find(meant);
  if (found == lists_.end()) return {};
  const auto kinds = shares(meant);
  std::map<char32_t, double> sums;
  for (std::size_t kind = 0; kind < kFrequentKind; ++kind) {
    const auto& list = found->second[kind];
    for (std::size_t i = 0; i < list.characters.size(); ++i) {
      sums[list.characters[i]] +=
          kinds[kind] * static_cast<double>(list.weight(i)) / static_cast<double>(list.total());
    }
  }
  return {sums.begin(), sums.end()};
}

double NoiseChannel::frequent_share(char32_t meant) const { return shares(meant)[kFrequentKind]; }

double NoiseChannel::frequent_weight(char32_t character) const {
  const auto found = frequent_place_.find(character);
  return found == frequent_place_.end() ? 0 : static_cast<double>(frequent_.weight(found->second));
}

double NoiseChannel::frequent_total() const { return static_cast<double>(frequent_.total()); }

std::vector<std::pair<char32_t, double>> NoiseChannel::probabilities(char32_t meant) const {
  std::map<char32_t, double> sums;
  for (const auto& [written, probability] : listed_probabilities(meant)) sums[written] = probability;
  const double share = frequent_share(meant);
  if (share > 0) {
    const double total = frequent_total() - frequent_weight(meant);
    for (std::size_t i = 0; i < frequent_.characters.size(); ++i) {
      if (frequent_.characters[i] == meant) continue;
      sums[frequent_.characters[i]] += share * static_cast<double>(frequent_.weight(i)) / total;
    }
  }
  return {sums.begin(), sums.end()};
}

std::int64_t poisson(double mean, bool at_least_one, Random& random) {
  double term = std::exp(-mean);
  const double none = term;
  const double point = at_least_one ? none + (1 - none) * random.uniform() : random.uniform();
  double sum = term;
  std::int64_t number = 0;
  // The bound is past any point below 1 that a sum of doubles can reach.
  const auto most = static_cast<std::int64_t>(mean + 40 * std::sqrt(mean) + 40);
  while (number < most && point >= sum) {
    ++number;
    term *= mean / static_cast<double>(number);
    sum += term;
  }
  return at_least_one ? std::max<std::int64_t>(1, number) : number;
}

Noise::Noise(const ConfusionSet& confusion, const NoiseOptions& options,
             const std::function<bool(char32_t)>& allowed)
    : options_(options), channel_(confusion, options.mix, allowed) {
  options.validate();
}

NoisySentence Noise::apply(const std::u32string& target, std::int64_t copy, std::int64_t index) const {
  Random random(options_.seed, "noise", copy, index);
  NoisySentence noisy{target, {}, false};
  if (random.uniform() < options_.clean) {
    noisy.left_clean = true;
    return noisy;
  }
  const auto wanted = poisson(options_.mean_errors, options_.at_least_one, random);
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (channel_.can_err(target[i])) positions.push_back(i);
  }
  const auto errors = std::min(static_cast<std::size_t>(wanted), positions.size());
  for (std::size_t i = 0; i < errors; ++i) {  // the first steps of Fisher-Yates
    std::swap(positions[i], positions[i + random.below(positions.size() - i)]);
    const auto [written, kind] = channel_.draw(target[positions[i]], random);
    noisy.source[positions[i]] = written;
    ++noisy.errors[static_cast<std::size_t>(kind)];
  }
  return noisy;
}

}  // namespace relmpi
