"""Who inspects the models of a sweep: this process alone, several at once, or the workers of a cluster.

The unit of work is the same everywhere: `answer_to` asks a process of its own, which it may kill. joblib hands the
units out; here to threads, which only wait for such processes, elsewhere to the workers of Dask or Ray.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from cnninspect.cli.sweep import Backend
from cnninspect.cli.sweep.process import answer_to
from cnninspect.errors import LoadError, UsageError, message_of

_PACKAGES = {Backend.DASK: ("distributed", "'dask[distributed]'"), Backend.RAY: ("ray", "ray")}
"""Backend -> the module that it needs, and what installs it."""

_ADDRESS = {Backend.DASK: "tcp://127.0.0.1:8786", Backend.RAY: "127.0.0.1:6379"}
"""Backend -> an address, as an example."""

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Workers:
    """How many models are inspected at once, and where; `jobs` None is one, or all that a cluster can do."""

    jobs: int | None = None
    backend: Backend | None = None
    scheduler: str | None = None

    def check(self) -> None:
        """Raises UsageError for options that do not go together or need a package, LoadError for a silent cluster."""
        if self.backend is None:
            if self.scheduler is not None:
                raise UsageError("--scheduler needs --backend dask or --backend ray, whose scheduler it is.")
            if (self.jobs or 1) > 1:
                _need("joblib", "joblib", "--jobs")
            return
        if not self.scheduler:
            example = _ADDRESS[self.backend]
            raise UsageError(f"--backend {self.backend.value} needs --scheduler ADDRESS, such as {example}.")
        _need("joblib", "joblib", f"--backend {self.backend.value}")
        _need(*_PACKAGES[self.backend], f"--backend {self.backend.value}")
        with _no_answer(self.backend, self.scheduler):
            _knock(self.scheduler)  # Ray itself would try for a quarter of an hour

    def answers(self, requests: Sequence[Data], seconds: float, *, debug: bool) -> Iterator[dict[str, Any]]:
        """The answer to each request as soon as it is there, in any order."""
        if self.backend is None and (self.jobs or 1) == 1:
            return (answer_to(request, seconds, debug) for request in requests)
        return self._through_joblib(requests, seconds, debug=debug)

    def _through_joblib(self, requests: Sequence[Data], seconds: float, *, debug: bool) -> Iterator[dict[str, Any]]:
        from joblib import Parallel, delayed, parallel_config

        with self._connected() as (backend, jobs), parallel_config(backend=backend, n_jobs=jobs):
            # A batch of several models would hold back the rows that are done. Dask takes its number of jobs from what
            # is handed out at once.
            ahead = self.jobs or "2*n_jobs"
            parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=ahead)
            with _no_failure(self.backend):
                yield from parallel(delayed(answer_to)(request, seconds, debug) for request in requests)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[tuple[str, int]]:
        """The name of joblib's backend and its number of jobs, while the cluster is connected."""
        if self.backend is None:
            yield "threading", self.jobs or 1
            return
        connect = {Backend.DASK: _dask, Backend.RAY: _ray}[self.backend]
        with connect(str(self.scheduler)):
            yield self.backend.value, self.jobs or -1


def _need(module: str, package: str, option: str) -> None:
    if find_spec(module) is None:
        raise UsageError(f"{option} needs {package}. Install it with: `python -m pip install {package}`.")


@contextlib.contextmanager
def _dask(address: str) -> Iterator[None]:
    """A client of the Dask scheduler, which joblib finds by itself."""
    from distributed import Client

    with _no_answer(Backend.DASK, address):
        client = Client(address, timeout=10)
    with client:
        yield


@contextlib.contextmanager
def _ray(address: str) -> Iterator[None]:
    """A connection to the Ray cluster, and Ray's backend of joblib."""
    import ray
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    # Ray gets its results one by one; joblib assumes that it does not, because pools of processes do not.
    row_by_row = type("RowByRow", (RayBackend,), {"supports_return_generator": True})
    with _no_answer(Backend.RAY, address):
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    register_parallel_backend(Backend.RAY.value, row_by_row)
    try:
        yield
    finally:
        ray.shutdown()


_HOST_AND_PORT = re.compile(r"(?:(?:tcp|tls|ray)://)?(?P<host>[^/\[\]]+):(?P<port>\d+)")


def _knock(address: str) -> None:
    """Raises OSError if nothing listens at the address; other forms of addresses are left to the cluster's library."""
    match = _HOST_AND_PORT.fullmatch(address)
    if match is not None:
        socket.create_connection((match["host"], int(match["port"])), timeout=10).close()


@contextlib.contextmanager
def _no_failure(backend: Backend | None) -> Iterator[None]:
    """Turns an error of the cluster into a LoadError; a model that fails is a row and no error."""
    try:
        yield
    except Exception as error:
        if backend is None:
            raise
        raise LoadError(
            f"the {backend.value} cluster failed: {message_of(error) or type(error).__name__}. "
            "Mend it; with -o FILE.csv the rows that are done are kept, and --resume goes on."
        ) from error


@contextlib.contextmanager
def _no_answer(backend: Backend, address: str) -> Iterator[None]:
    """Turns every error of a connection into a LoadError with the address."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise LoadError(
            f"no {backend.value} scheduler answers at {address}: {message_of(error) or type(error).__name__}. "
            f"Start one, or name another with --scheduler."
        ) from error
