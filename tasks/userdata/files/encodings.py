"""Encodings of text that is not UTF-8, found by the words and the letters that each of them gives."""

import re
from collections.abc import Iterable

WORDS = re.compile(
    r"日付|日時|年月|終値|始値|株価|価格|気温|日期|时间|時間|收盘|收盤|开盘|開盤|价格|價格|净值|月份|年份|气温|氣溫|"
    r"날짜|일자|일시|종가|дата|цена|закрыт|\d年\d{1,2}月|"
    r"zamknięcie|najwyższy|najniższy|wartość|średni|kapanış|açılış|düşük|yüksek|değer|fiyatı",
    re.IGNORECASE,
)
"""Words of tables of dates, by which an encoding that is not Western is recognised."""

ENCODINGS = (
    "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp1251", "koi8_r", "cp866", "cp1250", "cp1254",
)  # fmt: skip
"""Encodings that are searched for words."""

ALPHABETS = (
    ("cp1252", ("äöüß", "äåöæøé", "àâçéèêëîïôùûüÿœ", "áéíñóúü", "ãõáâàçéêíóôúü", "àèéìíòóùú", "éèëïöü")),
    ("cp1254", ("çğıöşüâîûi̇",)),
    ("cp1252", ("áðéíóúýþæö",)),
    ("cp1250", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ")),
)
"""Letters of languages beside those of ASCII, in lower case, by encoding, of which the first that fits is
used: German, Scandinavian, French, Spanish, Portuguese, Italian and Dutch; Turkish; Icelandic; Polish, Czech,
Slovak, Hungarian, Croatian and Romanian."""

CYRILLIC = ("cp1251", "koi8_r", "cp866", "iso8859_5")

_SCRIPTS = (
    ("[а-яёіїєґў]", "оеаинтсрвлкмдпу", CYRILLIC),
    ("[α-ωάέήίόύώϊϋΐΰ]", "αοιετσνηυρπκμλς", ("cp1253",)),
)
"""Letters of scripts, their most frequent ones, and their encodings."""

_WORD = re.compile(r"[^\W\d_]*[^\x00-\x7f\W\d_]+[^\W\d_]*")
"""A word with a letter that ASCII has not."""

_INSIDE = re.compile(r"[^\W\d_][¹³¿¼¾£¥¤¦][^\W\d_]")
"""A symbol within a word, which shows a wrong encoding."""

_SYMBOLS = "ªºµ"
"""Symbols, as of micrograms, that count as letters."""


def encoding_of(head: bytes) -> str:
    """Return the encoding of bytes that are not UTF-8, or an empty text if it is not certain.

    It is the only one that gives words of tables, or else one that gives words of Cyrillic or Greek, or
    letters of one language. Other Western text has at most two characters in a row that are not ASCII.
    """
    certain = [encoding for encoding in ENCODINGS if WORDS.search(_decoded(head, encoding))]
    if len(certain) == 1:
        return certain[0]
    if not certain and (found := _of_script(head) or _of_language(head)):
        return found
    western = _decoded(head, "cp1252")
    return "" if certain or not western or re.search(r"[^\x00-\x7f]{3}", western) else "cp1252"


def _decoded(head: bytes, encoding: str) -> str:
    try:
        return head.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _words(text: str) -> list[str]:
    return [word for word in dict.fromkeys(_WORD.findall(text)) if word.strip(_SYMBOLS)]


def _of_script(head: bytes) -> str:
    """Return the encoding that gives nothing but words of one script, mostly of its frequent letters."""
    best, share = "", 0.5
    for letters, frequent, encodings in _SCRIPTS:
        shape = re.compile(rf"{letters}+|{letters.upper()}{letters}*|{letters.upper()}+")
        for encoding in encodings:
            words = [word for word in _words(_decoded(head, encoding)) if len(word) > 1]
            text = "".join(words).lower()
            if not words or not all(map(shape.fullmatch, words)):
                continue
            common = sum(map(text.count, frequent)) / len(text)
            if common > share:
                best, share = encoding, common
    return best


def _of_language(head: bytes) -> str:
    """Return the first encoding that gives letters of one language, or an empty text."""
    for encoding, alphabets in ALPHABETS:
        text = _decoded(head, encoding)
        letters = {c for word in _words(text) for c in word.lower() if c.isalpha() and not c.isascii()}
        letters -= {*_SYMBOLS}
        if _INSIDE.search(text) or (encoding == "cp1254" and _no_turkish(_words(text))):
            continue
        if text and any(letters <= {*alphabet} for alphabet in alphabets):
            return encoding
    return ""


def _no_turkish(words: Iterable[str]) -> bool:
    """Return whether a ğ is not behind a vowel, or an ı behind another one than a and ı."""
    return any(re.search("(?<![aeıioöuüâîû])ğ|[eioöuü][^aeıioöuü]*ı", word.lower()) for word in words)
