"""llama-index's metadata filters, evaluated over one metadata dict. Never raises for a value of an unexpected type.

| operator | matches when |
|---|---|
| `==` `in` | the value equals (one of) the wanted; `== None` also when the key is missing |
| `!=` `nin` | the opposite of `==` and `in`: a missing key matches |
| `>` `>=` `<` `<=` | both are numbers, or both are text; otherwise never |
| `any` `all` | the list (a single value counts as a list of one) holds any, or all, of the wanted |
| `contains` | the list holds the wanted value, or the text holds it as a part |
| `text_match` | the text holds the wanted text; `…_insensitive` without regard to case |
| `is_empty` | missing, null, or an empty text or list |

True and False are no numbers: `1` does not equal `True`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters


def matches(filters: MetadataFilters | None, metadata: Mapping[str, Any]) -> bool:
    """Whether `metadata` passes `filters`; no filters, or an empty list of them, pass everything.

    `and` and no condition: all must pass; `or`: one must; `not`: none may, as in llama-index's own store.

    Raises:
        ValueError: an operator or condition that this version does not know.
    """
    if filters is None or not filters.filters:
        return True
    condition = "and" if filters.condition is None else filters.condition.value
    passed = (_passes(part, metadata) for part in filters.filters)
    if condition == "and":
        return all(passed)
    if condition == "or":
        return any(passed)
    if condition == "not":
        return not any(passed)
    raise ValueError(f"unknown filter condition {condition!r}")


def _passes(part: MetadataFilter | MetadataFilters, metadata: Mapping[str, Any]) -> bool:
    if hasattr(part, "filters"):  # isinstance would import llama_index
        return matches(cast("MetadataFilters", part), metadata)
    test = _TESTS.get(part.operator.value)
    if test is None:
        raise ValueError(f"unknown filter operator {part.operator.value!r}")
    return test(metadata.get(part.key), part.value)


def _equal(have: Any, want: Any) -> bool:
    # Python says True == 1; a filter for page 1 must not find a flag.
    if isinstance(have, bool) is not isinstance(want, bool):
        return False
    return bool(have == want)


def _in(have: Any, want: Any) -> bool:
    return any(_equal(have, one) for one in _listed(want))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(have: Any, want: Any) -> bool:
        comparable = (_number(have) and _number(want)) or (isinstance(have, str) and isinstance(want, str))
        return comparable and compare(have, want)

    return test


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _any(have: Any, want: Any) -> bool:
    return have is not None and any(_in(one, want) for one in _listed(have))


def _all(have: Any, want: Any) -> bool:
    return have is not None and all(_in(one, have) for one in _listed(want))


def _contains(have: Any, want: Any) -> bool:
    if isinstance(have, str):
        return isinstance(want, str) and want in have
    return have is not None and not isinstance(have, Mapping) and _in(want, have)


def _text_match(have: Any, want: Any) -> bool:
    return isinstance(want, str) and any(isinstance(one, str) and want in one for one in _listed(have))


def _text_match_insensitive(have: Any, want: Any) -> bool:
    return isinstance(want, str) and any(
        isinstance(one, str) and want.casefold() in one.casefold() for one in _listed(have)
    )


def _is_empty(have: Any, _want: Any) -> bool:
    return have is None or (isinstance(have, (str, list, tuple, Mapping)) and len(have) == 0)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda have, want: not _equal(have, want),
    ">": _ordered(lambda have, want: bool(have > want)),
    ">=": _ordered(lambda have, want: bool(have >= want)),
    "<": _ordered(lambda have, want: bool(have < want)),
    "<=": _ordered(lambda have, want: bool(have <= want)),
    "in": _in,
    "nin": lambda have, want: not _in(have, want),
    "any": _any,
    "all": _all,
    "contains": _contains,
    "text_match": _text_match,
    "text_match_insensitive": _text_match_insensitive,
    "is_empty": _is_empty,
}
