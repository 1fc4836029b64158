"""A process that has everything loaded and forks one driven process a job: a start costs nothing.

It reads jobs as JSON lines and answers each with how the process that did it ended.
"""

import gc
import os
import signal
import sys

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from db.engine import DatabaseOptions, open_engine
from kit.logs import configure_logs
from proofs.crash.driver import Done, Job, run_job

_PATIENCE_SECONDS = 60
# Less than a pipe holds, so that nobody waits for a reader.
_MOST_WORDS = 8000


def main() -> None:
    """Serve jobs on the database whose URL is the first line, until nobody sends any more."""
    configure_logs("crash", level="CRITICAL")
    url = sys.stdin.buffer.readline().decode().strip()
    engine = open_engine(DatabaseOptions(url=url, pool_size=4))
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        job = decoder.decode(line)
        done = _forked(job, engine) if job.forked else _ended(0, run_job(job, engine))
        sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
        sys.stdout.flush()


def _forked(job: Job, engine: AsyncEngine) -> Done:
    """Do a job in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Collecting garbage would copy all that is shared with the zygote.
        gc.disable()
        # A story that hangs is a broken one.
        signal.alarm(_PATIENCE_SECONDS)
        os.write(writing, run_job(job, engine).encode()[-_MOST_WORDS:])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as last_words:
        error = last_words.read()
    _, status = os.waitpid(pid, 0)
    return _ended(os.waitstatus_to_exitcode(status), error)


def _ended(code: int, error: str) -> Done:
    return Done(code=1 if error else code, error=error)


if __name__ == "__main__":
    main()
