"""Small files: only plain ones of a size that fits, and JSON that is in order."""

import json
import os
import threading
import zipfile

import numpy as np
import pytest

from logan_tf import host_memory, small_files

NESTED = "[" * 100_000


def test_text_and_json(tmp_path):
    path = tmp_path / "file"
    path.write_text('{"é": [1, null]}', encoding="utf-8")
    assert small_files.read_bytes(path) == path.read_bytes()
    assert small_files.read_json(path) == {"é": [1, None]}
    path.write_bytes(b"\xff")
    assert small_files.read_text(path, errors="replace") == "\ufffd"
    with pytest.raises(ValueError, match="decode"):
        small_files.read_text(path)


def _pipe(path):
    os.mkfifo(path)


def _endless(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_pipe, _endless, os.mkdir])
def test_what_is_no_file_is_refused_at_once(make, tmp_path):
    make(tmp_path / "file")
    caught = []

    def read():
        with pytest.raises(OSError, match="no regular file") as error:
            small_files.read_bytes(tmp_path / "file")
        caught.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(timeout=5)
    assert caught


def test_arrays(tmp_path):
    path = tmp_path / "file.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.array("text"))
    found = small_files.read_arrays(path)
    assert (found["a"].tolist(), str(found["b"])) == ([0, 1, 2], "text")
    np.savez(path, a=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        small_files.read_arrays(path)


def test_arrays_that_memory_cannot_hold_are_not_begun(tmp_path, monkeypatch):
    """Four megabytes of zeros are four kilobytes of a file."""
    path = tmp_path / "file.npz"
    np.savez_compressed(path, a=np.zeros(500_000))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(host_memory, "available", lambda: 3e6)
    with pytest.raises(ValueError, match=r"would take 0\.0 GiB"):
        small_files.read_arrays(path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 no zip"])
def test_what_is_no_npz(content, tmp_path):
    (tmp_path / "file.npz").write_bytes(content)
    with pytest.raises((*small_files.GARBLED, EOFError, zipfile.BadZipFile)):
        small_files.read_arrays(tmp_path / "file.npz")


def test_a_file_that_is_too_large(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert small_files.read_bytes(tmp_path / "file", most=5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        small_files.read_bytes(tmp_path / "file", most=4)


@pytest.mark.parametrize("text", ["", "{", NESTED, "NaN", "[-Infinity]", "9" * 5000])
def test_no_json(text):
    with pytest.raises(ValueError):  # noqa: PT011  Whatever the parser says.
        small_files.parse(text)


@pytest.mark.parametrize("value", ["1", None, True, [1], 10**400, 1e999])
def test_no_number(value):
    with pytest.raises(small_files.GARBLED):
        small_files.require_kinds({"n": value}, {"n": float})
    with pytest.raises(small_files.GARBLED):
        small_files.require_numbers([1, value])


def test_kinds():
    fields = json.loads('{"a": 1, "b": null, "c": "x", "d": true, "e": 0.5}')
    kinds = {"a": float, "b": int | None, "c": str, "d": bool, "e": float | None}
    small_files.require_kinds(fields, kinds)
    for name, kind in (("c", int), ("e", int), ("d", int), ("a", str), ("f", int)):
        with pytest.raises(small_files.GARBLED):
            small_files.require_kinds(fields, {name: kind})
