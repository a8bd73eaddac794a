"""What the figures share: a state folder with the template in it, timing, percentiles, and processes' memory."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time


class Bench:
    def __init__(self, argv):
        self.sbx = os.path.join(argv[1], "sbx")
        self.home = tempfile.mkdtemp(prefix="sbx-bench-")
        os.environ["SBX_HOME"] = self.home
        data = pathlib.Path(self.home, "data")
        data.mkdir()
        (data / "templates").symlink_to(pathlib.Path(argv[2], "data", "templates"))
        self.run("policy", "init", "balanced")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([self.sbx, "rm", "--all", "--force"], check=False)
        shutil.rmtree(self.home)

    def run(self, *arguments):
        return subprocess.run([self.sbx, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def timed(self, *arguments):
        """Milliseconds of one call."""
        begin = time.perf_counter()
        subprocess.run([self.sbx, *arguments], check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - begin) * 1000

    def pids(self, name):
        row = next(row for row in json.loads(self.run("ls", "--json")) if row["name"] == name)
        return row["pids"]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(what, values, unit="ms", aim=""):
    print(
        f"{what:34} p50 {percentile(values, 0.5):9.1f}  p99 {percentile(values, 0.99):9.1f}  "
        f"min {min(values):9.1f} {unit}  n={len(values)}  {aim}"
    )


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
