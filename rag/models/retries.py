"""The one layer of retries, on tenacity.

The SDK of openai has one too, which is off: it cannot be cancelled and waits up to two minutes each time. So is that of
llama-index, which multiplies with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from rag.errors import Cancelled
from rag.models import failures
from rag.models.endpoint import Endpoint, Patience

T = TypeVar("T")

LONGEST_WAIT = 20.0  # seconds, where the server names no time
_SLICE = 0.05  # seconds between two looks at `cancelled`


def persist(
    call: Callable[[], T],
    *,
    endpoint: Endpoint,
    patience: Patience,
    cancelled: Callable[[], bool] | None = None,
) -> T:
    """Make a call to a server, again if its failure may pass, within `patience`.

    Raises:
        ModelError: what the last failure came to.
        Cancelled: while waiting.
    """

    def stop(state: RetryCallState) -> bool:
        late = (state.seconds_since_start or 0.0) + state.upcoming_sleep > patience.seconds
        return late or state.attempt_number >= _attempts(_error(state), patience)

    retrying = Retrying(
        retry=retry_if_exception(failures.passing),
        wait=lambda state: _wait(_error(state), state.attempt_number, patience),
        stop=stop,
        sleep=lambda seconds: rest(float(seconds), cancelled),
        reraise=True,
    )
    try:
        return retrying(call)
    except Exception as error:
        failure = failures.translate(error, endpoint)
        if failure is None or failure is error:
            raise
        # `from None`: the original may repeat the key, and a log would print it.
        raise failure from None


def rest(seconds: float, cancelled: Callable[[], bool] | None) -> None:
    """Sleep.

    Raises:
        Cancelled: within a twentieth of a second of being told so.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancelled is not None and cancelled():
            raise Cancelled("Stopped while waiting for the model server. What was paid for is kept.")
        time.sleep(min(left, _SLICE))


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("asked about an attempt that did not fail")


def _wait(error: BaseException, attempt: int, patience: Patience) -> float:
    asked = failures.retry_after(error)
    return min(patience.first_wait * 2.0 ** min(attempt - 1, 16), LONGEST_WAIT) if asked is None else asked


def _attempts(error: BaseException, patience: Patience) -> float:
    if failures.rate_limited(error):
        return float("inf")
    return min(patience.attempts, 2) if failures.refused(error) else patience.attempts
