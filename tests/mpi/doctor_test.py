#!/usr/bin/env python3
"""relmpi-doctor alone and on two ranks.   FOLDER-OF-PROGRAMS"""

import json
import os
import pathlib
import platform
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402


class Doctor(unittest.TestCase):
    def document(self, *arguments, ranks=None):
        done = testing.run("relmpi-doctor", *arguments, "--json", ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_environment_names_every_rank(self):
        for ranks, launcher, backend in ((None, "", "single"), (1, "mpirun", "mpi"), (2, "mpirun", "mpi")):
            with self.subTest(ranks=ranks):
                found = self.document("environment", "--device", "cpu", ranks=ranks)
                self.assertEqual(found["backend"], backend)
                self.assertIn(launcher or "no", found["launcher"] or "no")
                self.assertEqual([rank["rank"] for rank in found["ranks"]], list(range(ranks or 1)))
                for rank in found["ranks"]:
                    self.assertEqual(rank["host"], platform.node())
                    self.assertEqual(rank["device"], "cpu")
                    self.assertTrue(1 <= rank["threads"] <= os.cpu_count())
                self.assertIn("Open MPI", found["versions"]["mpi"])
                self.assertRegex(found["versions"]["libtorch"], r"^\d+\.\d+")

    def test_no_devices_are_an_empty_list(self):
        self.assertEqual(self.document("devices"), [])  # testing.ENVIRONMENT hides GPUs

    def test_allreduce_measures_each_size(self):
        for ranks in (None, 1, 2):
            with self.subTest(ranks=ranks):
                found = self.document("allreduce", "--bytes", "1MiB", "--device", "cpu", ranks=ranks)
                self.assertEqual(found["size"], ranks or 1)
                self.assertEqual([one["bytes"] for one in found["sizes"]], [1024 * 4**i for i in range(6)])
                for one in found["sizes"]:
                    self.assertTrue(one["correct"])
                    self.assertGreater(one["latency_us"], 0)
                    wanted = one["bytes"] / (one["latency_us"] * 1e-6) / 1e9 if ranks == 2 else 0  # 2 (R-1)/R = 1
                    self.assertAlmostEqual(one["bus_bandwidth_gb_s"], wanted, delta=1e-6 + wanted * 1e-6)

    def test_selftest_passes_on_the_cpu_and_over_ranks(self):
        for ranks, sums in ((None, 0), (2, 2)):
            found = self.document("selftest", "--device", "cpu", ranks=ranks)
            self.assertEqual(sorted(found), ["checks", "device", "failed", "passed", "skipped"])
            self.assertEqual((found["device"], found["failed"], found["passed"]), ("cpu", 0, 7 + sums))
            for check in found["checks"]:
                self.assertEqual(sorted(check), ["detail", "name", "ok", "skipped"])
                self.assertNotEqual(check["ok"], check["skipped"])
                self.assertTrue(check["detail"])
        text = testing.run("relmpi-doctor", "selftest", "--device", "cpu").stdout
        self.assertRegex(text, r"(?m)^OK +training fp32 +6 steps: losses differ by")
        self.assertRegex(text, r"(?m)^skipped +training graphs +needs a GPU$")

    def test_wrong_sizes_and_devices(self):
        for option, value, naming in (("--bytes", "64 potatoes", "64 potatoes"), ("--bytes", "-1MiB", "-1MiB"),
                                      ("--device", "tpu", "tpu"), ("--device", "cuda", "no GPU"), ("--device", "cuda:9", "cuda:9"),
                                      ("--device", "cuda:x", "cuda:x"), ("--device", "cuda:99999999999", "cuda:99999999999")):
            for ranks in (None, 2):
                done = testing.run("relmpi-doctor", "allreduce", f"{option}={value}", "--json", ranks=ranks)
                self.assertEqual(done.returncode, 2, (value, ranks, done.stderr))
                self.assertIn(naming, done.stderr)
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    testing.main()
