#!/usr/bin/env python3
"""terminal.py ROWS COLUMNS COMMAND...: runs a command on a terminal of its own and does what standard input says, line by line:

    send TEXT        types TEXT (Python escapes: \\r, \\x03)
    expect REGEX     waits until the output since the last expect matches
    resize ROWS COLUMNS
    signal NUMBER    to the command
    hangup           closes the terminal
    end              waits until the command has ended; "status N" is printed

Everything the command printed is on standard output at the end, after the line "--". An expectation that is not met within
LIMIT seconds ends with status 1.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 60


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, rows, columns, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        set_size(self.fd, rows, columns)
        self.seen = b""
        self.at = 0

    def read(self, limit):
        """True while there is more to come."""
        if not select.select([self.fd], [], [], max(limit, 0))[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data
        return bool(data)

    def expect(self, pattern):
        deadline = time.monotonic() + LIMIT
        while True:
            found = re.search(pattern.encode(), self.seen[self.at:], re.DOTALL)
            if found:
                self.at += found.end()
                return
            if time.monotonic() > deadline or not self.read(deadline - time.monotonic()):
                found = re.search(pattern.encode(), self.seen[self.at:], re.DOTALL)
                if not found:
                    self.fail(f"never saw {pattern!r}")
                self.at += found.end()
                return

    def end(self):
        deadline = time.monotonic() + LIMIT
        while self.read(deadline - time.monotonic()):
            if time.monotonic() > deadline:
                self.fail("the command does not end")
        _, status = os.waitpid(self.pid, 0)
        print("status", os.waitstatus_to_exitcode(status))

    def fail(self, why):
        sys.stdout.flush()
        print(f"terminal.py: {why}; seen so far:\n{self.seen[-2000:]!r}", file=sys.stderr)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(1)


def main():
    terminal = Terminal(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "send":
            os.write(terminal.fd, rest.encode().decode("unicode_escape").encode("latin-1"))
        elif verb == "expect":
            terminal.expect(rest)
        elif verb == "resize":
            set_size(terminal.fd, *map(int, rest.split()))
        elif verb == "signal":
            os.kill(terminal.pid, int(rest))
        elif verb == "hangup":
            os.close(terminal.fd)
            os.waitpid(terminal.pid, 0)
        elif verb == "end":
            terminal.end()
        elif verb and not verb.startswith("#"):
            sys.exit(f"terminal.py: no such verb: {verb}")
    print("--")
    sys.stdout.flush()
    sys.stdout.buffer.write(terminal.seen)


main()
