"""Shards on disk: where a record belongs, what a build leaves, and the manifest that says what counts.

```
index/
  MANIFEST-00000001.json          dim, metric and the shards: folder, digest, rows; the highest number counts
  shard-0000-of-0004-<digest>/    a Proxime database with one collection, never changed once it has this name
```

A shard's name has its digest, so building the same again finds it there and leaves it alone. A shard gets its name by a rename
and a manifest by a link, which fails if there is one: whoever stops in between has changed nothing that readers see.
"""

import hashlib
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from uuid import UUID

import numpy as np

from . import _core
from .exceptions import DamagedError, ParameterError, StoreNotFoundError, UnsupportedError
from .migrate import Source

COLLECTION = "shard"
_FORMAT = 1
_PREFIX, _SUFFIX = "MANIFEST-", ".json"
#: Where an index is: a folder, or an address in object storage.
Root: TypeAlias = Path | str
#: Ids, vectors `[n, dim]` and metadata of some records.
Group: TypeAlias = tuple[list[Any], np.ndarray[Any, Any], list[Any] | None]


@dataclass(frozen=True)
class Shard:
    """A folder of the index, the digest of its collection, and how many records that has."""

    folder: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What belongs to an index."""

    dim: int
    metric: Literal["cosine", "l2", "dot"]
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """The number of records."""
        return sum(shard.rows for shard in self.shards)

    def digest(self) -> str:
        """One number for all records; equal for equal input, however it was built."""
        text = "\n".join([f"{self.dim} {self.metric}", *(shard.digest for shard in self.shards)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def shard_of(ids: Any, shards: int) -> np.ndarray[Any, Any]:
    """The shard of each id. It depends on the id and its type alone, and is the same everywhere and for ever.

    Integers are mixed by the finaliser of splitmix64 (Steele, Lea, Flood 2014), other ids by BLAKE2b.
    """
    if isinstance(ids, (range, np.ndarray)) and np.asarray(ids).dtype.kind in "iu":
        mixed = np.asarray(ids).astype(np.int64).view(np.uint64)
    else:
        mixed = np.fromiter(map(_number, ids), np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) % np.uint64(shards)


def _number(id: Any) -> int:
    if isinstance(id, (int, np.integer)):
        return int(id) & 0xFFFF_FFFF_FFFF_FFFF
    kind, content = (b"u", id.bytes) if isinstance(id, UUID) else (b"b", id) if isinstance(id, bytes) else (b"s", id.encode())
    return int.from_bytes(hashlib.blake2b(kind + content, digest_size=8).digest(), "little")


def grouped(source: Source, shards: int) -> Iterator[tuple[int, Group]]:
    """What `source` has, in its order: the records of a batch that belong to one shard, and that shard."""
    for batch in source.batches():
        homes = shard_of(batch.ids, shards)
        vectors = np.ascontiguousarray(batch.vectors, np.float32)
        if vectors.shape != (len(homes), source.dim):
            raise ParameterError(f"{len(homes)} ids need vectors of shape ({len(homes)}, {source.dim}), not {vectors.shape}")
        ids = list(batch.ids)
        for s in np.unique(homes):
            rows = np.flatnonzero(homes == s)
            metadata = None if batch.metadata is None else [batch.metadata[row] for row in rows]
            yield int(s), ([ids[row] for row in rows], vectors[rows], metadata)


class Spill:
    """Files for the records of shards, until these are built."""

    def __init__(self, folder: Path, shards: Iterable[int]) -> None:
        folder.mkdir(parents=True)
        self._files = {s: (open(folder / f"{s}.f32", "wb"), open(folder / f"{s}.records", "wb")) for s in shards}

    def write(self, shard: int, group: Group) -> None:
        """Adds to those of a shard."""
        ids, vectors, metadata = group
        rows, records = self._files[shard]
        rows.write(vectors.tobytes())
        pickle.dump((ids, metadata), records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pair in self._files.values():
            for file in pair:
                file.close()


def build_shard(spills: Sequence[Path], root: Path, number: int, of: int, dim: int, metric: Any, preset: Any) -> Shard:
    """Makes one shard of the records that are `spills`, and gives it its name. Doing so again, or twice at once, is harmless."""
    ids: list[Any] = []
    metadata: list[Any] = []
    parts = []
    for folder in spills:
        for some, their in _spilled(folder / f"{number}.records"):
            ids += some
            metadata += [{}] * len(some) if their is None else their
        file = folder / f"{number}.f32"
        if file.stat().st_size:
            parts.append(np.memmap(file, np.float32, "r").reshape(-1, dim))
    work = Path(tempfile.mkdtemp(dir=spills[0].parent))  # which the build removes, also when this process is killed
    try:
        with _core.open(work / "db") as db:
            collection = db.create_collection(COLLECTION, dim, metric, preset=preset)
            if ids:  # one batch, for one graph
                collection.upsert(ids, parts[0] if len(parts) == 1 else np.concatenate(parts), metadata)
            digest, rows = collection.digest(), len(collection)
        shard = Shard(f"shard-{number:04}-of-{of:04}-{digest}", digest, rows)
        try:
            os.rename(work / "db", root / shard.folder)
        except OSError:
            if not (root / shard.folder).is_dir():
                raise
        _sync(root)
        return shard
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _spilled(path: Path) -> Iterator[tuple[list[Any], list[Any] | None]]:
    with open(path, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return


def publish(root: Path, manifest: Manifest) -> int:
    """Makes `manifest` what counts, and returns its number. If it already does, nothing is written."""
    number = max(_numbers(root), default=0)
    if number and read(root, number) == manifest:
        return number
    work = tempfile.NamedTemporaryFile("w", prefix=".manifest-", dir=root, encoding="utf-8", delete=False)
    try:
        with work:
            json.dump({"format": _FORMAT, **asdict(manifest)}, work, indent=1)
            work.flush()
            os.fsync(work.fileno())
        while True:
            number += 1
            try:
                os.link(work.name, root / f"{_PREFIX}{number:08}{_SUFFIX}")
                break
            except FileExistsError:  # another build was faster
                continue
    finally:
        os.unlink(work.name)
    _sync(root)
    return number


def place(path: str | os.PathLike[str]) -> Root:
    """A folder, or an address in object storage."""
    text = os.fspath(path)
    return text if "://" in text else Path(text)


def newest(root: Root) -> int:
    """The number of the manifest that counts; in object storage, of the snapshot."""
    if isinstance(root, str):
        numbers: list[int] = _s3().snapshots(root)
    else:
        numbers = _numbers(root)
    if not numbers:
        raise StoreNotFoundError(f"{root} is not a sharded index: it has no manifest")
    return max(numbers)


def read(root: Root, number: int) -> Manifest:
    """A manifest. Errors: written by a later version, or damaged."""
    if isinstance(root, str):  # a snapshot has one
        folder, number = Path(_s3().cached(root, number, folder="")), 1
    else:
        folder = root
    path = folder / f"{_PREFIX}{number:08}{_SUFFIX}"
    try:
        found = json.loads(path.read_bytes())
        version = found.pop("format")
        if version != _FORMAT:
            raise UnsupportedError(f"{path} has format {version}; this version reads {_FORMAT}")
        shards = tuple(Shard(**shard) for shard in found.pop("shards"))
        if not shards or any(Path(shard.folder).name != shard.folder for shard in shards):
            raise ValueError("shards are folders beside the manifest, and there is at least one")
        return Manifest(shards=shards, **found)
    except FileNotFoundError as error:
        raise StoreNotFoundError(f"there is no {path}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def open_shard(root: Root, number: int, shard: Shard, threads: int | None = None) -> tuple[_core.Database, _core.Collection]:
    """A shard of a manifest, for reading. Errors: damaged, or not what the manifest says."""
    folder = _s3().cached(root, number, folder=shard.folder) if isinstance(root, str) else root / shard.folder
    db = _core.open(folder, threads, read_only=True)
    collection = db.collection(COLLECTION)
    found = collection.digest()
    if found != shard.digest:
        db.close()
        raise DamagedError(f"{folder} has digest {found}, not that of {shard.folder}")
    return db, collection


def _s3() -> Any:
    """Imported by those who need it."""
    from . import s3

    return s3


def _numbers(root: Path) -> list[int]:
    names = (path.name for path in root.glob(f"{_PREFIX}*{_SUFFIX}"))
    found = (name[len(_PREFIX) : -len(_SUFFIX)] for name in names)
    return [int(number) for number in found if number.isdecimal()]


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
