"""Download of the missing files of a data set, whose sizes and checksums are known.

A file appears under its name only when its size and its sha256 are right. Until then its bytes are
in a hidden temporary file of the same folder. A killed process leaves that file, and the next call
removes it. A lock on the folder protects the temporary file of a process that still runs, and
lets the processes of one machine fetch a file once. Where folders cannot be locked, as on Windows,
each process fetches the file, and the temporary file of a killed process stays.

The mirrors of `known_files` are tried in turn. A mirror is given up at the first byte beyond the
known size, and if it is silent for too long.
"""

import os
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from fcnn.data.data_dir import chosen_folder
from fcnn.data.dataset import DataError, require_name
from fcnn.data.known_files import KNOWN_FILES, KnownFile
from fcnn.data.locked import locked
from fcnn.installation import install

CONNECT_SECONDS = 10  # longest wait for a connection
STALL_SECONDS = 30  # longest wait for the next bytes
CHUNK = 2**16  # bytes written at a time
TEMPORARY = ".part"


def download(name: str, data_dir: str | Path | None = None) -> Path:
    """Fetch the files of a data set that are missing, and return their folder.

    `fcnn.data.load(name, data_dir)` reads this folder, `data_dir`/`name`. A file that is already
    there is fetched again if its size or sha256 is wrong. Nothing is unpacked.

    The mirrors are those of 2026-11. The checksums, not the mirrors, decide which file is accepted.

    Shapes: none.
    Options:
        name: "mnist", "fashion_mnist" or "cifar10".
        data_dir: folder of the data sets. If None, it is the environment variable FCNN_DATA, or
            fcnn/data in $XDG_CACHE_HOME or ~/.cache.
    Raises: DataError, a ValueError, for "digits" and for an unknown name, if the folder cannot be
            written, or if no mirror serves a file. Then its message is one line with the reason for
            each mirror. Files that were fetched before stay.
    Cost:   bytes to fetch: 11.6 MB for mnist, 30.9 MB for fashion_mnist, 170.1 MB for cifar10. The
            sha256 of existing files is computed each time, at about 1 GB per second. A mirror may
            take 10 s to connect, and 30 s between bytes.
    Source: the mirrors and checksums are listed in fcnn/data/known_files.py with their sources.

    >>> fcnn.data.download("digits")
    Traceback (most recent call last):
    fcnn.data.dataset.DataError: digits: needs no download; write fcnn.data.load("digits")
    """
    require_name(name)
    if name not in KNOWN_FILES:
        raise DataError(f'{name}: needs no download; write fcnn.data.load("{name}")')
    mirrors, files = KNOWN_FILES[name]
    folder = chosen_folder(data_dir) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, wait=True) as held:
            for file in files:
                for path in folder.glob(f".{file.name}.*{TEMPORARY}") if held else ():
                    path.unlink()
                if not _is_right(folder / file.name, file):
                    _fetch(name, file, mirrors, folder)
    except OSError as error:
        where, why = error.filename2 or error.filename or folder, error.strerror or error
        raise DataError(
            f"{name}: {where}: cannot be written ({why}); give another data_dir (--data-dir)"
        ) from None
    return folder


def _is_right(path: Path, file: KnownFile) -> bool:
    """Whether the file can be read, and has the known size and sha256."""
    try:
        if not path.is_file() or path.stat().st_size != file.size:
            return False
        with path.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _fetch(name: str, file: KnownFile, mirrors: tuple[str, ...], folder: Path) -> None:
    """The file from the first mirror that serves it right, under its name in `folder`."""
    failures = []
    for mirror in mirrors:
        temporary = folder / f".{file.name}.{uuid4().hex}{TEMPORARY}"
        try:
            failure = _receive(mirror + file.name, temporary, file)
            if not failure:
                os.replace(temporary, folder / file.name)
                return
        finally:
            temporary.unlink(missing_ok=True)
        failures.append(f"{urlsplit(mirror).netloc}: {failure}")
    raise DataError(
        f"{name}: {file.name} cannot be fetched ({'; '.join(failures)}); get it in another way and "
        f"put the file into {folder}"
    )


def _receive(url: str, path: Path, file: KnownFile) -> str:
    """Write the content of `url` to `path`; return what is wrong with it, or ""."""
    try:
        from pooch import HTTPDownloader
        from requests.exceptions import ChunkedEncodingError, RequestException
    except ImportError:
        raise DataError(f"download: needs pooch; write {install('train')}") from None
    responses = []  # the last one is not a redirect
    fetch = HTTPDownloader(
        chunk_size=CHUNK,
        timeout=(CONNECT_SECONDS, STALL_SECONDS),
        headers={"Accept-Encoding": "identity"},  # the bytes of the file as they are
        hooks={"response": lambda response, **_: responses.append(response)},
    )
    with path.open("xb") as stream:
        try:
            fetch(url, _Limited(stream, file.size), None)
        except _LimitError:
            return f"more than {file.size:,} bytes"
        except ChunkedEncodingError:
            pass  # the connection ended early: the file is truncated
        except RequestException as error:
            return _short(error)
        finally:
            for response in responses:
                response.close()
        received = max(stream.tell(), responses[-1].raw.tell())
        stream.flush()
        os.fsync(stream.fileno())
    if received < file.size:
        return f"truncated: {received:,} of {file.size:,} bytes"
    return "" if _is_right(path, file) else "wrong sha256"


def _short(error: Exception) -> str:
    """The reason of a failed request in a few words."""
    from requests.exceptions import ConnectionError, HTTPError, SSLError

    if isinstance(error, HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if "timed out" in str(error):  # while connecting or reading, in several classes
        return "timeout"
    if isinstance(error, SSLError):
        return "no trusted certificate"
    return "not reachable" if isinstance(error, ConnectionError) else "invalid response"


class _LimitError(Exception):
    """More bytes than the known size of a file."""


class _Limited:
    """File for writing that accepts `size` bytes at most."""

    def __init__(self, stream: BinaryIO, size: int):
        self.stream, self.left = stream, size

    def write(self, chunk: bytes) -> None:
        self.left -= len(chunk)
        if self.left < 0:
            raise _LimitError
        self.stream.write(chunk)

    def flush(self) -> None:
        pass
