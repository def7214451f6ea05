#include "data/commands/commands.h"

int main(int argc, char** argv) {
  using namespace relmpi;
  Tool tool("relmpi-data",
            "From text to training data for Chinese spelling correction.\n"
            "The usual order: vocab, confusion, noise, shard; then inspect what came out. bench says how "
            "fast this\n"
            "machine makes and reads shards.\n"
            "`relmpi-data COMMAND --help` explains each.");
  for (auto* add :
       {add_vocab, add_confusion, add_noise, add_tokenize, add_chat, add_shard, add_inspect, add_bench})
    add(tool);
  return tool.run(argc, argv);
}
