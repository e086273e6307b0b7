"""No test reads what an earlier run kept, or keeps anything, unless it names a folder of its own."""

import os

os.environ["CNNINSPECT_CACHE_DIR"] = ""
