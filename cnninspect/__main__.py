"""`cnninspect` and `python -m cnninspect`."""

import gc
import sys


def main() -> None:
    """The console script."""
    # What importing torch makes stays to the end. Walking it at every thousandth new object, and once more at exit,
    # takes a quarter of the whole run.
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
