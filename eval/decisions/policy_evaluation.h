#pragma once

#include <vector>

#include "eval/decisions/decision_process.h"

namespace relmpi {

// The exact value of each state under a policy: V = r + gamma P V, solved as a linear system (by back
// substitution if no step leads to a lower state, by elimination otherwise).
//
// With gamma = 1 a policy may never stop. If it then goes on for nothing, what follows is worth 0 (no
// terminal reward is ever paid); if it pays forever with positive probability, the value is -infinity.
std::vector<double> evaluate_policy(const DecisionProcess& process, const ActionTable& policy);

// Whether the policy stops with probability 1 from every state.
bool always_stops(const DecisionProcess& process, const ActionTable& policy);

}  // namespace relmpi
