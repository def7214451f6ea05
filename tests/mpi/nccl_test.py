#!/usr/bin/env python3
"""The NCCL communicator under mpirun, with an NCCL that is played by tests/dist/fake_nccl.h.   FOLDER-OF-PROGRAMS"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

STEPS, NUMBERS = 4, 192


class Nccl(unittest.TestCase):
    def each_number_of_ranks(self, scenario):
        """(ranks, the rank with the fault, what the job printed and its exit code)"""
        for ranks in (2, 4):
            yield ranks, ranks - 1, testing.run("fake_nccl_job", scenario, ranks=ranks)

    def assert_failed(self, done, *words):
        """Ended by an error of its own, which says this; not by a signal."""
        self.assertEqual(done.returncode, 1, done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error: " in line]
        self.assertTrue(errors, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertNotIn("terminate called", done.stderr)

    def test_sums_are_right_and_a_communicator_ends_in_order(self):
        for ranks, _, done in self.each_number_of_ranks("right"):
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            for rank in range(ranks):
                own = [line.removeprefix(f"rank {rank} ") for line in lines if line.startswith(f"rank {rank} ")]
                sums = [f"step {step} sum {step * ranks * (ranks + 1) // 2 * NUMBERS}" for step in range(1, STEPS + 1)]
                self.assertEqual(own, ["init", *sums, "finalize", "destroy"])

    def test_a_rank_where_nccl_does_not_start_says_why_and_ends_the_job(self):
        for _, last, done in self.each_number_of_ranks("init"):
            self.assert_failed(done, f"rank {last}: ncclCommInitRank failed", "no memory for a socket", "NCCL did not start", "relmpi-doctor")
            self.assertNotIn("step", done.stdout)

    def test_a_step_never_goes_on_with_gradients_that_were_not_summed(self):
        for scenario in ("late", "early"):
            for _, last, done in self.each_number_of_ranks(scenario):
                self.assert_failed(done, f"rank {last}", "step 3", "no memory for a socket")
                self.assertIn(f"rank {last} step 2 sum", done.stdout)
                self.assertNotIn(f"rank {last} step 3 sum", done.stdout)

    def test_a_call_that_does_not_end_is_named(self):
        for _, last, done in self.each_number_of_ranks("hangs"):
            self.assert_failed(done, f"rank {last}: all_reduce of {NUMBERS} elements", "step 3", "--collective-timeout")

    def test_a_device_that_fails_is_an_error_and_no_crash(self):
        for _, last, done in self.each_number_of_ranks("device"):
            self.assert_failed(done, f"rank {last}: the GPU failed", "step 3", "illegal memory access")


if __name__ == "__main__":
    testing.main()
