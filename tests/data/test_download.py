"""Downloads from a local server: right and wrong files, failing mirrors, interruptions, bombs."""

import bz2
import errno
import gzip
import hashlib
import importlib
import lzma
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import zlib
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import unwrap
from pathlib import Path

import numpy as np
import pytest
from test_data import RECORD, write_mnist

from fcnn.data import DataError, cifar, download, load
from fcnn.data.known_files import KNOWN_FILES, Download, KnownFile

module = importlib.import_module("fcnn.data.download")
IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


class Server(ThreadingHTTPServer):
    """A mirror of `files`. `answers` replaces the answer for a file by a function of a handler."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.answers, self.requests = files, {}, Counter()
        self.end = threading.Event()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        name = self.path.removeprefix("/")
        self.server.requests[name] += 1
        content = self.server.files[name]
        self.server.answers.get(name, send)(self, content)

    def log_message(self, *_):
        pass


def send(handler, content, announced=None):
    """Send `content`; the header announces as many bytes, or `announced`."""
    handler.send_response(200)
    if announced != "nothing":
        handler.send_header("Content-Length", str(announced or len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def stall(handler, content):
    """Send half of the file, then nothing until the test ends."""
    send(handler, content[: len(content) // 2], len(content))
    handler.server.end.wait(20)


def endless(handler, content):
    """Send the file, and then zeros until the connection is closed."""
    send(handler, content, "nothing")
    try:
        while not handler.server.end.is_set():
            handler.wfile.write(bytes(2**16))
    except OSError:
        pass


@contextmanager
def serving(files):
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.end.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def mirrors(tmp_path, monkeypatch):
    """Two mirrors of a small MNIST, whose files are the known files of mnist."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = write_mnist(tmp_path / "served")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with serving(files) as first, serving(files) as second:
        known = tuple(KnownFile(k, len(v), sha256(v)) for k, v in sorted(files.items()))
        monkeypatch.setitem(KNOWN_FILES, "mnist", Download((first.url, second.url), known))
        yield first, second


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_missing_files_are_fetched_once_and_read(mirrors, tmp_path):
    first, second = mirrors
    folder = download("mnist", tmp_path)
    assert folder == tmp_path / "mnist"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first.files
    assert (folder / IMAGES).stat().st_mode & 0o777 == 0o666 & ~umask()
    np.testing.assert_array_equal(load("mnist", tmp_path).train.y, [0, 2, 4, 6, 8, 9])
    assert download("mnist", str(tmp_path)) == folder
    load("mnist", tmp_path, download=True)
    assert first.requests == dict.fromkeys(first.files, 1)
    assert not second.requests


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_only_missing_and_damaged_files_are_fetched_again(mirrors, tmp_path):
    first, _ = mirrors
    folder = download("mnist", tmp_path)
    first.requests.clear()
    (folder / LABELS).unlink()
    (folder / IMAGES).write_bytes(first.files[IMAGES][:-1])
    flipped = bytearray(first.files["train-labels-idx1-ubyte.gz"])
    flipped[4] ^= 1  # the time in the gzip header, which changes no pixel
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(flipped)
    download("mnist", tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first.files
    assert first.requests == dict.fromkeys([LABELS, IMAGES, "train-labels-idx1-ubyte.gz"], 1)


def test_load_fetches_only_if_the_data_set_cannot_be_read(mirrors, tmp_path):
    first, _ = mirrors
    write_mnist(tmp_path / "MNIST" / "raw", zipped=False)
    load("mnist", tmp_path, download=True)
    assert not first.requests
    (tmp_path / "MNIST" / "raw" / LABELS.removesuffix(".gz")).write_bytes(b"torn")
    load("mnist", tmp_path, download=True)
    assert first.requests == dict.fromkeys(first.files, 1)


ANSWERS = {
    "404": (lambda h, _: h.send_error(404), "HTTP status 404"),
    "500": (lambda h, _: h.send_error(500), "HTTP status 500"),
    "wrong": (lambda h, content: send(h, bytes(len(content))), "wrong sha256"),
    "truncated": (lambda h, content: send(h, content[:30], len(content)), "truncated: 30 of {}"),
    "short": (lambda h, content: send(h, content[:30]), "truncated: 30 of {}"),
    "empty": (lambda h, content: send(h, b"", "nothing"), "truncated: 0 of {}"),
    "long": (lambda h, content: send(h, content + b"x"), "more than {}"),
    "endless": (endless, "more than {}"),
    "stall": (stall, "timeout"),
    "no answer": (lambda h, _: h.server.end.wait(20), "timeout"),
    "no http": (lambda h, _: h.wfile.write(b"\0" * 50), "not reachable"),
    "loop": (
        lambda h, _: [
            h.send_response(302),
            h.send_header("Location", h.path),
            h.send_header("Content-Length", "0"),
            h.end_headers(),
        ],
        "invalid response",
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_bad_answer_of_a_mirror_is_named_and_the_next_mirror_is_tried(
    mirrors, tmp_path, monkeypatch, kind
):
    answer, reason = ANSWERS[kind]
    if reason == "timeout":
        monkeypatch.setattr(module, "STALL_SECONDS", 0.1)
    first, second = mirrors
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / IMAGES).write_bytes(b"torn")
    for server in mirrors:
        server.answers[IMAGES] = answer
    with pytest.raises(DataError) as caught:
        download("mnist", tmp_path)
    reason = reason.format(f"{len(first.files[IMAGES]):,} bytes")
    assert str(caught.value) == (
        f"mnist: {IMAGES} cannot be fetched ({first.host}: {reason}; {second.host}: {reason}); "
        f"get it in another way and put the file into {folder}"
    )
    assert names(folder) == [IMAGES]
    assert (folder / IMAGES).read_bytes() == b"torn"
    second.answers.clear()
    download("mnist", tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first.files


def test_an_unreachable_mirror_is_named(mirrors, tmp_path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        one = Download((url,), KNOWN_FILES["mnist"].files)
        monkeypatch.setitem(KNOWN_FILES, "mnist", one)
        with pytest.raises(DataError, match=r"fetched \(127.0.0.1:\d+: not reachable\); get it in"):
            download("mnist", tmp_path)
    assert names(tmp_path / "mnist") == []


def test_the_memory_of_an_endless_answer_is_bounded(mirrors, tmp_path):
    for server in mirrors:
        server.answers[IMAGES] = endless
    tracemalloc.start()
    with pytest.raises(DataError, match="more than"):
        download("mnist", tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def test_an_interruption_leaves_no_partial_file(mirrors, tmp_path, monkeypatch):
    def interrupted(*_):
        assert any(name.startswith(f".{IMAGES}.") for name in names(tmp_path / "mnist"))
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Limited, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path)
    assert names(tmp_path / "mnist") == []


CHILD = """
import sys
from fcnn.data import download, known_files
name, size, sha256, url, folder = sys.argv[1:]
file = known_files.KnownFile(name, int(size), sha256)
known_files.KNOWN_FILES["mnist"] = known_files.Download((url,), (file,))
download("mnist", folder)
"""


def test_the_next_call_removes_the_temporary_file_of_a_killed_process(mirrors, tmp_path):
    first, _ = mirrors
    first.answers[IMAGES] = stall
    content, folder = first.files[IMAGES], tmp_path / "mnist"
    file = [IMAGES, str(len(content)), sha256(content), first.url, str(tmp_path)]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *file])
    deadline = time.monotonic() + 60
    while not (folder.is_dir() and names(folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    waiting = threading.Thread(target=download, args=("mnist", tmp_path))
    waiting.start()  # the lock of the child keeps its temporary file from being removed
    waiting.join(0.2)
    assert waiting.is_alive()
    (temporary,) = names(folder)
    assert temporary.startswith(f".{IMAGES}.")
    first.answers.clear()
    child.send_signal(signal.SIGKILL)
    child.wait()
    waiting.join()
    assert names(folder) == sorted(first.files)


def test_two_downloads_at_once_fetch_each_file_once(mirrors, tmp_path):
    first, _ = mirrors
    threads = [threading.Thread(target=download, args=("mnist", tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first.requests == dict.fromkeys(first.files, 1)
    assert names(tmp_path / "mnist") == sorted(first.files)


@pytest.mark.parametrize("lock", ["works", "fails"])
def test_without_a_lock_other_temporary_files_stay(mirrors, tmp_path, monkeypatch, lock):
    folder = download("mnist", tmp_path)
    (folder / f".{LABELS}.1.part").touch()
    (folder / ".mine.part").touch()
    if lock == "fails":
        monkeypatch.setattr("fcntl.flock", lambda *_: os.open("/nowhere", os.O_RDONLY))
    download("mnist", tmp_path)
    left = {"works": [".mine.part"], "fails": [".mine.part", f".{LABELS}.1.part"]}
    assert [name for name in names(folder) if name.startswith(".")] == left[lock]


def failing(code):
    """A function that fails with the error `code` of the system, on any path."""

    def fail(path=None, *_, **__):
        raise OSError(code, os.strerror(code), str(path))

    return fail


def test_a_folder_that_cannot_be_written_is_named(mirrors, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    error = rf"^mnist: {tmp_path}/file/mnist: cannot be written \(Not a directory\); give another"
    with pytest.raises(DataError, match=error):
        download("mnist", tmp_path / "file")
    (tmp_path / "mnist" / IMAGES).mkdir(parents=True)
    error = rf"^mnist: {tmp_path}/mnist/{IMAGES}: cannot be written \(Is a directory\); give"
    with pytest.raises(DataError, match=error):
        download("mnist", tmp_path)
    assert names(tmp_path / "mnist") == [IMAGES]


def test_a_read_only_folder_is_named_unless_its_files_are_right(mirrors, tmp_path, monkeypatch):
    folder = download("mnist", tmp_path)
    with monkeypatch.context() as read_only:
        read_only.setattr(os, "mkdir", failing(errno.EROFS))
        assert download("mnist", tmp_path) == folder
        with pytest.raises(DataError, match=r"other/mnist: cannot be written \(Read-only file sy"):
            download("mnist", tmp_path / "other")
    (folder / LABELS).unlink()
    monkeypatch.setattr(Path, "open", failing(errno.EACCES))
    with pytest.raises(DataError, match=r"part: cannot be written \(Permission denied\); give an"):
        download("mnist", tmp_path)


def test_a_full_disk_leaves_no_partial_file(mirrors, tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\); give"):
        download("mnist", tmp_path)
    assert names(tmp_path / "mnist") == []


def test_names_without_a_download_are_rejected(tmp_path):
    with pytest.raises(DataError, match=r'^digits: needs no download; write fcnn.data.load\("d'):
        download("digits", tmp_path)
    with pytest.raises(DataError, match=r"^unknown data set 'minst'; .*did you mean mnist\?$"):
        download("minst", tmp_path)
    with pytest.raises(TypeError, match=r"^load: download 'yes' must be"):
        unwrap(load)("mnist", tmp_path, download="yes")
    assert names(tmp_path) == []


def test_a_missing_package_is_named(mirrors, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"^download: needs pooch; write pip install .*\[train\]"):
        download("mnist", tmp_path)
    assert names(tmp_path / "mnist") == []


def test_the_environment_and_the_cache_folder_replace_data_dir(mirrors, tmp_path, monkeypatch):
    first, _ = mirrors
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FCNN_DATA", str(tmp_path / "data"))
    assert download("mnist") == tmp_path / "data" / "mnist"
    monkeypatch.delenv("FCNN_DATA")
    with pytest.raises(DataError, match="no data directory"):
        load("mnist")
    assert len(load("mnist", download=True).train.y) == 6
    assert names(tmp_path / "cache" / "fcnn" / "data" / "mnist") == sorted(first.files)
    assert len(load("mnist").train.y) == 6
    with pytest.raises(DataError, match=r"data/cifar-10-batches-bin: no such .* download=True \("):
        load("cifar10")
    for function in (load, download):
        with pytest.raises(DataError, match=r"^~no-such-user/data: no such user; give another"):
            function("mnist", "~no-such-user/data")


def test_without_a_home_folder_data_dir_is_needed(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("FCNN_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for function in (load, download):
        with pytest.raises(DataError, match=r"^there is no home folder; give another data_dir"):
            function("mnist")


@pytest.mark.parametrize("name", KNOWN_FILES)
def test_known_files_are_plausible(name):
    """Their checksums were compared with the files by hand; this finds a slip of the pen."""
    mirrors, files = KNOWN_FILES[name]
    assert len({file.name for file in files}) == len({file.sha256 for file in files}) == len(files)
    for file in files:
        assert file.size > 4000
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
    for mirror in mirrors:
        assert re.fullmatch(r"https?://[a-z0-9.-]+/([\w~.-]+/)*", mirror)
    assert mirrors[0].startswith("https:")


def member(name, content=b"", kind=tarfile.REGTYPE, *, size=None, target=""):
    """One member of a tar archive; its header announces `size` bytes."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content) if size is None else size, target
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def archive(folder, *members):
    (folder / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(b"".join(members), 1))


BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]


def test_paths_and_links_of_an_archive_have_no_effect(tmp_path):
    """Batches are found by their names. Nothing is written, and no link is followed."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    outside = tmp_path / "data_batch_1.bin"
    record = bytes([3]) + bytes(RECORD - 1)
    paths = ["../../", f"{tmp_path}/", "/", "../", "./", ""]
    members = [member(p + name, record) for p, name in zip(paths, BATCHES, strict=True)]
    archive(folder, *members, bytes(1024))
    np.testing.assert_array_equal(load("cifar10", folder).train.y, [3] * 5)
    outside.write_bytes(record)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
        link = member("x/data_batch_1.bin", record, kind, target=str(outside))
        archive(folder, link, *members[1:])
        with pytest.raises(DataError, match=r"does not contain cifar-10-batches-bin/data_batch_1"):
            load("cifar10", folder)
    assert sorted(tmp_path.rglob("*")) == sorted(
        [tmp_path / "a", folder, folder / "cifar-10-binary.tar.gz", outside]
    )


ZEROS = zlib.compressobj(9, zlib.DEFLATED, 31)
ZEROS = b"".join([*(ZEROS.compress(bytes(2**20)) for _ in range(40)), ZEROS.flush()])  # 40 MB
BOMBS = {
    "batch": ([member(BATCHES[0], size=2**33)], "holds over 307,300,000 bytes, more than CIFAR"),
    "other member": ([member("large", size=2**33)], "holds over 307,300,000 bytes"),
    "long name": ([member("././@LongLink", kind=b"L", size=2**33)], "holds over 307,300,000 by"),
    "pax header": ([member("x", kind=b"x", size=2**33)], "holds over 307,300,000 bytes"),
    "nested headers": ([member("x", b"a", kind=b"L")] * 1200, "does not contain"),
    "negative size": ([member(BATCHES[0], size=-(2**33))], r"data_batch_1|cannot be read \("),
    "truncated batch": ([member(BATCHES[0], size=2**16)[:600]], r"\(ends too early\)"),
    "truncated member": ([member("other", size=2**16)], r"\(ends too early\)"),
    "truncated header": ([member("other")[:300]], r"cannot be read \(truncated header\)"),
    "damaged header": ([b"x" * 512], r"cannot be read \(bad checksum\)|invalid header"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_in_an_archive_are_rejected_in_one_line_and_with_little_memory(tmp_path, bomb):
    """Each archive continues with 40 MB of zeros, in 40 kB."""
    members, message = BOMBS[bomb]
    path = tmp_path / "cifar-10-binary.tar.gz"
    zeros = b"" if "truncated" in bomb else ZEROS
    path.write_bytes(gzip.compress(b"".join(members), 1) + zeros)
    tracemalloc.start()
    with pytest.raises(DataError, match=f"^{path}: .*{message}") as caught:
        load("cifar10", tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_the_bytes_of_an_archive_are_limited_in_total(tmp_path, monkeypatch):
    assert 60_000 * RECORD < cifar.LARGEST_ARCHIVE
    monkeypatch.setattr(cifar, "LARGEST_ARCHIVE", 10**7)
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(gzip.compress(member("a", bytes(6 * 10**6)) * 2, 1))
    with pytest.raises(DataError, match="holds over 10,000,000 bytes, more than CIFAR-10; is it"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_other_compression_of_an_archive_is_rejected(tmp_path, pack):
    """`tarfile` decompresses 10 kB of bzip2 at a time, which may hold gigabytes of zeros."""
    path = tmp_path / "cifar-10-binary.tar.gz"
    for content in (pack(member("a", bytes(1000))), gzip.compress(pack(member("a")))):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot be read: it is packed by (xz|bzip2); unpack"):
            load("cifar10", tmp_path)
