# A program of its own: quick to build while the shards are worked on.
relmpi_program(data_shard_tests
               dataset_test.cpp ecspell_test.cpp loader_test.cpp order_properties_test.cpp order_test.cpp pairs_test.cpp
               shard_commands_test.cpp shard_damage_test.cpp sharding_test.cpp shard_testing.cpp ${CMAKE_SOURCE_DIR}/data/commands_shard.cpp
               LINK relmpi_data GTest::gtest_main rapidcheck_gtest)
target_compile_definitions(data_shard_tests PRIVATE RELMPI_SOURCE_FOLDER="${CMAKE_SOURCE_DIR}")
gtest_discover_tests(data_shard_tests PROPERTIES LABELS unit)
