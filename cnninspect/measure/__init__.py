"""The measured side: independent counters, each registered in a file of its own whose name ends in `_flops`."""

from importlib import import_module
from pkgutil import iter_modules

from cnninspect.measure.base import count as count

for _file in iter_modules(__path__):
    if _file.name.endswith("_flops"):
        import_module(f"{__name__}.{_file.name}")
