"""Text of a file: decompression and encoding."""

import bz2
import codecs
import gzip
import lzma
import zipfile
from pathlib import Path
from typing import IO, Any

from tasks.runtime.errors import BasinError
from tasks.userdata.files.encodings import encoding_of

MOST_BYTES = 1_000_000_000
"""Most bytes of a text table after decompression."""

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

PACKED = (*OPENERS, ".zip", ".zst")
"""Suffixes of compressed files, in lower case."""

LOOKED_AT = 200_000
"""Number of first bytes from which the encoding is found."""


def read_decoded(path: Path, notes: list[str]) -> str:
    """Return the text of a file, which may be compressed, with ``\\n`` as the end of each line."""
    text = _decoded(_bytes(path), path, notes)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _bytes(path: Path) -> bytes:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [Path(name) for name in archive.namelist() if not name.endswith("/")]
            # macOS adds a file of attributes for each file.
            files = [n for n in names if n.parts[0] != "__MACOSX" and not n.name.startswith(".")]
            if len(files) != 1:
                raise BasinError(f"{path}: holds {len(files)} files, expected one; unpack the one to read")
            with archive.open(files[0].as_posix()) as stream:
                return _limited(stream, path)
    if suffix == ".zst":
        import pyarrow

        with pyarrow.input_stream(str(path), compression="zstd") as stream:
            return _limited(stream, path)
    opened: Any = OPENERS.get(suffix, open)
    with opened(path, "rb") as stream:
        return _limited(stream, path)


def _limited(stream: IO[bytes], path: Path) -> bytes:
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BasinError(f"{path}: more than {MOST_BYTES:,} bytes; give a shorter file, or Parquet")
    return data


def _decoded(data: bytes, path: Path, notes: list[str]) -> str:
    """Decode by the byte order mark, as UTF-8, or as an encoding that the text shows."""
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    for mark, encoding in marks:
        if data.startswith(mark):
            if encoding == "utf-16":
                notes.append("the file is encoded in UTF-16")
                return data.decode("utf-16")
            return data[len(mark) :].decode("utf-8").lstrip("\ufeff")
    zeros = data[:4000].count(0)
    if zeros > 0.3 * min(len(data), 4000):
        encoding = "utf-16-be" if data[0:4000:2].count(0) > data[1:4000:2].count(0) else "utf-16-le"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = ""
        if text and "\x00" not in text:
            notes.append("the file is encoded in UTF-16")
            return text
    if zeros:
        raise BasinError(f"{path}: not readable as text (it has zero bytes); save it as CSV in UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        strange = sum((byte < 32 and byte not in b"\t\n\r") or byte >= 128 for byte in data[:10_000])
        encoding = encoding_of(_head(data))
        if not encoding and strange > 0.3 * min(len(data), 10_000):
            raise BasinError(
                f"{path}: not readable as text (byte {error.start + 1} is no character); give a CSV, Excel, "
                "Parquet or NetCDF file"
            ) from error
        if not encoding:
            raise BasinError(
                f"{path}: the encoding is not UTF-8 and cannot be told (byte {error.start + 1}); save the "
                "file as CSV in UTF-8"
            ) from error
        name = "Shift-JIS" if encoding == "cp932" else encoding.upper().replace("CP125", "Windows-125")
        notes.append(f"the file is not UTF-8 and is read as {name}")
        return data.decode(encoding, errors="replace")


def _head(data: bytes) -> bytes:
    """Return the first lines."""
    head = data[:LOOKED_AT]
    return head[: head.rfind(b"\n") + 1] or head
