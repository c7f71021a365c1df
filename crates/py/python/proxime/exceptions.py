"""Everything that Proxime raises: one tree under `Error`."""


class Error(Exception):
    """The base of every exception of this package.

    Mistakes in arguments also derive from `ValueError` or `TypeError`, so code that knows nothing of Proxime can catch them.
    The numbers in a message (row, expected, got, ...) are attributes of the exception too.
    """

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message)
        for name, value in details.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        # KeyError's would print the message in quotes.
        return Exception.__str__(self)


class ArgumentTypeError(Error, TypeError):
    """An argument of a type that makes no sense there."""


class ParameterError(Error, ValueError):
    """A number, a name or an option outside what is possible."""


class DimensionError(Error, ValueError):
    """Vectors of another length than the collection's. Attributes: `expected`, `got`, for lists `row`."""


class NotFiniteError(Error, ValueError):
    """NaN, an infinity, or a number beyond float32. Attributes: `row`, `column`, `value`."""


class UnstorableError(Error, ValueError):
    """A component that the collection's `dtype` has no value for. Attributes: `row`, `column`, `value`."""


class ZeroVectorError(Error, ValueError):
    """The zero vector, where distance is cosine. Attribute: `row`."""


class CountError(Error, ValueError):
    """Not as many ids or metadata objects as vectors, or too many of all. Attribute: `rows`."""


class IdError(Error, ValueError):
    """An id that cannot be one. Attribute: `row`."""


class DuplicateIdError(IdError):
    """One id twice in one `add`. Attributes: `id`, `first_row`, `row`."""


class ExistsError(Error, ValueError):
    """What should be new is there already. Attributes: for an id `id` and `row`, for a collection `name`."""


class VersionError(Error):
    """A write with `if_version=`, of a record that has been written in between. Attributes: `id`, `row`, `expected`, `found`; 0 stands
    for a record that is not there."""


class MetadataError(Error, ValueError):
    """Metadata that cannot be stored as it is. Attributes: `row`, `path`."""


class SchemaError(MetadataError):
    """Metadata that is not what the collection's schema says. Attributes: `row`, `path`, `expected`, `found` (None: it is missing)."""


class FilterError(Error, ValueError):
    """A filter that cannot be applied. The message says where it is wrong, and why."""


class NotFoundError(Error, KeyError):
    """There is no collection of that name, or no record to update. Attributes: for a collection `name`, for a record `id` and `row`."""


class StoreNotFoundError(Error, FileNotFoundError):
    """There is no database at that path. Attribute: `path`."""


class NotAStoreError(Error):
    """Something else is at that path; it was left alone. Attribute: `path`."""


class UnsupportedError(Error):
    """Written by a newer version of Proxime. Attribute: `path`."""


class LockedError(Error):
    """Another handle has the database open for writing. Attributes: `path`, `pid`, `host`."""


class DamagedError(Error):
    """Bytes on disk are not what was written. Attribute: `path`."""


class ReadOnlyError(Error):
    """A write to a database opened with `read_only=True`."""


class ClosedError(Error, ValueError):
    """A call on a closed database."""


class ForkedError(Error):
    """A write, in a forked child, through a handle of its parent. Attributes: `owner`, `child`."""


class StorageError(Error, OSError):
    """The operating system refused. Attributes: `path`, `errno`. After a failed sync: reopen to go on."""


class InternalError(Error):
    """A bug in Proxime. Please report it, with the message."""


class EfficiencyWarning(UserWarning):
    """It works, and there is a much faster way."""


def _say_proxime(*classes: type) -> None:
    """Tracebacks say `proxime.DimensionError`, the name to catch."""
    for one in classes:
        one.__module__ = "proxime"


_say_proxime(EfficiencyWarning, Error, *Error.__subclasses__(), *IdError.__subclasses__(), *MetadataError.__subclasses__())
