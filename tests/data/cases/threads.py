"""Another thread of the process runs its own network while one is inspected: neither may notice the other."""

import threading
import time

import torch
from torch import nn

from cnninspect import inspect_model


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 4)

    def forward(self, x):
        time.sleep(0.3)
        return self.l(x)


def main():
    stop, errors, other = threading.Event(), [], nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def work():
        while not stop.is_set():
            try:
                other(torch.randn(2, 4))
            except BaseException as error:
                errors.append(error)
                return

    thread = threading.Thread(target=work)
    thread.start()
    macs = inspect_model(Slow(), (1, 4)).totals["macs"].value
    stop.set()
    thread.join()
    print(macs, errors)  # expected: 16 []


if __name__ == "__main__":
    main()
