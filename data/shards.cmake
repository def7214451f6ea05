# Sentence pairs to shards, and back to batches.
list(APPEND DATA_SOURCES
     atomic_folder.cpp dataset.cpp hdf5.cpp inspect.cpp loader.cpp loader_bench.cpp manifest.cpp order.cpp pairs.cpp
     shard.cpp shard_reader.cpp sharding.cpp)
list(APPEND DATA_COMMANDS commands_shard.cpp)
set_source_files_properties(sharding.cpp PROPERTIES COMPILE_DEFINITIONS RELMPI_VERSION="${PROJECT_VERSION}")
