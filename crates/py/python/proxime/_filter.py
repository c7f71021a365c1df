"""Filters as Python expressions: `F("year") >= 2020`. They become the dicts of operators that `where` takes as well."""

from collections.abc import Iterable
from typing import Any, NoReturn


class Filter:
    """A condition on metadata, made by comparing an `F`. Combine with `&`, `|` and `~`, and pass it as `where`.

    >>> ((F("lang") == "en") & ~F("tags").contains("draft")).to_dict()
    {'$and': [{'lang': {'$eq': 'en'}}, {'$not': {'tags': {'$contains': 'draft'}}}]}
    """

    __slots__ = ("_dict",)

    def __init__(self, dictionary: "dict[str, Any]") -> None:
        self._dict = dictionary

    def to_dict(self) -> "dict[str, Any]":
        """The same as a dict of operators."""
        return self._dict

    def __and__(self, other: object) -> "Filter":
        return _joined("$and", self, other) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: object) -> "Filter":
        return _joined("$or", self, other) if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> "Filter":
        return Filter({"$not": self._dict})

    def __bool__(self) -> NoReturn:
        raise TypeError("a filter is not true or false by itself; combine filters with &, | and ~, not with and, or, not")

    def __repr__(self) -> str:
        return f"Filter({self._dict})"


class F:
    """A field of the metadata, to be compared. `F("a.b")` is field b of the object a; `F("a\\\\.b")` has a dot in its name.

    >>> F("year") >= 2020
    Filter({'year': {'$gte': 2020}})
    """

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        if not isinstance(field, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the name of a field is a str, not {type(field).__name__}")
        # In a dict of operators a name that starts with $ is an operator.
        self._field = "\\" + field if field.startswith("$") else field

    def __eq__(self, value: Any) -> Filter:  # type: ignore[override]
        return self._is("$eq", value)

    def __ne__(self, value: Any) -> Filter:  # type: ignore[override]
        return self._is("$ne", value)

    def __lt__(self, value: Any) -> Filter:
        return self._is("$lt", value)

    def __le__(self, value: Any) -> Filter:
        return self._is("$lte", value)

    def __gt__(self, value: Any) -> Filter:
        return self._is("$gt", value)

    def __ge__(self, value: Any) -> Filter:
        return self._is("$gte", value)

    def is_in(self, values: Iterable[Any]) -> Filter:
        """Equal to one of these."""
        return self._is("$in", list(values))

    def not_in(self, values: Iterable[Any]) -> Filter:
        """Equal to none of these, or missing."""
        return self._is("$nin", list(values))

    def contains(self, value: Any) -> Filter:
        """A list with this value in it, or a text with this text in it."""
        return self._is("$contains", value)

    def exists(self) -> Filter:
        """There, if only as None."""
        return self._is("$exists", True)

    def _is(self, operator: str, value: Any) -> Filter:
        return Filter({self._field: {operator: value}})

    def __bool__(self) -> NoReturn:
        raise TypeError("a field is not true or false by itself; compare it, as in F('done') == True")

    def __repr__(self) -> str:
        return f"F({self._field!r})"


def _joined(operator: str, left: Filter, right: Filter) -> Filter:
    """One level, however many are joined: filters may nest only so deep."""
    sides: list[Any] = []
    for side in (left.to_dict(), right.to_dict()):
        sides.extend(side[operator] if set(side) == {operator} else [side])
    return Filter({operator: sides})


F.__module__ = Filter.__module__ = "proxime"
