# Finds libtorch in a PyTorch wheel (the default: .venv of this folder) or in an unpacked libtorch
# (-DLIBTORCH_ROOT=DIR, the folder that holds include/ and lib/).
#
# PyTorch's own package file cannot be used with the wheel: it demands a CUDA toolkit. The wheel's libraries and
# headers are complete without one.
#
#   Libtorch::headers its headers alone
#   Libtorch::torch   libtorch, with its CUDA half if the libraries have one
#   Libtorch::cuda    CUDA runtime headers (interface; empty without CUDA)
#   Libtorch::nccl    the one NCCL that libtorch itself uses
#   LIBTORCH_HAS_CUDA whether the CUDA and NCCL code is compiled

if(NOT LIBTORCH_ROOT)
  file(GLOB _torch_folders ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  list(APPEND _torch_folders ${CMAKE_SOURCE_DIR}/.venv/libtorch)
  foreach(_folder ${_torch_folders})
    if(EXISTS ${_folder}/include/ATen/ATen.h)
      set(LIBTORCH_ROOT ${_folder} CACHE PATH "Folder with libtorch's include/ and lib/" FORCE)
      break()
    endif()
  endforeach()
endif()
if(NOT EXISTS "${LIBTORCH_ROOT}/include/ATen/ATen.h")
  message(FATAL_ERROR "libtorch not found (LIBTORCH_ROOT='${LIBTORCH_ROOT}'). "
                      "Run scripts/setup, or pass -DLIBTORCH_ROOT=DIR with DIR/include/ATen/ATen.h.")
endif()

get_filename_component(_site ${LIBTORCH_ROOT} DIRECTORY)
find_library(LIBTORCH_LIBRARY torch PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(LIBTORCH_CPU_LIBRARY torch_cpu PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(LIBTORCH_C10_LIBRARY c10 PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
find_library(LIBTORCH_CUDA_LIBRARY torch_cuda PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH)
find_library(LIBTORCH_C10_CUDA_LIBRARY c10_cuda PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH)
find_path(LIBTORCH_CUDA_INCLUDE cuda_runtime_api.h
          PATHS ${_site}/nvidia/cu13/include ${_site}/nvidia/cuda_runtime/include NO_DEFAULT_PATH)
find_file(LIBTORCH_CUDART_LIBRARY NAMES libcudart.so.13 libcudart.so.12 libcudart.so
          PATHS ${_site}/nvidia/cu13/lib ${_site}/nvidia/cuda_runtime/lib ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH)
find_path(LIBTORCH_NCCL_INCLUDE nccl.h PATHS ${_site}/nvidia/nccl/include NO_DEFAULT_PATH)
find_file(LIBTORCH_NCCL_LIBRARY libnccl.so.2 PATHS ${_site}/nvidia/nccl/lib NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch REQUIRED_VARS LIBTORCH_LIBRARY LIBTORCH_CPU_LIBRARY LIBTORCH_C10_LIBRARY)

set(LIBTORCH_HAS_CUDA OFF)
if(LIBTORCH_CUDA_LIBRARY AND LIBTORCH_CUDA_INCLUDE AND LIBTORCH_CUDART_LIBRARY AND LIBTORCH_NCCL_INCLUDE AND LIBTORCH_NCCL_LIBRARY)
  set(LIBTORCH_HAS_CUDA ON)
endif()
message(STATUS "libtorch: ${LIBTORCH_ROOT} (CUDA and NCCL code: ${LIBTORCH_HAS_CUDA})")

# RUNPATH, not RPATH, so that LD_LIBRARY_PATH can redirect.
# libstdc++ comes before libtorch: libtorch.so exports std::filesystem functions of its own build, and its remove_all
# calls a null pointer (seen with the 2.11.0 wheel).
set(_link_options "LINKER:--push-state,--no-as-needed" "-lstdc++" "LINKER:--pop-state" "LINKER:--enable-new-dtags" "LINKER:-rpath,${LIBTORCH_ROOT}/lib" "LINKER:--allow-shlib-undefined")

if(NOT TARGET Libtorch::torch)
  add_library(Libtorch::cuda INTERFACE IMPORTED)
  add_library(Libtorch::nccl INTERFACE IMPORTED)
  add_library(Libtorch::headers INTERFACE IMPORTED)
  add_library(Libtorch::torch INTERFACE IMPORTED)
  # After the system's own folders: the wheel carries another fmt, which spdlog must not see.
  target_compile_options(Libtorch::headers INTERFACE
                         "SHELL:-idirafter ${LIBTORCH_ROOT}/include"
                         "SHELL:-idirafter ${LIBTORCH_ROOT}/include/torch/csrc/api/include")
  target_link_options(Libtorch::torch INTERFACE ${_link_options})
  target_link_libraries(Libtorch::torch INTERFACE Libtorch::headers
                        ${LIBTORCH_LIBRARY} ${LIBTORCH_CPU_LIBRARY} ${LIBTORCH_C10_LIBRARY})
  if(LIBTORCH_HAS_CUDA)
    target_include_directories(Libtorch::cuda SYSTEM INTERFACE ${LIBTORCH_CUDA_INCLUDE})
    target_compile_definitions(Libtorch::cuda INTERFACE RELMPI_CUDA=1)
    target_link_libraries(Libtorch::cuda INTERFACE ${LIBTORCH_CUDART_LIBRARY})
    get_filename_component(_cudart_folder ${LIBTORCH_CUDART_LIBRARY} DIRECTORY)
    target_link_options(Libtorch::cuda INTERFACE "LINKER:-rpath,${_cudart_folder}")
    target_include_directories(Libtorch::nccl SYSTEM INTERFACE ${LIBTORCH_NCCL_INCLUDE})
    get_filename_component(_nccl_folder ${LIBTORCH_NCCL_LIBRARY} DIRECTORY)
    target_link_libraries(Libtorch::nccl INTERFACE Libtorch::cuda ${LIBTORCH_NCCL_LIBRARY})
    target_link_options(Libtorch::nccl INTERFACE "LINKER:-rpath,${_nccl_folder}")
    # Nothing refers to libtorch_cuda by name, yet loading it is what registers the CUDA backend.
    target_link_libraries(Libtorch::torch INTERFACE Libtorch::cuda
                          "-Wl,--no-as-needed,${LIBTORCH_CUDA_LIBRARY},${LIBTORCH_C10_CUDA_LIBRARY},--as-needed")
  endif()
endif()
