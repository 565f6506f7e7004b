"""Looking into and changing a stored log as one could who has its files: LMDB and the format (docs/log-format.md), and none of our code.

The log must not be open. Tables are read and written whole, which is enough for the logs of tests.
"""

import contextlib
import ctypes
import hashlib
import os
import struct

import msgpack

NEXT = 8  # MDB_NEXT
RDONLY = 0x20000  # MDB_RDONLY
HEAD, ENTRY = 120, 16
RAW, ZSTD = 0, 1


class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]

    @classmethod
    def of(cls, data):
        return cls(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p))

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


lmdb = ctypes.CDLL("liblmdb.so.0")
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_getFrameContentSize.restype = ctypes.c_uint64
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
ref = ctypes.byref


def must(rc):
    if rc != 0:
        raise OSError("LMDB: %d" % rc)


def read_table(txn, dbi):
    cursor, key, val, rows = ctypes.c_void_p(), Val(), Val(), {}
    must(lmdb.mdb_cursor_open(txn, dbi, ref(cursor)))
    while lmdb.mdb_cursor_get(cursor, ref(key), ref(val), NEXT) == 0:
        rows[key.bytes()] = val.bytes()
    lmdb.mdb_cursor_close(cursor)
    return rows


@contextlib.contextmanager
def tables(data, *names, of="log"):
    """The tables as dicts of bytes; what they are in the end is written. of: log, or views."""
    path = os.path.join(data, of).encode()
    env, txn, dbis = ctypes.c_void_p(), ctypes.c_void_p(), []
    must(lmdb.mdb_env_create(ref(env)))
    must(lmdb.mdb_env_set_maxdbs(env, 8))
    must(lmdb.mdb_env_set_mapsize(env, ctypes.c_size_t(1 << 30)))
    must(lmdb.mdb_env_open(env, path, 0, 0o600))
    must(lmdb.mdb_txn_begin(env, None, 0, ref(txn)))
    for name in names:
        dbis.append(ctypes.c_uint())
        must(lmdb.mdb_dbi_open(txn, name.encode(), 0, ref(dbis[-1])))
    rows = [read_table(txn, dbi) for dbi in dbis]
    yield rows
    for dbi, table in zip(dbis, rows):
        must(lmdb.mdb_drop(txn, dbi, 0))
        for key in sorted(table):
            must(lmdb.mdb_put(txn, dbi, ref(Val.of(key)), ref(Val.of(table[key])), 0))
    must(lmdb.mdb_txn_commit(txn))
    lmdb.mdb_env_close(env)


def reader_pids(data):
    """Processes with a place in the log's table of readers; the daemon may run."""
    env, lines = ctypes.c_void_p(), []
    take = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda line, _: lines.append(line) or 0)
    must(lmdb.mdb_env_create(ref(env)))
    must(lmdb.mdb_env_open(env, os.path.join(data, "log").encode(), RDONLY, 0o600))
    lmdb.mdb_reader_list(env, take, None)
    lmdb.mdb_env_close(env)
    return [int(line.split()[0]) for line in b"".join(lines).splitlines()[1:]]


def checksum(data):
    return struct.pack(">Q", xxhash.XXH3_64bits(data, len(data)))


def decompress(frame):
    size = zstd.ZSTD_getFrameContentSize(frame, ctypes.c_size_t(len(frame)))
    out = ctypes.create_string_buffer(size)
    assert zstd.ZSTD_decompress(out, size, frame, len(frame)) == size
    return out.raw


class Block:
    """A block, raw or sealed, with its events; value() is always raw."""

    def __init__(self, value):
        self.head = bytearray(value[:HEAD])
        self.per_group = struct.unpack_from(">H", value, 6)[0]
        self.first = struct.unpack_from(">Q", value, 8)[0]
        n = struct.unpack_from(">I", value, 104)[0]
        self.groups = -(-n // self.per_group)
        self.last = self.first + n - 1
        groups = value[HEAD + ENTRY * self.groups + 8 :]
        self.events = list(self.split(groups) if value[5] == RAW else self.unpack(value, groups))
        assert len(self.events) == n

    def unpack(self, value, groups):
        assert value[5] == ZSTD
        begin, seq = 0, self.first
        for g in range(self.groups):
            end, unpacked = struct.unpack_from(">II", value, HEAD + ENTRY * g)
            events = list(self.split(decompress(groups[begin:end]), seq))
            assert len(self.join(events)) == unpacked
            yield from events
            begin, seq = end, seq + self.per_group

    @staticmethod
    def split(data, seq=None):
        """seq: that of the first event, where the events lack theirs."""
        at = 0
        while at < len(data):
            length = shift = 0
            while True:
                byte = data[at]
                at += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if seq is None:
                yield data[at : at + length]
                at += length
                continue
            number = msgpack.packb(seq)
            head = at + (3 if data[at + 1] == 0xCC else 2)
            end = at + length - len(number)
            yield data[at:head] + number + data[head:end]
            at, seq = end, seq + 1

    @staticmethod
    def join(events):
        out = bytearray()
        for event in events:
            n = len(event)
            while n >= 0x80:
                out.append(n & 0x7F | 0x80)
                n >>= 7
            out.append(n)
            out += event
        return bytes(out)

    def value(self):
        """As it would be stored, every checksum right."""
        index, groups = b"", b""
        for at in range(0, len(self.events), self.per_group):
            group = self.join(self.events[at : at + self.per_group])
            groups += group
            index += struct.pack(">II", len(groups), len(group)) + checksum(group)
        self.head[5] = RAW
        struct.pack_into(">II", self.head, 108, len(groups), len(groups))
        covered = bytes(self.head) + index
        return covered + checksum(covered) + groups


class Tree:
    """The peaks of a growing tree."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def add(self, event):
        h = hashlib.sha256(b"\x00" + event).digest()
        carry = self.size
        while carry & 1:
            h = hashlib.sha256(b"\x01" + self.peaks.pop() + h).digest()
            carry >>= 1
        self.peaks.append(h)
        self.size += 1

    def root(self):
        h = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            h = hashlib.sha256(b"\x01" + peak + h).digest()
        return h

    def tail_row(self):
        row = b"DLTL\x01\0\0\0" + struct.pack(">Q", self.size) + b"".join(self.peaks)
        return row + checksum(row)


def key(seq):
    return struct.pack(">Q", seq)


def holder(blocks, seq):
    """The key of the block that holds it."""
    return min(k for k in blocks if k >= key(seq))


def flip(data, seq, offset):
    """A bit of the block that holds seq."""
    with tables(data, "blocks") as (blocks,):
        k = holder(blocks, seq)
        value = bytearray(blocks[k])
        value[offset] ^= 0x10
        blocks[k] = bytes(value)


def drop(data, seq):
    """The block that holds seq."""
    with tables(data, "blocks") as (blocks,):
        del blocks[holder(blocks, seq)]


def swap(data, a, b):
    """The blocks that hold a and b."""
    with tables(data, "blocks") as (blocks,):
        x, y = holder(blocks, a), holder(blocks, b)
        blocks[x], blocks[y] = blocks[y], blocks[x]


def rewrite(data, seq, change, roots=False):
    """change() of the events of the block that holds seq, with checksums made right; roots: all roots behind as well."""
    with tables(data, "blocks", "tail") as (blocks, tail):
        k, tree = holder(blocks, seq), Tree()
        for each in sorted(blocks):
            block = Block(blocks[each])
            if each == k:
                change(block.events, seq - block.first)
            for event in block.events:
                tree.add(event)
            if roots:
                block.head[72:104] = tree.root()
            blocks[each] = block.value()
        if roots:
            tail[b"tail"] = tree.tail_row()


def cut(data, seq):
    """All blocks behind the one that holds seq, with a tail row that is right."""
    with tables(data, "blocks", "tail") as (blocks, tail):
        last, tree = holder(blocks, seq), Tree()
        for each in sorted(blocks):
            if each > last:
                del blocks[each]
                continue
            for event in Block(blocks[each]).events:
                tree.add(event)
        tail[b"tail"] = tree.tail_row()
