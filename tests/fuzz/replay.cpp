// Runs a fuzz target without libFuzzer: every file of its corpus, then mutants of them, the same ones for the
// same seed. An input that ends the process is left behind in a file. Blind to coverage, but built by any
// compiler.

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongest = 1 << 16;

// What readers of numbers and texts stumble over.
constexpr std::string_view kWords[] = {"0",
                                       "-1",
                                       "1e300",
                                       "18446744073709551615",
                                       "9223372036854775808",
                                       "\"",
                                       "\\u0000",
                                       "null",
                                       "{}",
                                       "[]",
                                       "[[[[[[[[",
                                       ":",
                                       ",",
                                       "\n",
                                       "\r",
                                       "\t",
                                       "\xEF\xBB\xBF",
                                       "\xFF",
                                       "一",
                                       "\U0002A6D6"};

std::string current;  // what the target works on

void leave_behind() {
  std::FILE* file = std::fopen("crash", "wb");
  if (file == nullptr) return;
  std::fwrite(current.data(), 1, current.size(), file);
  std::fclose(file);
  std::fputs("the input that ended the process is in the file 'crash' of the working folder\n", stderr);
}

void on_signal(int signal) {
  std::signal(signal, SIG_DFL);
  leave_behind();
  std::raise(signal);
}

// An exception that the target lets out ends the process here.
void run(std::string input) noexcept {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

// One change at a random place.
void mutate(std::string& bytes, const std::vector<std::string>& corpus, Random& random) {
  const std::size_t begin = random.below(bytes.size() + 1);
  const std::size_t length = random.below(std::min<std::size_t>(bytes.size() - begin, 32) + 1);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.below(bound)); };
  switch (random.below(10)) {
    case 0:
    case 1:  // what a broken disk or cable does
      if (begin < bytes.size()) bytes[begin] = static_cast<char>(bytes[begin] ^ (1 << random.below(8)));
      break;
    case 2:
      bytes.insert(begin, 1, static_cast<char>(random.below(256)));
      break;
    case 3:
      bytes.erase(begin, length);
      break;
    case 4:
      bytes.insert(begin, bytes.substr(begin, length));
      break;
    case 5:
      bytes.replace(begin, random.below(2) == 0 ? 0 : length, kWords[below(std::size(kWords))]);
      break;
    case 6: {  // the end of another one
      const std::string& other = corpus[below(corpus.size())];
      bytes = bytes.substr(0, begin) + other.substr(below(other.size() + 1));
      break;
    }
    default:  // digits become other digits: the numbers stay numbers
      for (std::size_t i = begin; i < bytes.size(); ++i) {
        if (bytes[i] < '0' || bytes[i] > '9') continue;
        bytes[i] = static_cast<char>('0' + random.below(10));
        break;
      }
  }
}

void replay(const fs::path& folder, std::uint64_t mutants, std::uint64_t seed) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  if (files.empty()) throw InputError("{}: the corpus is empty", folder.string());
  std::vector<std::string> corpus;
  for (const fs::path& file : files) {
    corpus.push_back(read_file(file));
    run(corpus.back());
  }
  for (std::uint64_t i = 0; i < mutants; ++i) {
    Random random(seed, "mutants", i);
    std::string bytes = corpus[random.below(corpus.size())];
    const std::uint64_t changes =
        random.below(2) == 0 ? 1 : 1 + random.below(4);  // one may leave it readable
    for (std::uint64_t change = 0; change < changes; ++change) mutate(bytes, corpus, random);
    if (bytes.size() > kLongest) bytes.resize(kLongest);
    run(std::move(bytes));
  }
  fmt::print("{} files of the corpus and {} mutants: none ended the process\n", corpus.size(), mutants);
  for (const auto& [reader, count] : verdicts()) {
    fmt::print("{}: {} taken, {} refused\n", reader, count.taken, count.refused);
    if (count.taken == 0 || count.refused == 0)
      throw InputError("{}: the corpus needs a file that is taken and one that is refused", reader);
  }
}

}  // namespace
}  // namespace relmpi::fuzz

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} CORPUS-FOLDER [MUTANTS [SEED]]\n", argv[0]);
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(signal, relmpi::fuzz::on_signal);
  const auto number = [&](int index, std::uint64_t usual) {
    return argc > index ? std::strtoull(argv[index], nullptr, 10) : usual;
  };
  try {
    relmpi::fuzz::replay(argv[1], number(2, 1000), number(3, 1));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    return 2;
  }
  return 0;
}
