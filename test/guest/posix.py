#!/usr/bin/env python3
"""posix.py FOLDER [--share] [--only WORD]: does this folder behave as a file system should? Prints TAP.

With --share the folder is one that sbx-share serves: then what is deliberately different there (DIFFERENT in posix_place.py) is
expected instead. As root more is tested than as somebody else.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
import posix_place  # noqa: E402
import tap  # noqa: E402


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--share", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    posix_place.is_share = arguments.share
    import posix_open, posix_names, posix_data, posix_attr, posix_dir  # noqa: E401,F401
    print(f"# {arguments.folder} as user {os.geteuid()}" + (", a share" if arguments.share else ""))
    return tap.run(arguments.folder, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
