#include "data/loader/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "data/loader/order.h"

namespace relmpi {
namespace {

constexpr std::size_t kAlignment = 64;

std::shared_ptr<void> ordinary_memory(std::size_t bytes) {
  std::shared_ptr<void> memory(std::malloc(bytes), std::free);
  if (!memory)
    throw RuntimeError("out of memory: a batch needs {} bytes; try a smaller --micro-batch", bytes);
  return memory;
}

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

void check(const LoaderOptions& options, std::int64_t steps) {
  OrderOptions{options.seed, options.global_batch}.validate();
  demand(options.micro_batch >= 0, "--micro-batch", options.micro_batch, "0 (everything) or more rows");
  if (options.size < 1 || options.rank < 0 || options.rank >= options.size) {
    throw InputError("rank {} of {}: ranks are 0 to size - 1", options.rank, options.size);
  }
  demand(options.prefetch >= 0, "--prefetch", options.prefetch, "0 (no reader thread) or more steps");
  if (options.first_epoch < 0 || options.first_step < 0 || options.first_step > steps) {
    throw InputError("cannot start at epoch {}, step {}: an epoch has {} steps at this global batch size",
                     options.first_epoch, options.first_step, steps);
  }
}

// A pool and its ids. The ids of the next pool are read little by little while this one is used.
struct LoadedPool {
  std::int64_t epoch = 0;
  Pool pool;
  Sentences ids;  // rows of the pool; unused if the whole data set is in memory
  std::size_t ranges_read = 0;

  void read_until(const Dataset& dataset, std::size_t ranges) {
    for (; ranges_read < std::min(ranges, pool.ranges.size()); ++ranges_read) {
      const auto [begin, end] = pool.ranges[ranges_read];
      const Sentences piece = dataset.read(begin, end);
      if (ids.offsets.empty()) ids.offsets.push_back(0);
      const std::uint64_t base = ids.offsets.back();
      ids.source.insert(ids.source.end(), piece.source.begin(), piece.source.end());
      ids.target.insert(ids.target.end(), piece.target.begin(), piece.target.end());
      for (std::size_t i = 1; i < piece.offsets.size(); ++i) ids.offsets.push_back(base + piece.offsets[i]);
    }
  }
};

// Makes the steps one after the other. Used by one thread.
class StepMaker {
 public:
  StepMaker(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        options_(options),
        epoch_(options.first_epoch),
        step_(options.first_step) {
    if (steps() == step_) {
      ++epoch_;
      step_ = 0;
    }
    if (options_.preload) everything_ = dataset_->read(0, dataset_->sentences());
  }

  std::int64_t steps() const {
    return (dataset_->sentences() + options_.global_batch - 1) / options_.global_batch;
  }

  StepBatches next() {
    if (!current_) current_ = plan(epoch_, order(epoch_).pool_of_step(step_));
    if (!everything_) current_->read_until(*dataset_, current_->pool.ranges.size());
    const auto place = static_cast<std::size_t>(step_ - current_->pool.first_step);
    StepBatches result = make(current_->pool.batches[place]);
    advance(place);
    return result;
  }

 private:
  const EpochOrder& order(std::int64_t epoch) {
    if (!order_ || order_epoch_ != epoch) {
      order_.emplace(dataset_->lengths(), OrderOptions{options_.seed, options_.global_batch}, epoch);
      order_epoch_ = epoch;
    }
    return *order_;
  }

  LoadedPool plan(std::int64_t epoch, std::int64_t index) {
    LoadedPool loaded;
    loaded.epoch = epoch;
    loaded.pool = order(epoch).pool(index);
    return loaded;
  }

  // Goes to the next step; reads the share of the next pool that is due by now.
  void advance(std::size_t place) {
    const std::size_t batches = current_->pool.batches.size();
    if (!following_) {
      const std::int64_t index = order(current_->epoch).pool_of_step(current_->pool.first_step) + 1;
      const bool same_epoch = index < order(current_->epoch).pools();
      following_ = same_epoch ? plan(current_->epoch, index) : plan(current_->epoch + 1, 0);
    }
    if (!everything_) {
      following_->read_until(*dataset_, following_->pool.ranges.size() * (place + 1) / batches);
    }
    if (++step_ == steps()) {
      ++epoch_;
      step_ = 0;
    }
    if (place + 1 == batches) {
      current_ = std::move(following_);
      following_.reset();
    }
  }

  StepBatches make(const std::vector<PoolSentence>& global_batch) const {
    StepBatches result{epoch_, step_, {}};
    const auto part = part_of_rank(global_batch, options_.rank, options_.size);
    const std::size_t rows =
        options_.micro_batch > 0 ? static_cast<std::size_t>(options_.micro_batch) : part.size();
    for (std::size_t begin = 0; begin < part.size(); begin += rows) {
      result.micro_batches.push_back(make(part.data() + begin, std::min(rows, part.size() - begin)));
    }
    return result;
  }

  // Sentences come by rising length, so the last row gives the width.
  Batch make(const PoolSentence* sentences, std::size_t rows) const {
    const Sentences& ids = everything_ ? *everything_ : current_->ids;
    const auto index = [&](std::size_t i) {
      return static_cast<std::size_t>(everything_ ? sentences[i].sentence : sentences[i].row);
    };
    const std::size_t last = index(rows - 1), width = ids.offsets[last + 1] - ids.offsets[last];
    const std::size_t side = aligned(rows * width * sizeof(std::int32_t));
    const std::size_t lengths = aligned(rows * sizeof(std::int32_t));
    const std::size_t numbers = aligned(rows * sizeof(std::int64_t));
    const std::size_t bytes = 2 * side + lengths + numbers;
    Batch batch;
    batch.rows = static_cast<std::int64_t>(rows);
    batch.width = static_cast<std::int64_t>(width);
    batch.memory = options_.allocate(bytes + kAlignment);
    auto* const raw = static_cast<std::byte*>(batch.memory.get());
    std::byte* const start =
        raw + (aligned(reinterpret_cast<std::uintptr_t>(raw)) - reinterpret_cast<std::uintptr_t>(raw));
    batch.source = reinterpret_cast<std::int32_t*>(start);
    batch.target = reinterpret_cast<std::int32_t*>(start + side);
    batch.lengths = reinterpret_cast<std::int32_t*>(start + 2 * side);
    batch.sentences = reinterpret_cast<std::int64_t*>(start + 2 * side + lengths);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint64_t begin = ids.offsets[index(i)], end = ids.offsets[index(i) + 1];
      const auto copy = [&](const std::vector<std::uint32_t>& from, std::int32_t* to) {
        to = std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin),
                       from.begin() + static_cast<std::ptrdiff_t>(end), to + i * width);
        std::fill_n(to, width - (end - begin), 0);
      };
      copy(ids.source, batch.source);
      copy(ids.target, batch.target);
      batch.lengths[i] = static_cast<std::int32_t>(end - begin);
      batch.sentences[i] = sentences[i].sentence;
    }
    return batch;
  }

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  std::int64_t epoch_;
  std::int64_t step_;
  std::optional<EpochOrder> order_;
  std::int64_t order_epoch_ = -1;
  std::optional<LoadedPool> current_, following_;
  std::optional<Sentences> everything_;
};

LoaderOptions with_defaults(LoaderOptions options) {
  if (!options.allocate) options.allocate = ordinary_memory;
  return options;
}

}  // namespace

struct Loader::State {
  State(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
      : maker(std::move(dataset), options), limit(static_cast<std::size_t>(options.prefetch)) {
    if (limit > 0) reader = std::thread([this] { read_ahead(); });
  }

  ~State() {
    {
      const std::scoped_lock lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    if (reader.joinable()) reader.join();
  }

  // What the reader thread does.
  void read_ahead() {
    try {
      while (true) {
        {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return stopping || ready.size() < limit; });
          if (stopping) return;
        }
        StepBatches step = maker.next();
        const std::scoped_lock lock(mutex);
        ready.push_back(std::move(step));
        changed.notify_all();
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  StepBatches take() {
    if (limit == 0) return maker.next();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !ready.empty() || failure; });
    if (ready.empty()) std::rethrow_exception(failure);
    StepBatches step = std::move(ready.front());
    ready.pop_front();
    changed.notify_all();
    return step;
  }

  StepMaker maker;  // belongs to the reader thread while there is one
  std::size_t limit;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<StepBatches> ready;
  std::exception_ptr failure;
  bool stopping = false;
  double waited = 0;
  std::thread reader;
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options) {
  RELMPI_CHECK(dataset != nullptr && dataset->sentences() > 0, "a loader of nothing");
  check(options, (dataset->sentences() + std::max<std::int64_t>(options.global_batch, 1) - 1) /
                     std::max<std::int64_t>(options.global_batch, 1));
  state_ = std::make_unique<State>(std::move(dataset), with_defaults(std::move(options)));
}
Loader::~Loader() = default;

StepBatches Loader::next() {
  const auto start = std::chrono::steady_clock::now();
  StepBatches step = state_->take();
  state_->waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return step;
}

std::int64_t Loader::steps_per_epoch() const { return state_->maker.steps(); }
double Loader::seconds_waited() const { return state_->waited; }

}  // namespace relmpi
