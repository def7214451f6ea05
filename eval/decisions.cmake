# The half of eval/ that needs no libtorch: decision processes, metrics, statistics.
relmpi_library(relmpi_decisions
               calibration.cpp commands_decisions.cpp comparison.cpp decision_process.cpp item_rows.cpp mdp.cpp
               policy_evaluation.cpp score.cpp statistics.cpp
               LINK relmpi_base)
