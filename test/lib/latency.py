#!/usr/bin/env python3
"""latency.py FOLDER LIMIT_MS ROUNDS KINDS COMMAND...: how long it takes until a watcher in a sandbox tells of a change made here.

The command prints a line for each event, "ready" first (test/guest/watch.py and watch.mjs); it is given no input, and ends when that
does. In each round a file goes through those of made,changed,replaced,removed that KINDS names. Prints TAP: a test for each kind of
change, with the times.
"""
import os
import select
import statistics
import subprocess
import sys
import time

READY_LIMIT_S = 60


class Watcher:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def line(self, end):
        """The next one, None where none comes in time."""
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").split(" ")

    def wait_for(self, is_wanted, limit_s):
        end = time.monotonic() + limit_s
        while True:
            words = self.line(end)
            if words is None:
                return False
            if is_wanted(words[1:]):
                return True

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=READY_LIMIT_S)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def replace(path, text):
    write(path + ".new", text)
    os.rename(path + ".new", path)


STEPS = {"made": lambda path, i: write(path, "a" * (i + 1)), "changed": lambda path, i: write(path, "b" * (i + 100)),
         "replaced": lambda path, i: replace(path, "c" * (i + 200)), "removed": lambda path, i: os.unlink(path)}


def measure(watcher, folder, n_rounds, kinds, limit_s):
    times = {what: [] for what in kinds}
    for i in range(n_rounds):
        name = f"probe-{i}"
        for what in kinds:
            began = time.monotonic()
            STEPS[what](os.path.join(folder, name), i)
            # A removal may be told as a change of the folder itself.
            names = (name, ".", "null", "", os.path.basename(folder)) if what == "removed" else (name,)
            seen = watcher.wait_for(lambda words, names=names: len(words) > 1 and words[1] in names, limit_s)
            times[what].append((time.monotonic() - began) * 1000 if seen else None)
            while watcher.line(time.monotonic() + 0.3):
                pass
    return times


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    folder, limit_ms, n_rounds, command = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[5:]
    kinds = sys.argv[4].split(",")
    watcher = Watcher(command)
    print(f"1..{len(kinds)}")
    if not watcher.wait_for(lambda words: words == ["ready"], READY_LIMIT_S):
        sys.exit("the watcher does not begin")
    for number, (what, took) in enumerate(measure(watcher, folder, n_rounds, kinds, limit_ms / 1000).items(), 1):
        known = sorted(one for one in took if one is not None)
        verdict = "ok" if len(known) == n_rounds else "not ok"
        figures = f"{statistics.median(known):.0f} ms in the middle, {known[-1]:.0f} ms at most" if known else "never"
        print(f"{verdict} {number} - a file that the host has {what} is told of\n# {what}: {len(known)} of {n_rounds}, {figures}")
    watcher.close()


if __name__ == "__main__":
    main()
