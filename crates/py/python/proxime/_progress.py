"""The bar that `progress=True` shows: one line on the standard error, written over and over."""

import sys
import time

_WIDTH = 78
_SECONDS_BETWEEN = 0.1


class Bar:
    """Told `(done, total, stage)`; shows how far the stage is, its rate, and the time left of it."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = self._shown = 0.0

    def __call__(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._shown < _SECONDS_BETWEEN and done < total:
            return
        self._shown = now
        seconds = now - self._began
        line = f"{stage:6} {100 * done // max(total, 1):3} %  {done:,} of {total:,}"
        if done and seconds:
            rate = done / seconds
            line += f"  {rate:,.0f}/s  {(total - done) / rate:.0f} s left"
        self._write("\r" + line.ljust(_WIDTH))

    def close(self) -> None:
        if self._stage:
            self._write("\n")

    def _write(self, text: str) -> None:
        if sys.stderr is not None:  # as in a program without a console
            sys.stderr.write(text)
            sys.stderr.flush()
