"""The one layer of retries: what is tried again, how often, how long, and that it can be stopped."""

from __future__ import annotations

import openai
import pytest

from rag.config import Secret
from rag.errors import BadKey, Cancelled, ModelError, QuotaExceeded, ServerDown
from rag.models.endpoint import Endpoint, Patience
from rag.models.retries import LONGEST_WAIT, _wait, persist, rest
from tests.rag.models.test_failures import KEY, REQUEST, said
from tests.waiting import FOREVER

ENDPOINT = Endpoint("LLM", "m", "https://api.example.com/v1", Secret(KEY))
SOON = Patience(seconds=FOREVER, attempts=3, first_wait=0.001)
DOWN = said(openai.InternalServerError, 503, "loading")
REFUSED = openai.APIConnectionError(request=REQUEST)
SLOW = said(openai.RateLimitError, 429, "slow down")
SPENT = said(openai.RateLimitError, 429, "You exceeded your current quota", "insufficient_quota")
WRONG = said(openai.AuthenticationError, 401, f"Incorrect API key provided: {KEY}")


class Calls:
    """Fails with each of `errors` in turn, then gives `done`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def attempts(*errors: Exception, patience: Patience = SOON) -> tuple[int, str | None]:
    """How often the call was made, and what it came to in the end."""
    calls = Calls(*errors)
    try:
        persist(calls, endpoint=ENDPOINT, patience=patience)
    except ModelError as error:
        return calls.made, type(error).__name__
    return calls.made, None


def test_what_may_pass_is_tried_again_and_what_works_once() -> None:
    assert attempts() == (1, None)
    assert attempts(DOWN, DOWN) == (3, None)
    assert attempts(DOWN, REFUSED) == (2, "ServerDown"), "a refused connection is tried twice, whatever came before"


@pytest.mark.parametrize(
    ("error", "made", "kind"),
    [(DOWN, 3, "ServerDown"), (REFUSED, 2, "ServerDown"), (SPENT, 1, "QuotaExceeded"), (WRONG, 1, "BadKey")],
)
def test_how_often(error: Exception, made: int, kind: str) -> None:
    assert attempts(*[error] * 9) == (made, kind)


def test_a_rate_limit_is_waited_for_as_often_as_fits() -> None:
    assert attempts(*[SLOW] * 8) == (9, None)
    # 0.01, 0.02 and so on doubled; 0.01 s is the first that does not fit any more.
    assert attempts(*[SLOW] * 8, patience=Patience(seconds=0.005, first_wait=0.01)) == (1, "QuotaExceeded")


def test_a_wait_that_would_end_too_late_is_not_begun() -> None:
    hours = said(openai.RateLimitError, 429, "slow down", Retry_After="7200")
    with pytest.raises(QuotaExceeded, match="7200 s"):
        persist(Calls(hours), endpoint=ENDPOINT, patience=SOON)


@pytest.mark.parametrize(
    ("headers", "attempt", "seconds"),
    [
        ({}, 1, 0.5),
        ({}, 3, 2.0),
        ({}, 9, LONGEST_WAIT),
        ({}, 10_000, LONGEST_WAIT),
        ({"Retry_After": "0"}, 5, 0.0),
        ({"Retry_After": "90"}, 1, 90.0),
        ({"Retry_After_Ms": "250", "Retry_After": "90"}, 1, 0.25),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 2, 1.0),
        ({"Retry_After": "-5"}, 1, 0.5),
    ],
)
def test_the_server_names_the_wait_or_it_doubles(headers: dict[str, str], attempt: int, seconds: float) -> None:
    error = said(openai.RateLimitError, 429, "slow down", **headers)
    assert _wait(error, attempt, Patience(first_wait=0.5)) == seconds


def test_the_wait_can_be_stopped_and_nothing_is_called_again() -> None:
    calls = Calls(SLOW, SLOW)
    patience = Patience(seconds=2 * FOREVER, first_wait=LONGEST_WAIT)
    with pytest.raises(Cancelled, match="What was paid for is kept"):
        persist(calls, endpoint=ENDPOINT, patience=patience, cancelled=lambda: calls.made == 1)
    assert calls.made == 1
    with pytest.raises(Cancelled):
        rest(FOREVER, lambda: True)
    rest(0.0, lambda: True)  # no time to be stopped in


def test_a_bug_is_let_through_and_tried_once() -> None:
    calls = Calls(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        persist(calls, endpoint=ENDPOINT, patience=SOON)
    assert calls.made == 1


def test_one_of_ours_stays_what_it_is() -> None:
    ours = ServerDown("The server is down. Wait.")
    with pytest.raises(ServerDown) as told:
        persist(Calls(ours), endpoint=ENDPOINT, patience=SOON)
    assert told.value is ours


def test_what_hangs_on_the_error_does_not_hold_the_key() -> None:
    with pytest.raises(BadKey) as told:
        persist(Calls(WRONG), endpoint=ENDPOINT, patience=SOON)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
    assert KEY not in str(told.value)
