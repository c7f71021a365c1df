"""What arguments may be, for type checkers. At run time there is nothing here, so that an import of the package does not import NumPy."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, Protocol, Required, TypeAlias, TypedDict
    from uuid import UUID

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ._filter import Filter

    class Updated(Protocol):
        def update(self, n: int, /) -> object: ...

    class Dlpack(Protocol):
        def __dlpack__(self) -> object: ...

    class ArrowArray(Protocol):
        def __arrow_c_array__(self) -> tuple[object, object]: ...

    class ArrowStream(Protocol):
        def __arrow_c_stream__(self) -> object: ...

    FieldType: TypeAlias = Literal["bool", "int", "float", "text", "time", "bytes", "list", "object"]

    class Requirement(TypedDict, total=False):
        type: Required[FieldType]
        required: bool

    Id: TypeAlias = int | str | UUID | bytes
    Ids: TypeAlias = NDArray[np.integer[Any]] | Iterable[Id]
    Vectors: TypeAlias = ArrayLike | Dlpack | ArrowArray | ArrowStream
    Queries: TypeAlias = Vectors
    Versions: TypeAlias = int | Iterable[int]
    Metadata: TypeAlias = Iterable[Mapping[str, Any] | None] | Mapping[str, Iterable[Any]]
    Where: TypeAlias = dict[str, Any] | str | Filter
    Progress: TypeAlias = bool | Callable[[int, int, str], object] | Updated
    Include: TypeAlias = Literal["metadata", "vectors"]
    Fusion: TypeAlias = Literal["rrf", "dbsf"] | tuple[float, float]
    ZeroCopy: TypeAlias = Literal["allow", "require"]
