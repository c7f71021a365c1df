"""A reader of the files of a store, written from docs/FORMAT.md alone: no code in common with the engine, slow and strict.

`read(folder)` gives {collection: {id: (vector, metadata, version)}} of a store that is whole, and raises `Damaged` for one that is
not. Damage to derived sections is passed over, as the format allows: what they hold is not read here.
"""

import datetime
import json
import math
import struct
import uuid
from pathlib import Path

BLOCK = 4096
U64 = 2**64 - 1
DTYPES = ["f32", "f16", "int8"]


class Damaged(Exception):
    """The bytes are not those of a store."""


def need(condition, what):
    if not condition:
        raise Damaged(what)


def unpack(layout, data, at=0):
    """Little-endian fields; `Damaged` where there are not so many bytes."""
    need(0 <= at and at + struct.calcsize("<" + layout) <= len(data), "the file ends here")
    return struct.unpack_from("<" + layout, data, at)


# Checksums


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def crc32c(*pieces):
    crc = 0xFFFFFFFF
    for piece in pieces:
        for byte in piece:
            crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def crc_at(store, file_id, part, number, data):
    return crc32c(struct.pack("<16sQIQ", store, file_id, part, number), data)


PRIMES_32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
PRIMES_64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)


def xxh3_128(data):
    """XXH3-128 with seed 0 of more than 240 bytes, which is all that is needed."""
    need(len(data) > 240, "too short")
    lanes = [PRIMES_32[2], *PRIMES_64[:4], PRIMES_32[1], PRIMES_64[4], PRIMES_32[0]]

    def accumulate(at, secret_at):
        values, keys = struct.unpack_from("<8Q", data, at), struct.unpack_from("<8Q", SECRET, secret_at)
        for i in range(8):
            key = values[i] ^ keys[i]
            lanes[i ^ 1] = lanes[i ^ 1] + values[i] & U64
            lanes[i] = lanes[i] + (key & 0xFFFFFFFF) * (key >> 32) & U64

    stripes_per_block = (len(SECRET) - 64) // 8
    for stripe in range((len(data) - 1) // 64):
        within = stripe % stripes_per_block
        accumulate(64 * stripe, 8 * within)
        if within == stripes_per_block - 1:
            for i, key in enumerate(struct.unpack_from("<8Q", SECRET, len(SECRET) - 64)):
                lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ key) * PRIMES_32[0] & U64
    accumulate(len(data) - 64, len(SECRET) - 64 - 7)

    def merged(secret_at, total):
        keys = struct.unpack_from("<8Q", SECRET, secret_at)
        for i in range(0, 8, 2):
            product = (lanes[i] ^ keys[i]) * (lanes[i + 1] ^ keys[i + 1])
            total += product & U64 ^ product >> 64
        total &= U64
        total = (total ^ total >> 37) * 0x165667919E3779F9 & U64
        return total ^ total >> 32

    low = merged(11, len(data) * PRIMES_64[0] & U64)
    high = merged(len(SECRET) - 64 - 11, ~(len(data) * PRIMES_64[1]) & U64)
    return high << 64 | low


# Files


def check_preamble(data, letter):
    magic, major, _minor, checksums, reader, _writer = unpack("8sHHIQQ", data)
    need(magic == b"\x89PX" + letter + b"\r\n\x1a\n", "another magic number")
    need((major, checksums, reader) == (0, 1, 0), "another version")


def read_format(folder):
    data = (folder / "FORMAT").read_bytes() if (folder / "FORMAT").exists() else b""
    need(len(data) == 64, "FORMAT has 64 bytes")
    check_preamble(data, b"F")
    need(data[48:60] == bytes(12) and unpack("I", data, 60) == (crc32c(data[:60]),), "FORMAT is damaged")
    return data[32:48]


def read_manifest(folder, store):
    names = sorted(folder.glob("MANIFEST-*"))
    need(names, "there is no manifest")
    number, data = int(names[-1].name.removeprefix("MANIFEST-")), names[-1].read_bytes()
    check_preamble(data, b"M")
    owner, own_number, length = unpack("16sQQ", data, 32)
    need(length == len(data) - 80, "another length")
    need(xxh3_128(data[:64] + data[80:]) == int.from_bytes(data[64:80], "little"), "another digest")
    manifest = json.loads(data[80:])
    need((owner, own_number) == (store, number), "another manifest")
    need((manifest["number"], manifest["store"]) == (number, store.hex()), "another manifest")
    return manifest


def read_segment(folder, store, collection, pinned):
    """The sections that are not derived, by kind, and the number of rows."""
    file_id = pinned["file_id"]
    path = folder / f"seg-{file_id:016x}.seg"
    need(path.exists(), f"{path.name} is missing")
    data = path.read_bytes()
    need(len(data) == pinned["bytes"], "another length")
    check_preamble(data, b"S")
    fields = unpack("16sQQIIBBHI48s", data, 32)
    owner, own_id, collection_id, dim, rows, dtype, metric, count, block, zero = fields
    config = collection["config"]
    need((owner, own_id, collection_id) == (store, file_id, collection["id"]), "another segment")
    need((dim, dtype, rows) == (config["dim"], DTYPES.index(config["dtype"]), pinned["rows"]), "another shape")
    need(metric == ["l2", "cosine", "dot"].index(config["metric"]), "another metric")
    need(block == BLOCK and zero == bytes(48) and count <= 32, "the header is damaged")
    need(unpack("I", data, 4092) == (crc_at(store, file_id, 0xFFFFFFFF, 0, data[:4092]),), "header checksum")
    need(not any(data[128 + 48 * count : 4092]), "the header is not zero where it should be")
    table = [unpack("IIIIQQQQ", data, 128 + 48 * i) for i in range(count)]
    at = BLOCK
    for _kind, flags, width, zero, elements, offset, length, _crcs in table:
        need(flags in (0, 1) and width > 0 and zero == 0, "section table")
        need(offset == at and length == elements * width, "section table")
        at += -(-length // BLOCK) * BLOCK
    tables = at
    for section in table:
        need(section[7] == at, "section table")
        at += 4 * -(-section[6] // BLOCK)
    magic, total, own_tables, digest, crc, zero, footer_crc = unpack("8sQQ16sI16sI", data, at)
    need(at + 64 == len(data) == total and own_tables == tables, "the footer is elsewhere")
    need(magic == b"\x89PXE\r\n\x1a\n" and zero == bytes(16), "the footer is damaged")
    need(footer_crc == crc_at(store, file_id, 0xFFFFFFFD, 0, data[at : at + 60]), "footer checksum")
    need(crc == crc_at(store, file_id, 0xFFFFFFFE, 0, data[tables:at]), "checksum of the tables")
    root = xxh3_128(data[:BLOCK] + data[tables:at])
    need(root == int.from_bytes(digest, "little") == int(pinned["digest"], 16), "root digest")
    sections = {}
    for kind, flags, _width, _zero, _elements, offset, length, crcs in table:
        need(kind not in sections and (kind in range(1, 9) or flags), "an unknown section")
        need(kind not in range(1, 9) or flags == (kind in (2, 3, 4)), "derived or not")
        if flags:
            continue
        for number in range(-(-length // BLOCK)):
            content = data[offset + BLOCK * number : offset + BLOCK * (number + 1)]
            need(unpack("I", data, crcs + 4 * number) == (crc_at(store, file_id, kind, number, content),), "block")
        end = offset + length
        need(not any(data[end : end + -length % BLOCK]), "padding")
        sections[kind] = data[offset:end]
    return sections, rows


# Columns, ids, metadata


def column(data, rows):
    offsets = unpack(f"{rows + 1}Q", data)
    cells = data[8 * (rows + 1) :]
    need(offsets[0] == 0 and offsets[-1] == len(cells) and list(offsets) == sorted(offsets), "offsets")
    return [cells[start:end] for start, end in zip(offsets, offsets[1:])]


def ids(data, rows):
    found = []
    for cell in column(data, rows):
        need(cell[:1] in (b"\0", b"\1", b"\2", b"\3") and len(cell) <= 65_536, "an id")
        need(len(cell) == {0: 9, 2: 17}.get(cell[0], len(cell)), "an id of another length")
        try:
            kinds = (lambda id: unpack("q", id)[0], bytes.decode, lambda id: uuid.UUID(bytes=id), bytes)
            found.append(kinds[cell[0]](cell[1:]))
        except UnicodeDecodeError as error:
            raise Damaged("an id that is not UTF-8") from error
    need(len(set(found)) == len(found), "an id is there twice")
    return found


def metadata(data):
    """None for none."""
    if not data:
        return {}
    position = 8

    def take(layout):
        nonlocal position
        (value,) = unpack(layout, data, position)
        position += struct.calcsize("<" + layout)
        return value

    def value(depth):
        token = take("I")
        need(token <= 8 and depth <= 33, "an unknown token")
        if token == 4:
            return take(f"{take('Q')}s").decode()
        if token == 7:
            return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=take("q"))
        if token == 8:
            return take(f"{take('Q')}s")
        if token == 5:
            return [value(depth + 1) for _ in range(take("I"))]
        if token == 6:
            return {value(depth + 1): value(depth + 1) for _ in range(take("I"))}
        if token == 0:
            return None
        return {1: lambda: take("B") == 1, 2: lambda: take("q"), 3: lambda: take("d")}[token]()

    found = value(1)
    need(isinstance(found, dict) and position == len(data), "metadata")
    return found


def vectors(data, rows, dim, dtype):
    flat = tuple(map(float, unpack(f"{rows * dim}{'feb'[DTYPES.index(dtype)]}", data)))
    need(all(map(math.isfinite, flat)), "a vector that is not finite")
    return [flat[dim * row : dim * (row + 1)] for row in range(rows)]


def versions(data, rows):
    pairs = unpack(f"{len(data) // 16 * 2}Q", data)
    ends = [0, *pairs[::2]]
    need(len(data) % 16 == 0 and ends == sorted(set(ends)) and ends[-1] == rows, "versions")
    return [version for start, end, version in zip(ends, ends[1:], pairs[1::2]) for _ in range(start, end)]


def counted_ids(data):
    return ids(data[8:], unpack("Q", data)[0] if len(data) >= 16 else 2**63)


# The log


def read_log(folder, store, manifest):
    """Frames that are not in segments: (seq, collection, kind, payload)."""
    first, last, durable = (manifest.get(name, 0) for name in ("wal_first_gen", "last_seq", "durable_seq"))
    numbers = sorted(int(path.name[4:14]) for path in folder.glob("wal-*.log") if int(path.name[4:14]) >= first)
    start = first or (numbers[0] if numbers else 0)
    need(numbers == list(range(start, start + len(numbers))) and (numbers or first == 0), "a log is missing")
    frames, next_seq = {}, last + 1
    for number in numbers:
        data = (folder / f"wal-{number:010}.log").read_bytes()
        check_preamble(data, b"W")
        owner, generation, first_seq, own_durable, salt, zero, crc = unpack("16sQQQQII", data, 32)
        need((owner, generation, zero) == (store, number, 0), "another log")
        need(crc == crc_at(store, number, 0xFFFFFFFC, 0, data[:84]), "header of a log")
        need(last < first_seq <= next_seq and (number > numbers[0] or first_seq == next_seq), "frames are missing")
        frames = {seq: frame for seq, frame in frames.items() if seq < first_seq}
        place = struct.pack("<16sQIQ", store, number, 0xFFFFFFFB, salt)
        next_seq, durable, at, closed = first_seq, max(durable, own_durable), 88, False
        while frame := frame_at(data, at, place):
            length, _crc, seq, mark, collection, kind, zero = frame
            own = kind >= 128
            need(not closed and zero == bytes(7), "a frame after the end, or not zero")
            need(seq == next_seq - own and mark <= seq - (not own), "a frame out of turn")
            need(not own or (kind <= 129 and length == 40), "an unknown frame")
            if not own:
                frames[seq] = (seq, collection, kind, data[at + 40 : at + length])
                next_seq += 1
            durable, closed, at = max(durable, mark), kind == 129, at + length + -length % 8
        need(not closed or at == len(data), "bytes after the end of the log")
        if number == numbers[-1]:
            need(durable < next_seq, "frames that were durable are missing")
            behind = (frame_at(data, later, place) for later in range(at + 8, len(data), 8))
            need(not any(frame and frame[3] >= next_seq for frame in behind), "frames are damaged")
    return [frames[seq] for seq in sorted(frames)]


def frame_at(data, at, place):
    if at + 40 > len(data):
        return None
    frame = unpack("IIQQQB7s", data, at)
    length, crc = frame[:2]
    end = at + length + -length % 8
    if not 40 <= length <= 64 << 20 or end > len(data):
        return None
    return frame if crc32c(place, struct.pack("<Q", at), data[at : at + 4], data[at + 8 : end]) == crc else None


def parts(seq, collection, kind, payload):
    """The batches of a frame: of one that is several, each of them."""
    if kind == 4:
        need(not payload and collection == 0, "a number with content")
        return
    if kind != 3:
        yield seq, collection, kind, payload
        return
    while payload:
        collection, kind, zero, length = unpack("QB7sQ", payload)
        need(kind in (1, 2) and zero == bytes(7) and 24 + length <= len(payload), "a part of a frame")
        yield seq, collection, kind, payload[24 : 24 + length]
        payload = payload[24 + length :]


def apply(records, seq, kind, payload, dim):
    need(kind in (1, 2), "an unknown batch")
    if kind == 2:
        for deleted in counted_ids(payload):
            records.pop(deleted, None)
        return
    rows, flags, id_bytes, metadata_bytes = unpack("IIQQ", payload)
    sizes = [24, 4 * rows * dim, id_bytes, metadata_bytes]
    ends = [sum(sizes[: i + 1]) for i in range(4)]
    need(ends[3] == len(payload) and flags in (0, 1), "a batch of another length")
    found = ids(payload[ends[1] : ends[2]], rows)
    cells = column(payload[ends[2] :], rows) if flags else [b""] * rows
    stored = vectors(payload[24 : ends[1]], rows, dim, "f32")
    records.update(zip(found, zip(stored, map(metadata, cells), [seq] * rows)))


def read(folder):
    folder = Path(folder)
    store = read_format(folder)
    manifest = read_manifest(folder, store)
    collections, by_id = {}, {}
    for collection in manifest["collections"]:
        records, dim = {}, collection["config"]["dim"]
        for pinned in collection["segments"]:
            sections, rows = read_segment(folder, store, collection, pinned)
            for deleted in counted_ids(sections[7]) if 7 in sections else []:
                records.pop(deleted, None)
            found = ids(sections[5], rows)
            cells = column(sections[6], rows) if 6 in sections else [b""] * rows
            written = versions(sections[8], rows)
            stored = vectors(sections[1], rows, dim, collection["config"]["dtype"])
            records.update(zip(found, zip(stored, map(metadata, cells), written)))
        collections[collection["name"]] = records
        by_id[collection["id"]] = records, dim, collection.get("applied_seq", 0)
    batches = (batch for frame in read_log(folder, store, manifest) for batch in parts(*frame))
    for seq, collection, kind, payload in batches:
        if seq > manifest.get("last_seq", 0) and collection in by_id:
            records, dim, applied = by_id[collection]
            if seq > applied:
                apply(records, seq, kind, payload, dim)
    return collections
