#!/usr/bin/python3
"""Reads exports of a ledger, from docs/export-format.md and without any of its code.

    export_reader.py FILE       exit status 1 unless it is whole and its events have the root that it says

Hashed are an event's stored bytes: in MessagePack that is the event, in NDJSON its `raw` (dianactl export --raw).
Hashes are those of RFC 9162, section 2.1. A packed file is unpacked before (zstd -d).
"""

import base64
import hashlib
import json
import sys

import msgpack

from audit_verifier import leaf, node


class Tree:
    """The roots of the full subtrees that the leaves fall into from the left, with their sizes."""

    def __init__(self):
        self.peaks = []

    def add(self, hashed):
        size = 1
        while self.peaks and self.peaks[-1][0] == size:
            hashed = node(self.peaks.pop()[1], hashed)
            size *= 2
        self.peaks.append((size, hashed))

    def root(self):
        if not self.peaks:
            return hashlib.sha256().digest()
        hashed = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            hashed = node(left, hashed)
        return hashed


def records(content):
    """(record, stored bytes of the event, or None) one after the other."""
    if content[:1] == b"{":
        for line in content.decode("utf-8").splitlines():
            record = json.loads(line)
            raw = record.get("raw")
            yield record, base64.b64decode(raw, validate=True) if raw is not None else None
    else:
        unpacker = msgpack.Unpacker(raw=False, max_buffer_size=0, strict_map_key=False)
        unpacker.feed(content)
        at = 0
        for record in unpacker:
            end = unpacker.tell()
            yield record, content[at:end] if isinstance(record, list) else None
            at = end


def read(path):
    """(header, [stored bytes of an event], root); whatever else is raised is why it is no good."""
    tree, events, last = Tree(), [], None
    with open(path, "rb") as f:
        stream = records(f.read())
    header, _ = next(stream)
    assert header["record"] == "header" and header["format"] == "diana-ledger-export", "no export"
    assert header["version"] == 1, "a version that is not known"
    for record, stored in stream:
        assert last is None or last["record"] != "trailer", "something follows the trailer"
        if isinstance(record, list) or "record" not in record:
            assert stored is not None, "the line has no raw: export it with --raw"
            tree.add(leaf(stored))
            events.append(stored)
            continue
        last = record
        assert record["record"] in ("root", "trailer"), record
        assert record["count"] == len(events), "events are missing"
        assert base64.b64decode(record["root"], validate=True) == tree.root(), "events were changed"
    assert last is not None and last["record"] == "trailer", "it was cut off"
    if header["checkpoint"] is not None:
        _, size, root = header["checkpoint"].splitlines()[:3]
        assert (int(size), base64.b64decode(root)) == (len(events), tree.root()), "not what the header has signed"
    return header, events, tree.root()


def main(path):
    header, events, root = read(path)
    print("%d events of %s, root %s" % (len(events), header["origin"], base64.b64encode(root).decode()))


if __name__ == "__main__":
    main(*sys.argv[1:])
