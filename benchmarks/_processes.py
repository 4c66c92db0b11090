"""Running whole processes and measuring them: wall time and peak memory.

Linux hands a process the peak of whoever started it, so the starting process has to stay small: nothing that imports
this module may import torch, anomalib or OpenVINO.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomaly.errors import AnomalyError

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 3600.0
_OFFLINE = {
    "CI": "true",  # OpenVINO's converter then reports nothing over the network
    "HF_HUB_OFFLINE": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TRUST_REMOTE_CODE": "1",  # anomalib's TorchInferencer refuses its own pickles otherwise
}


class ProcessFailedError(AnomalyError):
    """A measured process failed; the message holds the end of what it said."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well.

    Attributes
    ----------
    seconds : float
        Wall time from before its start to its end.
    peak_mb : float
        Largest resident memory of the process, MiB; of the largest one where it started others.
    output : str
        What it wrote to stdout.
    """

    seconds: float
    peak_mb: float
    output: str


def run_measured(
    command: Sequence[str],
    *,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Finished:
    """Run one process to its end.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        To run it in.
    environment : mapping
        Added to this process's own and to what keeps libraries off the network.
    timeout : float
        Seconds.

    Raises
    ------
    ProcessFailedError
        It ended with another status than 0, or was killed for taking too long.
    """
    variables = os.environ | _OFFLINE | dict(environment or {})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(list(command), cwd=folder, env=variables, stdout=out, stderr=err)
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        output, said = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if process.returncode:
        shown = " ".join(Path(word).name if "/" in word else word for word in command[:4])
        raise ProcessFailedError(f"{shown} ended with status {process.returncode}:\n{(output + said)[-3000:]}")
    return Finished(seconds, usage.ru_maxrss / 1024, output)


def own_peak_mb() -> float:
    """Return the largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def python(*arguments: str) -> list[str]:
    """Return the command that runs this interpreter."""
    return [sys.executable, *arguments]
