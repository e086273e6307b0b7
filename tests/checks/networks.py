"""Rows of small networks, written down as text."""

from dataclasses import replace

from tests.render.samples import row


def rows(text):
    """One row per line, indented below the row that calls it: a path's last part, a kind, hyper-parameters.

    `conv Conv2d out_channels=8` is a module, `- F.relu` a functional call, `- F.relu 1` its second. A number stands
    for the shape of the output: `conv Conv2d @16` has 16 channels.
    """
    found, above = [], []
    for line in filter(str.strip, text.splitlines()):
        name, kind, *rest = line.split()
        level = (len(line) - len(line.lstrip())) // 4
        del above[level:]
        parent = above[-1] if above else None
        base = "" if parent is None else found[parent].path
        path = base if name == "-" else ".".join(filter(None, (base, name)))
        settings = {key: int(value) for key, _, value in (item.partition("=") for item in rest) if value}
        channels = next((int(item[1:]) for item in rest if item.startswith("@")), 8)
        call = next((int(item) for item in rest if item.isdigit()), 0)
        above.append(len(found))
        found.append(row(path, kind, (1, channels), parent=parent, hyperparameters=settings, call=call))
    parents = {each.parent for each in found}
    return [replace(each, leaf=index not in parents) for index, each in enumerate(found)]
