#include "dist/ranks/launch.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/rank_device.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

TEST(Device, NamesWhatIsWrong) {
  Communicator one;
  EXPECT_TRUE(choose_device(one, "cpu").is_cpu());
  EXPECT_THROW(choose_device(one, "tpu"), InputError);
  EXPECT_THROW(choose_device(one, "cuda:x"), InputError);
  EXPECT_THROW(choose_device(one, "cuda:99"), InputError);
}

// A driver that is older than this build's CUDA.
TEST(Device, IsNotTheCpuWhereCudaCannotUseTheGpu) {
  Communicator one;
  const GpuProbe old{
      .visible = 0, .device_files = true, .cuda_error = "the driver is too old (found 12020)."};
  for (const char* wanted : {"auto", "cuda", "cuda:0"}) {
    const std::string error = input_error_of([&] { choose_device(one, wanted, old); });
    for (const char* words : {wanted, "found 12020", "newer driver", "--device cpu"})
      EXPECT_NE(error.find(words), std::string::npos) << error;
  }
  EXPECT_TRUE(choose_device(one, "cpu", old).is_cpu());
}

TEST(Device, IsTheCpuWhereNoGpuIsOrAllAreHidden) {
  Communicator one;
  EXPECT_TRUE(choose_device(one, "auto", {.cuda_error = "found no driver"}).is_cpu());
  EXPECT_TRUE(choose_device(one, "auto", {.device_files = true}).is_cpu());  // CUDA_VISIBLE_DEVICES=
}

TEST(Launch, OneProcessWithoutALauncher) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_FD", "SLURM_STEP_ID"})
    ::unsetenv(name);
  ::setenv("SLURM_JOB_ID", "7", 1);  // the shell of a batch script
  EXPECT_FALSE(detect_launch().launched);
  ::setenv("SLURM_NTASKS", "2", 1);
  EXPECT_FALSE(detect_launch().launched);
  ::setenv("SLURM_STEP_ID", "0", 1);
  EXPECT_EQ(detect_launch().launcher, "srun");
  EXPECT_FALSE(detect_launch().connected);
  EXPECT_THROW(demand_connection(detect_launch(), 1), InputError);
  ::setenv("SLURM_NTASKS", "1", 1);  // one task needs no other
  EXPECT_FALSE(detect_launch().launched);
  ::setenv("SLURM_NTASKS", "2", 1);
  ::setenv("PMIX_RANK", "0", 1);
  EXPECT_TRUE(detect_launch().connected);
  EXPECT_EQ(detect_launch().launcher, "srun");
  EXPECT_NO_THROW(demand_connection(detect_launch(), 2));
  EXPECT_THROW(demand_connection(detect_launch(), 1), InputError);  // an interface of another version
  ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  EXPECT_EQ(detect_launch().launcher, "mpirun");
}

}  // namespace
}  // namespace relmpi
