#pragma once

#include <gtest/gtest.h>

#include "model/kernels/own_kernels.h"

// For tests of what the general path does not promise, when it is chosen by RELMPI_KERNELS=general.
#define OWN_KERNELS_ONLY()              \
  if (!::relmpi::own_kernels(at::kCPU)) \
  GTEST_SKIP() << "RELMPI_KERNELS=general: without the operators of our own"
