"""File names made from names in the data, such as those of series."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

LONGEST = 80
"""Largest number of bytes of a name. File systems allow 255, of which prefixes and suffixes need some."""


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a file name, without a suffix, for each of the distinct ``names``.

    A name of letters, digits, ``-``, ``_`` and single inner dots is its own file name. In others the other
    characters are replaced by ``_``, and ``~`` and a hash of the name are added, so that two names never
    share a file. The hash is also added to names that differ only in upper and lower case, which some file
    systems do not distinguish.
    """
    wanted = dict.fromkeys(names)
    folded = Counter(name.casefold() for name in wanted)
    return {name: _file_name(name, alone=folded[name.casefold()] == 1) for name in wanted}


def _file_name(name: str, alone: bool) -> str:
    plain = unicodedata.normalize("NFC", name)
    plain = "".join(c if c in "-_." or unicodedata.category(c)[0] in "LMN" else "_" for c in plain)
    plain = re.sub(r"^\.+|\.\.+", "_", plain).encode()[:LONGEST].decode(errors="ignore").rstrip(".")
    if alone and plain == name and name:
        return name
    return f"{plain}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"
