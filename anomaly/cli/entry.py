"""``main``: one call of the command line, from its words to its exit status."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence

from anomaly.cli.options import DONE, FAILED, INTERRUPTED, READER_GONE
from anomaly.cli.output import drop_stdout, fill_closed_streams, say, soften_streams
from anomaly.cli.parser import Arguments, parse
from anomaly.errors import AnomalyError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after the program's name; those of this process by default.

    Returns
    -------
    int
        The exit status, see :data:`anomaly.cli.options.EXIT_STATUSES`.
    """
    # Spinning OpenMP threads cost a factor of 50 on a busy machine; read when the libraries are loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    fill_closed_streams()
    soften_streams()
    try:
        return _run(parse(sys.argv[1:] if argv is None else argv))
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else DONE
    except KeyboardInterrupt:
        if argv is None:
            # The process is leaving: somebody impatient changes nothing any more.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        drop_stdout()
        return READER_GONE
    except (AnomalyError, OSError) as error:
        return _failed(error)
    except MemoryError:
        drop_stdout(only_if_broken=True)
        say("error: there is not enough memory: stop other programs, or judge smaller or fewer pictures at a time")
        return FAILED
    except Exception as error:
        from memory_bank import MemoryBankError

        if not isinstance(error, MemoryBankError):
            raise
        return _failed(error)


def _run(arguments: Arguments) -> int:
    # A verb's module is imported when it is used: predicting loads nothing that only training needs.
    module = importlib.import_module(f"anomaly.cli.{arguments.verb}")
    status: int = module.run(arguments)
    return status


def _failed(error: Exception) -> int:
    from anomaly.imaging.names import printable_name

    drop_stdout(only_if_broken=True)
    say(f"error: {printable_name(str(error))}")
    return FAILED
