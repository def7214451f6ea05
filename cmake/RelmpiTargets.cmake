# How every target here is built: warnings are errors, ccache if present, precompiled headers shared by all
# targets that include the same heavy headers.

find_program(RELMPI_CCACHE ccache)
if(RELMPI_CCACHE)
  # The sloppiness lets ccache keep objects that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${RELMPI_CCACHE})
endif()
find_program(RELMPI_MOLD mold)
if(RELMPI_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

function(relmpi_settings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
                         -Wno-missing-field-initializers)  # designated initialisers leave defaults out on purpose
  if(RELMPI_CCACHE)
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# relmpi_library(NAME sources... [LINK targets...]): the library of one folder.
function(relmpi_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${arg_LINK})
  relmpi_settings(${name})
endfunction()

# relmpi_program(NAME sources... [LINK targets...]): a tool or a test program.
function(relmpi_program name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  relmpi_settings(${name})
endfunction()

# Targets that include torch headers share one precompiled header: they cost 15 s a file otherwise.
function(relmpi_use_torch_headers target)
  target_precompile_headers(${target} REUSE_FROM torch_headers)
endfunction()
