#pragma once

#include "base/tool.h"

namespace relmpi {

// The commands of relmpi-data, each in the file of its name.
void add_vocab(Tool& tool);
void add_confusion(Tool& tool);
void add_noise(Tool& tool);
void add_shard(Tool& tool);
void add_inspect(Tool& tool);
void add_bench(Tool& tool);
void add_tokenize(Tool& tool);
void add_chat(Tool& tool);

}  // namespace relmpi
