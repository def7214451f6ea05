// manifest.json: data/shards/manifest.h.

#include "data/shards/manifest.h"

#include <tuple>

#include "base/files.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

auto parts_of(const ManifestShard& shard) {
  return std::tie(shard.file, shard.xxh3, shard.bytes, shard.sentences, shard.tokens);
}

void check_same(const Manifest& a, const Manifest& b) {
  RELMPI_CHECK(a.vocab_xxh3 == b.vocab_xxh3 && a.shards.size() == b.shards.size(),
               "read again as another one");
  for (std::size_t i = 0; i < a.shards.size(); ++i)
    RELMPI_CHECK(parts_of(a.shards[i]) == parts_of(b.shards[i]), "shard {}", i);
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file(Manifest::kFileName), again(Manifest::kFileName);
  file.fill(fuzz::text_of(data, size));
  const auto manifest = fuzz::accepted("manifest", [&] { return Manifest::load(file.folder()); });
  if (!manifest) return 0;
  manifest->save(again.folder());
  const std::string saved = read_file(again.path());
  const Manifest second = Manifest::load(again.folder());
  check_same(*manifest, second);
  second.save(again.folder());
  RELMPI_CHECK(read_file(again.path()) == saved, "other bytes for the same manifest");
  for (const ManifestShard& shard : manifest->shards) {
    const auto path = (file.folder() / shard.file).lexically_normal();
    RELMPI_CHECK(path.parent_path() == file.folder(), "{} leads out of the folder", shard.file);
    try {
      check_shard_file(file.folder(), shard);
    } catch (const InputError&) {  // there is no such file, or it is another one
    }
  }
  return 0;
}
