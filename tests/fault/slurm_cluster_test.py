#!/usr/bin/env python3
"""scripts/slurm/train.sbatch under a real Slurm, started by scripts/slurm/localhost: stopped, preempted, requeued and
cancelled jobs, job arrays, and ranks that srun starts.   FOLDER-OF-PROGRAMS"""

import atexit
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

TEMPLATE = testing.SOURCE / "scripts/slurm/train.sbatch"
LOCALHOST = testing.SOURCE / "scripts/slurm/localhost"
STEPS = 120
LAST = f"checkpoints/step-{STEPS:08}"
SRUN = "srun --mpi=pmix --cpus-per-task=1 --kill-on-bad-exit=0"  # the template's other launcher
PATIENCE = 300  # seconds for what Slurm does, on a busy machine too; a time limit takes 50 s to come near, a requeue 7 s
ENVIRONMENT = {}  # of this cluster's commands: set where it is started


def start_cluster():
    outer = re.compile(r"SLURM|SBATCH|SRUN|PMI|OMPI_MCA_rmaps")  # of a job that this test may run in; the template maps
    ENVIRONMENT.update({name: value for name, value in testing.ENVIRONMENT.items() if not outer.match(name)})
    started = subprocess.run([LOCALHOST, "start", "--cpus", "6", "--with", str(os.getpid())], env=ENVIRONMENT,
                             capture_output=True, text=True, timeout=PATIENCE)
    if started.returncode in (1, 77):
        print(f"skipped: no Slurm on this machine: {started.stderr}")
        sys.exit(77)
    conf = pathlib.Path(re.fullmatch(r"export SLURM_CONF=(.+)\n", started.stdout)[1])
    ENVIRONMENT["SLURM_CONF"] = str(conf)
    atexit.register(stop_cluster, conf.parent)


def stop_cluster(folder):
    subprocess.run([LOCALHOST, "stop", folder], timeout=PATIENCE, check=True)


def slurm(*words):
    """Output of one of Slurm's commands, which has to succeed."""
    done = subprocess.run(list(map(str, words)), env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise AssertionError(f"{words}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def wait_for_slurm(what, happens):
    """Asks now and then: each question starts a program."""
    testing.wait_for(what, lambda: time.sleep(0.3) or happens(), PATIENCE)


def is_pending(number, pid):
    """Whether the signal waits for the process to run again."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        raise AssertionError(f"rank process {pid} has ended") from None
    return bool(int(re.search(r"^ShdPnd:\s+(\S+)", status, re.MULTILINE)[1], 16) & 1 << (number - 1))


class Job:
    """relmpi-train on two ranks in the template: a job, or a task of an array. Its run is in the folder `out`."""

    def __init__(self, number, out=None, log=None):
        self.number, self.out, self.log_file, self.held = number, out, log, []

    def __getitem__(self, name):
        """What Slurm knows of it: JobState, Restarts, ExitCode, ..."""
        return re.search(rf"\b{name}=(\S+)", slurm("scontrol", "--oneliner", "show", "job", self.number))[1]

    @property
    def log(self):
        return self.log_file.read_text()

    def steps(self):
        return testing.lines_of(self.out / "metrics.jsonl")

    def ranks(self):
        """Process ids."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                program, words = (process / "comm").read_text(), (process / "cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if program == "relmpi-train\n" and str(self.out) in words:
                found.append(int(process.name))
        return found

    def hold(self):
        """Stops its ranks amid the training, so that what comes next finds them there: it was submitted to wait for this."""
        try:
            testing.wait_for(f"step 4 of job {self.number}", lambda: self.steps() >= 4, PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self['JobState']}, {self.log_file.exists() and self.log}") from None
        self.held = self.ranks()
        for pid in self.held:
            os.kill(pid, signal.SIGSTOP)
        testing.let_go(self.out)
        if len(self.held) != 2 or self.steps() != 4:
            raise AssertionError(f"job {self.number} has {len(self.held)} ranks at step {self.steps()}: {self.log}")

    def go_on(self):
        for pid in self.held:
            if testing.runs(pid):
                os.kill(pid, signal.SIGCONT)

    def wait_for_signal(self, number):
        """Until each held rank has it; then they go on."""
        testing.wait_for(f"signal {number} at the ranks of job {self.number}",
                         lambda: all(is_pending(number, pid) for pid in self.held), PATIENCE)
        self.go_on()

    def wait_for_state(self, *states):
        wait_for_slurm(f"{states} of job {self.number}", lambda: self["JobState"] in states)


class Slurm(testing.ProgramCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole"
        cls.train(cls.whole, *cls.options(), ranks=2)

    @classmethod
    def options(cls):
        return ["--steps", STEPS, "--checkpoint-every", 50]

    def submit(self, name, *sbatch, launch=None, out=None, hold_at=None, held=None):
        """A job; `launch` = None takes the template's mpirun. `out` is what --out is given. At step `hold_at` it waits for
        Job.hold; `held` are the folders of the runs that do, if there are several."""
        out = out or self.path(name)
        environment = {**ENVIRONMENT, "RELMPI_BIN": str(testing.PROGRAMS)}
        if hold_at:
            environment["LD_PRELOAD"] = testing.holding()["LD_PRELOAD"]
            for folder in held or [out]:
                testing.hold(folder, hold_at)
        if launch:
            environment["RELMPI_LAUNCH"] = launch
        log = self.path(f"{name}.log")
        words = ["sbatch", "--parsable", "--gpus-per-node=0", "--ntasks-per-node=2", "--cpus-per-task=1", f"--output={log}",
                 *sbatch, TEMPLATE, *self.training(out, *self.options())]
        done = subprocess.run(list(map(str, words)), env=environment, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        number = done.stdout.strip()
        self.addCleanup(subprocess.run, ["scancel", "--quiet", number], env=ENVIRONMENT, timeout=PATIENCE)
        return Job(number, out, log)

    def assert_same_run(self, out):
        """As the undisturbed one, to the last bit."""
        rows = [[{name: value for name, value in row.items() if name not in testing.TIMING}
                 for row in testing.read_rows(folder / "metrics.jsonl")] for folder in (out, self.whole)]
        self.assertEqual(*rows)
        for file in (f"{LAST}/model.safetensors", f"{LAST}/optimizer.safetensors", f"{LAST}/state.json",
                     "model/model.safetensors"):
            self.assertEqual((out / file).read_bytes(), (self.whole / file).read_bytes(), file)

    def assert_ended_at_its_second_start(self, job):
        job.wait_for_state("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
        self.assertEqual((job["JobState"], job["Restarts"]), ("COMPLETED", "1"), job.log)
        self.assertEqual(re.findall(r"train\.sbatch: job \S+, start (\d+)", job.log), ["1", "2"], job.log)
        self.assert_same_run(job.out)

    def assert_went_on(self, job):
        """It was requeued, took up its checkpoint, and ended as the undisturbed run."""
        self.assert_ended_at_its_second_start(job)
        self.assertIn("stopped on request; back into the queue", job.log)
        self.assertRegex(job.log, rf"[1-9]\d* of {STEPS} steps done")

    def test_srun_starts_ranks(self):
        for ranks in (2, 3):
            found = json.loads(slurm("srun", "--mpi=pmix", "-n", ranks, testing.PROGRAMS / "relmpi-doctor", "environment",
                                     "--device", "cpu", "--json"))
            self.assertEqual((found["launcher"], found["size"]), ("srun", ranks))
            self.assertEqual(len({rank["pid"] for rank in found["ranks"]}), ranks)

    def test_ranks_that_srun_does_not_connect_are_refused(self):
        for words in (["relmpi-doctor", "environment"], ["relmpi-train", *self.training(self.path("run"), "--steps", 3)]):
            done = subprocess.run(["srun", "--mpi=none", "-n", "2", testing.PROGRAMS / words[0], *words[1:]], env=ENVIRONMENT,
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assert_refused(done, "SLURM_NTASKS is 2", "srun --mpi=pmix", "mpirun")
            self.assertNotIn("MPI_Init", done.stderr)
        self.assertFalse(self.path("run").exists())

    def test_one_task_needs_no_connection(self):
        found = json.loads(slurm("srun", "--mpi=none", "-n1", testing.PROGRAMS / "relmpi-doctor", "environment", "--device",
                                 "cpu", "--json"))
        self.assertEqual(found["size"], 1)

    def test_jobs_that_meet_their_time_limit_or_are_preempted_go_on(self):
        """Slurm looks at both every 30 s, so they wait together. The limit's signal @10 comes 20 to 50 s after the start.
        srun's ranks are told when the grace begins, and write a checkpoint; mpirun is killed when it ends."""
        told, killed = self.submit("told", launch=SRUN, hold_at=4), self.submit("killed", hold_at=4)
        for job in (told, killed):
            job.hold()
        # Is not preempted there. The last one: its minute does not wait for others to start.
        limited = self.submit("limited", "--partition=urgent", "--time=1", "--signal=B:USR1@10", hold_at=4)
        limited.hold()
        urgent = slurm("sbatch", "--parsable", "--partition=urgent", "--ntasks=4", "--output=/dev/null", "--wrap=true").strip()
        limited.wait_for_signal(signal.SIGUSR1)
        Job(urgent).wait_for_state("COMPLETED")
        told.go_on()
        self.assert_went_on(limited)
        self.assert_went_on(told)
        self.assert_ended_at_its_second_start(killed)
        self.assertIn("DUE TO PREEMPTION", killed.log)

    def test_scancel_with_a_signal_stops_and_requeues_under_srun(self):
        job = self.submit("run", launch=SRUN, hold_at=4)
        job.hold()
        slurm("scancel", "--batch", "--signal=USR1", job.number)
        job.wait_for_signal(signal.SIGUSR1)
        self.assert_went_on(job)

    def test_a_signal_while_the_ranks_start_requeues(self):
        job = self.submit("run", hold_at=1)
        testing.wait_for("the start of both ranks", lambda: len(job.ranks()) == 2, PATIENCE)
        slurm("scancel", "--batch", "--signal=USR1", job.number)
        wait_for_slurm("the signal", lambda: "asked to stop" in job.log or "stopped on request" in job.log)
        testing.let_go(job.out)
        self.assert_ended_at_its_second_start(job)

    def test_cancelled_jobs_stay_away(self):
        jobs = [self.submit("srun", launch=SRUN, hold_at=4), self.submit("mpirun", hold_at=4)]
        for job in jobs:
            job.hold()
        slurm("scancel", *(job.number for job in jobs))
        wait_for_slurm("an empty queue", lambda: not slurm("squeue", "--noheader"))
        for job in jobs:
            self.assertEqual((job["JobState"], job["Restarts"]), ("CANCELLED", "0"), job.log)
            self.assertFalse([pid for pid in job.held if testing.runs(pid)])

    def test_tasks_of_an_array_are_requeued_one_by_one(self):
        out = self.path("run-%a")
        array = self.submit("array", "--array=0-1", f"--output={self.path('%a.log')}", out=out, hold_at=4,
                            held=[self.path(f"run-{n}") for n in (0, 1)])
        tasks = [Job(f"{array.number}_{n}", self.path(f"run-{n}"), self.path(f"{n}.log")) for n in (0, 1)]
        for task in tasks:
            task.hold()
        # Slurm gives the array's own number to one of its tasks: asked to requeue that, it would requeue both.
        first, second = sorted(tasks, key=lambda task: task["JobId"] != array.number)
        self.assertEqual(first["JobId"], array.number)
        slurm("scancel", "--batch", "--signal=USR1", first.number)
        first.wait_for_signal(signal.SIGUSR1)
        self.assert_went_on(first)
        self.assertEqual((second["JobState"], second["Restarts"]), ("RUNNING", "0"))
        second.go_on()
        second.wait_for_state("COMPLETED")
        self.assertEqual(second["Restarts"], "0")
        self.assert_same_run(second.out)
        self.assertFalse(out.exists())

    def test_an_array_with_one_folder_is_refused(self):
        array = self.submit("run", "--array=0-1")
        for number in (0, 1):
            task = Job(f"{array.number}_{number}", array.out, array.log_file)
            task.wait_for_state("FAILED")
            self.assertEqual((task["ExitCode"], task["Restarts"]), ("2:0", "0"))
        self.assertEqual(array.log.count("--out runs/seed-%a"), 2, array.log)
        self.assertFalse(array.out.exists())


if __name__ == "__main__":
    start_cluster()
    testing.main()
