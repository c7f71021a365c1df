"""Haystack's filters as filters of Proxime.

What Haystack asks for and Proxime does not have by itself: texts that are ISO dates are compared as times. For that a record
has, beside `meta`, its dates once more as times (`dates_in`), under `dates`, in the same places. A time without a zone is
taken as UTC.
"""

from datetime import UTC, datetime
from typing import Any

from haystack.errors import FilterError

_LOGIC = {"AND": "$and", "OR": "$or"}
_EQUALITY = {"==": "$in", "in": "$in", "!=": "$nin", "not in": "$nin"}
_ORDER = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_FIELDS = ("id", "content", "meta", "blob")


def dates_in(meta: dict[str, Any]) -> dict[str, Any]:
    """Those values of `meta` that are dates, as times; of objects in it likewise, and of lists nothing."""
    dates = {}
    for name, value in meta.items():
        date = dates_in(value) if isinstance(value, dict) else as_date(value)
        if date:
            dates[name] = date
    return dates


def as_date(value: Any) -> datetime | None:
    """A time, or the time that an ISO 8601 text with at least year, month and day means; of anything else None."""
    if isinstance(value, str) and len(value) >= 10 and value[4] == value[7] == "-":
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def where(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """The filter for `Collection.search` and its like; None if there is no condition.

    Errors: `FilterError` of Haystack for whatever is not one of its filters.
    """
    return _condition(filters) if filters else None


def _condition(filters: Any) -> dict[str, Any]:
    if not isinstance(filters, dict):
        raise FilterError(f"a condition is a dict, not {type(filters).__name__}")
    if "field" in filters:
        return _comparison(_part(filters, "field"), _part(filters, "operator"), _part(filters, "value"))
    operator, conditions = _part(filters, "operator"), _part(filters, "conditions")
    if not isinstance(conditions, list):
        raise FilterError(f"'conditions' is a list, not {type(conditions).__name__}")
    inner = [_condition(condition) for condition in conditions]
    if operator == "NOT":
        return {"$not": {"$and": inner}}
    if operator not in _LOGIC:
        raise FilterError(f"unknown operator {operator!r}; between conditions there are AND, OR and NOT")
    return {_LOGIC[operator]: inner}


def _part(filters: dict[str, Any], name: str) -> Any:
    if name not in filters:
        raise FilterError(f"{name!r} is missing in {filters}")
    return filters[name]


def _comparison(field: str, operator: str, value: Any) -> dict[str, Any]:
    path, dates = _paths(field)
    if operator in _EQUALITY:
        if operator in ("==", "!="):
            value = [value]
        elif not isinstance(value, list):
            raise FilterError(f"{operator!r} takes a list, not {type(value).__name__}")
        times = [date for date in map(as_date, value) if date]
        among = [{path: {"$in": [v for v in value if not isinstance(v, datetime)]}}]
        among += [{dates: {"$in": times}}] if times else []
        return {"$or": among} if _EQUALITY[operator] == "$in" else {"$not": {"$or": among}}
    if operator not in _ORDER:
        known = ", ".join([*_EQUALITY, *_ORDER])
        raise FilterError(f"unknown operator {operator!r}; for fields there are {known}")
    if value is None:
        return {path: {"$in": []}}  # neither less nor greater than anything
    date = as_date(value)
    if date:
        return {dates: {_ORDER[operator]: date}}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FilterError(f"{operator!r} compares numbers and ISO dates; {field} was compared with {value!r}")
    return {path: {_ORDER[operator]: value}}


def _paths(field: str) -> tuple[str, str]:
    """Where in a record a field is, and where it is as a time. A name alone that is not the document's is the metadata's."""
    field = field.replace("\\", "\\\\")
    if field.split(".")[0] not in _FIELDS:
        field = f"meta.{field}"
    return field, "dates" + field.removeprefix("meta")
