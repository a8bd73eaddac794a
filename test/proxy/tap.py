"""Runs tests that are functions, and tells of them as TAP."""
import time


def run(tests, names):
    """All of them, or those with these names. Gives the exit status."""
    chosen = [test for test in tests if not names or test.__name__ in names]
    print(f"1..{len(chosen)}")
    failed = 0
    for number, test in enumerate(chosen, 1):
        begin = time.monotonic()
        try:
            test()
            print(f"ok {number} {test.__name__} # {time.monotonic() - begin:.1f} s", flush=True)
        except (AssertionError, EOFError, OSError) as error:
            failed += 1
            print(f"not ok {number} {test.__name__}\n# {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0
