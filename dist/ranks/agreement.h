#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "dist/ranks/communicator.h"

namespace CLI {
class App;
}

namespace relmpi {

// What has to be the same on every rank before the first collective that relies on it: `facts` is an object
// of names and values. Throws InputError on every rank, naming the fact, the ranks with their hosts, and both
// values, where a rank's differ from rank 0's. Every rank must call it.
void demand_agreement(Communicator& communicator, const nlohmann::json& facts);

// Hash of this program's file, and versions of libtorch, MPI and NCCL.
nlohmann::json program_facts();

// A command's options by name ("--lr"), each with what was given or is the default, but for those in `free`
// (long names, without the dashes), which may differ between ranks. Every name in `free` must be an option of
// the command.
nlohmann::json option_facts(const CLI::App& command, const std::set<std::string>& free);

}  // namespace relmpi
