#include "dist/ranks/launch.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/rank_device.h"

namespace relmpi {
namespace {

TEST(Device, NamesWhatIsWrong) {
  Communicator one;
  EXPECT_TRUE(choose_device(one, "cpu").is_cpu());
  EXPECT_THROW(choose_device(one, "tpu"), InputError);
  EXPECT_THROW(choose_device(one, "cuda:x"), InputError);
  EXPECT_THROW(choose_device(one, "cuda:99"), InputError);
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
