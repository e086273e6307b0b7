"""The entry point of `cnninspect` and `python -m cnninspect`."""

import gc
import sys


def main() -> None:
    """The console script."""
    # The objects that importing torch makes live until exit. The default threshold makes the garbage collector walk
    # them again and again, which takes a quarter of the run time.
    gc.set_threshold(100_000)
    try:
        from cnninspect.cli.app import run
    except KeyboardInterrupt:
        print("cnninspect: interrupted.", file=sys.stderr)
        sys.exit(130)
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
