"""Snapshots of databases in object storage: pushed, pulled, and opened for reading where they lie.

```
from proxime import s3

with proxime.open("notes.db") as db:
    s3.push(db, "s3://bucket/notes")  # 1, the number of the snapshot
s3.pull("s3://bucket/notes", "copy.db")
with proxime.open("s3://bucket/notes") as db:  # for reading; the same as s3.open
    db.collection("notes").search(query)
```

What is there, below the address:

```
files/<sha256>                  what a file of a snapshot holds; the same in several snapshots is there once
SNAPSHOT-00000001.json          names, sizes and digests of the files of a snapshot; never changed, the highest number is the newest
```

Files come first and the snapshot that names them last, and only where there is none of that number: readers see whole snapshots, and of two that
push at once each gets a number of its own. Whoever is interrupted may do it again, and what was brought over stays. What was pulled is
compared with its digest before it is used. Nothing is ever deleted there; old snapshots and what only they name can be.

Addresses are those that obstore knows: `s3://`, `gs://`, `az://`, `file://`. Keys, regions and endpoints come from the environment
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...) or as keywords, which obstore takes (`endpoint=`, `region=`). `pip install "proxime[s3]"`.
"""

import fcntl
import hashlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import obstore
from numpy.typing import NDArray
from obstore.exceptions import AlreadyExistsError
from obstore.store import from_url

from . import _core
from .exceptions import DamagedError, ExistsError, StoreNotFoundError, UnsupportedError

__all__ = ["open", "pull", "push", "push_index", "snapshots"]

_Path: TypeAlias = str | PathLike[str]

_FORMAT = 1
_PREFIX, _SUFFIX = "SNAPSHOT-", ".json"
#: Bytes asked for at once: what an interruption loses of a file.
_CHUNK = 8 << 20
#: Files on their way at once.
_AT_ONCE = 4


def push(source: _core.Database | _Path, url: str, **options: Any) -> int:
    """Store what a database holds now as a snapshot, and return its number. Files that are there already are not sent, and if
    nothing has changed since the newest snapshot, nothing is written.

    `source`: an open database, which others may write to meanwhile, or the path of one. Cost: a copy of it beside the original, which is
    checked block by block and removed at the end.
    """
    if not isinstance(source, _core.Database):
        with _core.open(source, read_only=True, verify="lazy") as db:
            return push(db, url, **options)
    beside = source.path.parent if source.path else None
    with tempfile.TemporaryDirectory(prefix=".push-", dir=beside) as work:
        source.backup(Path(work, "db"))
        return _Bucket(url, options).push(Path(work, "db"))


def pull(url: str, dest: _Path, *, number: int | None = None, **options: Any) -> None:
    """Bring a snapshot, the newest unless `number` says which, to the new directory `dest`: a database that can be written to.

    Interrupted, what came so far is in the directory `dest` + ".pull", and the next call goes on from there.
    """
    bucket, dest = _Bucket(url, options), Path(dest)
    if dest.exists():
        raise ExistsError(f"{dest} is there already")
    work = dest.with_name(dest.name + ".pull")
    snapshot = bucket.snapshot(number)
    bucket.fetch(snapshot.files, work / "files")
    _assemble(snapshot.files, work / "files", work / "db")
    os.rename(work / "db", dest)
    shutil.rmtree(work)


def open(
    url: str,
    *,
    number: int | None = None,
    cache: _Path | None = None,
    threads: int | None = None,
    verify: Literal["full", "lazy"] = "full",
    **options: Any,
) -> _core.Database:
    """Open a snapshot, the newest unless `number` says which, for reading. Its files are brought to `cache`, where they stay for the
    next time and for other snapshots that have them, too; without `cache` that is "proxime" where the system keeps such things
    (`$XDG_CACHE_HOME`, or "~/.cache"). It may be removed whenever nothing in it is open.
    """
    return _core.open(cached(url, number, cache, **options), threads, read_only=True, verify=verify)


def push_index(root: _Path, url: str, **options: Any) -> int:
    """Store an index in shards, a folder that `proxime.sharded.build` has made, as a snapshot, and return its number.

    A shard that the newest snapshot has is not sent: its folder's name has its digest, and equal records have equal ones.
    """
    bucket = _Bucket(url, options)
    return bucket.push(Path(root), [file for file in bucket.newest().files if file.folder and Path(root, file.folder).is_dir()])


def store_shard(root: _Path, folder: str, url: str, **options: Any) -> list[Any]:
    """Stores one shard of an index, `folder` in `root`, unless the newest snapshot has it. Returns what `publish_index` takes. No reader sees it
    before that.
    """
    bucket = _Bucket(url, options)
    if kept := [file for file in bucket.newest().files if file.folder == folder]:
        return kept
    files = {replace(file, name=f"{folder}/{file.name}"): path for file, path in _files(Path(root, folder)).items()}
    bucket.store(files)
    return list(files)


def publish_index(manifest: _Path, shards: Sequence[Any], url: str, **options: Any) -> int:
    """Makes a snapshot of an index: of the folder that has its `manifest` and nothing else, and shards that `store_shard` has stored. Returns its number."""
    return _Bucket(url, options).push(Path(manifest), shards)


def snapshots(url: str, **options: Any) -> list[int]:
    """The numbers of all snapshots, ascending."""
    return _Bucket(url, options).numbers()


def cached(
    url: str, number: int | None = None, cache: _Path | None = None, folder: str | None = None, **options: Any
) -> Path:
    """Where the files of a snapshot are on this machine, once they are there; those of one folder in it, if that is named. Nothing
    below it ever changes.
    """
    home = Path(cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "proxime"))
    bucket = _Bucket(url, options)
    snapshot = bucket.snapshot(number)
    if folder is not None:
        snapshot = snapshot.within(folder)
    place = home / "snapshots" / snapshot.digest()
    if not place.exists():
        bucket.fetch(snapshot.files, home / "files")
        work = Path(tempfile.mkdtemp(prefix=".open-", dir=home))
        try:
            _assemble(snapshot.files, home / "files", work / "db")
            place.parent.mkdir(exist_ok=True)
            os.rename(work / "db", place)
        except OSError:
            if not place.exists():  # else another was faster
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return place


class Rows:
    """A matrix in an `.npy` file in object storage, of which slices of rows are fetched."""

    def __init__(self, url: str, **options: Any) -> None:
        folder, _, self._name = url.rpartition("/")
        self._store = from_url(folder, **options)
        size = obstore.head(self._store, self._name)["size"]
        head = io.BytesIO(obstore.get_range(self._store, self._name, start=0, end=min(size, 1 << 16)))
        try:
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[np.lib.format.read_magic(head)]
            shape, by_columns, self._dtype = read(head)
        except (ValueError, KeyError) as error:
            raise DamagedError(f"{url} is no .npy file: {error}") from error
        self.shape: tuple[int, ...] = shape
        self.ndim: int = len(shape)
        self._start = head.tell()
        if by_columns or self._dtype.hasobject:
            raise UnsupportedError(f"{url} is not an array of numbers in the order of rows")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, end, _ = rows.indices(len(self))
        row = math.prod(self.shape[1:]) * self._dtype.itemsize
        content = obstore.get_range(self._store, self._name, start=self._start + first * row, end=self._start + end * row)
        return np.frombuffer(memoryview(content), self._dtype).reshape(-1, *self.shape[1:])


@dataclass(frozen=True, order=True)
class _File:
    """A file of a snapshot: its path there, `folder/name` at most, and what it holds."""

    name: str
    bytes: int
    sha256: str

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    def __post_init__(self) -> None:
        names = self.name.split("/")
        digest = len(self.sha256) == 64 and set(self.sha256) <= set("0123456789abcdef")
        if not digest or len(names) > 2 or any(not name or name in (".", "..") or "\\" in name for name in names):
            raise ValueError(f"{self.name!r} with digest {self.sha256!r} is no file of a snapshot")
        if type(self.bytes) is not int or self.bytes < 0:
            raise ValueError(f"{self.name} has {self.bytes} bytes")


@dataclass(frozen=True)
class _Snapshot:
    """What belongs together, in the order of names."""

    files: tuple[_File, ...]

    def within(self, folder: str) -> "_Snapshot":
        """What is in one folder, "" for what is in none."""
        return _Snapshot(tuple(replace(file, name=file.name.rpartition("/")[2]) for file in self.files if file.folder == folder))

    def same_as(self, other: "_Snapshot") -> bool:
        """Whether both hold the same records. A log begins with a number of chance, new in every copy; what is in it, the manifest
        beside it tells, which is the same for the same."""
        without_logs = [[file for file in one.files if not file.name.rpartition("/")[2].startswith("wal-")] for one in (self, other)]
        return without_logs[0] == without_logs[1]

    def text(self) -> bytes:
        return json.dumps({"format": _FORMAT, "files": [asdict(file) for file in self.files]}, indent=1).encode()

    def digest(self) -> str:
        return hashlib.sha256(self.text()).hexdigest()


class _Bucket:
    """A place in object storage."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url
        self._store = from_url(url, **options)

    def newest(self) -> _Snapshot:
        """An empty one if there is none."""
        numbers = self.numbers()
        return self.snapshot(numbers[-1]) if numbers else _Snapshot(())

    def push(self, root: Path, kept: Sequence[_File] = ()) -> int:
        """Makes a snapshot of the files below `root` and of those that are `kept` here already, whose folders below `root` are not looked at. Returns
        its number; nothing is written if it is the newest already.
        """
        own = _files(root, without={file.folder for file in kept})
        snapshot = _Snapshot(tuple(sorted([*own, *kept])))
        number = max(self.numbers(), default=0)
        if number and snapshot.same_as(self.snapshot(number)):
            return number
        self.store(own)
        while True:
            number += 1
            try:
                obstore.put(self._store, _name(number), snapshot.text(), mode="create")
                return number
            except AlreadyExistsError:  # another was faster
                continue

    def store(self, files: dict[_File, Path]) -> None:
        """Sends what is not there."""
        there = {entry["path"].rpartition("/")[2]: entry["size"] for entry in self._list("files/")}
        missing = {file.sha256: path for file, path in files.items() if there.get(file.sha256) != file.bytes}
        _each(lambda digest: obstore.put(self._store, f"files/{digest}", missing[digest]), missing)

    def numbers(self) -> list[int]:
        names = (entry["path"].rpartition("/")[2] for entry in self._list(_PREFIX))
        found = (name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return sorted(int(number) for number in found if number.isdecimal())

    def _list(self, prefix: str) -> Iterable[Any]:
        folder, _, begin = prefix.rpartition("/")
        entries = obstore.list_with_delimiter(self._store, folder or None)["objects"]
        return (entry for entry in entries if entry["path"].rpartition("/")[2].startswith(begin))

    def snapshot(self, number: int | None) -> _Snapshot:
        """Errors: none of that number, or none at all; written by a later version; damaged."""
        if number is None:
            number = max(self.numbers(), default=None)
        if number is None:
            raise StoreNotFoundError(f"there is no snapshot at {self._url}")
        where = f"{self._url}/{_name(number)}"
        try:
            found = json.loads(bytes(obstore.get(self._store, _name(number)).bytes()))
            if found["format"] != _FORMAT:
                raise UnsupportedError(f"{where} has format {found['format']}; this version reads {_FORMAT}")
            return _Snapshot(tuple(_File(**file) for file in found["files"]))
        except FileNotFoundError as error:
            raise StoreNotFoundError(f"there is no {where}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError(f"{where} is damaged: {error}") from error

    def fetch(self, files: Iterable[_File], folder: Path) -> None:
        """Brings the files that `folder` does not have; each has its digest as its name there."""
        folder.mkdir(parents=True, exist_ok=True)
        # Those of the same content once.
        _each(lambda file: self._fetch(file, folder), {file.sha256: file for file in files}.values())

    def _fetch(self, file: _File, folder: Path) -> None:
        done, part = folder / file.sha256, folder / f"{file.sha256}.part"
        if done.exists():
            return
        with part.open("ab") as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # freed when it is closed
            if done.exists():  # another was faster, and `out` may be what it has made
                part.unlink(missing_ok=True)
                return
            try:
                for start in range(out.tell(), file.bytes, _CHUNK):
                    end = min(start + _CHUNK, file.bytes)
                    out.write(obstore.get_range(self._store, f"files/{file.sha256}", start=start, end=end))
            except FileNotFoundError as error:
                raise DamagedError(f"{self._url}/files/{file.sha256}, which is {file.name}, is missing") from error
            out.flush()
            os.fsync(out.fileno())
            if (part.stat().st_size, _sha256(part)) != (file.bytes, file.sha256):
                part.unlink()
                raise DamagedError(f"{self._url}/files/{file.sha256}, which is {file.name}, is not what its name says")
            os.rename(part, done)


def _each(do: Callable[[Any], object], items: Iterable[Any]) -> None:
    """A few at once. The first error ends it; what has begun is finished."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        calls = [pool.submit(do, item) for item in items]
        try:
            for call in calls:
                call.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _assemble(files: Iterable[_File], by_digest: Path, dest: Path) -> None:
    """Gives files their names in `dest`, anew; by links where the file system has them."""
    shutil.rmtree(dest, ignore_errors=True)
    dest.mkdir(parents=True)
    for file in files:
        source, path = by_digest / file.sha256, dest / file.name
        path.parent.mkdir(exist_ok=True)
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


def _files(root: Path, without: Collection[str] = ()) -> dict[_File, Path]:
    """Those below `root`, but for the folders `without`."""
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != "LOCK")
    own = ((path.relative_to(root), path) for path in paths)
    return {_File(name.as_posix(), path.stat().st_size, _sha256(path)): path for name, path in own if name.parts[0] not in without}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(number: int) -> str:
    return f"{_PREFIX}{number:08}{_SUFFIX}"
