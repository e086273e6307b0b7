"""No test reads what an earlier run kept, or keeps anything, unless it names a folder of its own."""

import gc
import os

os.environ["CNNINSPECT_CACHE_DIR"] = ""


def pytest_collection_finish() -> None:
    """Leave torch and 13,000 tests out of every later collection of garbage, which would look at all of them."""
    gc.collect()
    gc.freeze()
