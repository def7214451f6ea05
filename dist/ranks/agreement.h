#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "dist/ranks/communicator.h"

namespace relmpi {

// What has to be the same on every rank before the first collective that relies on it: `facts` is an object
// of names and values. Throws InputError on every rank, naming the fact, the ranks with their hosts, and both
// values, where a rank's differ from rank 0's. Every rank must call it.
void demand_agreement(Communicator& communicator, const nlohmann::json& facts);

// Hash of this program's file, and versions of libtorch, MPI and NCCL.
nlohmann::json program_facts();

// The options of a resolved configuration (CLI11's TOML, a line an option) by name, but for those in `free`,
// which may differ between ranks.
nlohmann::json option_facts(const std::string& config, const std::set<std::string>& free);

}  // namespace relmpi
