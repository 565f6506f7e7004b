#!/usr/bin/python3
"""Verifies what a ledger signed, from the specifications and without any of its code.

    audit_verifier.py KEY FILE...       exit status 1 unless all of it holds

KEY is the line that `dianactl audit key` prints. A file is a checkpoint (c2sp.org/tlog-checkpoint), a receipt of an
event (c2sp.org/tlog-proof), or the growth from one tree size to another (the body of c2sp.org/tlog-witness), which needs
a file with a checkpoint of the older size beside it. Hashes and proofs are those of RFC 9162, section 2.1.
"""

import base64
import hashlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def leaf(event):
    return hashlib.sha256(b"\x00" + event).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n):
    """The largest power of two below n."""
    return 1 << ((n - 1).bit_length() - 1)


def root_of_leaf(leaf_hash, index, size, path):
    """The root that the path leads to; its last hash is the sibling nearest to the root."""
    if size == 1:
        return leaf_hash
    k, sibling = split(size), path.pop()
    if index < k:
        return node(root_of_leaf(leaf_hash, index, k, path), sibling)
    return node(sibling, root_of_leaf(leaf_hash, index - k, size - k, path))


def roots_of_growth(old_root, old, new, path, whole=True):
    """The roots of both sizes that the path leads to."""
    if old == new:
        same = old_root if whole else path.pop()
        return same, same
    k, sibling = split(new), path.pop()
    if old <= k:
        before, after = roots_of_growth(old_root, old, k, path, whole)
        return before, node(after, sibling)
    before, after = roots_of_growth(old_root, old - k, new - k, path, False)
    return node(sibling, before), node(sibling, after)


def open_note(note, key):
    """(size, root) of a checkpoint that the key signed."""
    name, key_id, public = key.strip().split("+", 2)
    public = base64.b64decode(public, validate=True)
    assert public[0] == 1, "the key is no Ed25519 key"
    assert hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == key_id, "the key's id is not its own"
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    ours = [line.split(" ")[2] for line in signatures.splitlines() if line.startswith("\u2014 %s " % name)]
    signed = [base64.b64decode(s, validate=True) for s in ours]
    signed = [s[4:] for s in signed if s[:4].hex() == key_id]
    assert signed, "not signed by the key"
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signed[0], text.encode())
    origin, size, root = text.splitlines()[:3]
    assert origin == name, "a checkpoint of another ledger"
    return int(size), base64.b64decode(root, validate=True)


def verify(files, key):
    """files: {name: text}. Yields a line for each that holds; whatever else is raised is why one does not."""
    parts = {}
    for name, text in files.items():
        proof, note = text.split("\n\n", 1) if text.startswith(("c2sp.org/tlog-proof@v1\n", "old ")) else ("", text)
        parts[name] = proof.splitlines(), open_note(note, key)
    known = dict(head for _, head in parts.values())
    for name, (lines, (size, root)) in parts.items():
        if not lines:
            yield "%s: a checkpoint of %d events" % (name, size)
        elif lines[0].startswith("old "):
            old, path = int(lines[0][4:]), [base64.b64decode(line, validate=True) for line in lines[1:]]
            assert old <= size, "it shrank"
            assert old == 0 or roots_of_growth(known[old], old, size, path) == (known[old], root), "grew otherwise"
            assert not path, "hashes are left over"
            yield "%s: from %d events to %d" % (name, old, size)
        else:
            event, index = base64.b64decode(lines[1].split(" ")[1], validate=True), int(lines[2].split(" ")[1])
            path = [base64.b64decode(line, validate=True) for line in lines[3:]]
            assert index < size, "beyond the tree"
            assert root_of_leaf(leaf(event), index, size, path) == root, "the event is not in the tree"
            assert not path, "hashes are left over"
            yield "%s: event %d is among %d" % (name, index + 1, size)


def read_files(names):
    files = {}
    for name in names:
        with open(name, encoding="utf-8", newline="") as f:
            files[name] = f.read()
    return files


def main(key, *names):
    for line in verify(read_files(names), key):
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
