"""What the first bytes of a file say about it."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"\xfe\xed\xfa", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\x00asm", "a program"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or password-protected Office file"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x93NUMPY", "an array file"),
    (b"OggS\x00", "a sound file"),
    (b"\x00\x01\x00\x00\x00", "a font"),
    (b"wOF2", "a font"),
)
# These begin with letters that a text may begin with too: believed only where the rest is no text.
_WEAK_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "a program"),
    (b"BM", "a BMP picture"),
    (b"BZh", "a bzip2 archive"),
    (b"ID3", "a sound file"),
    (b"fLaC", "a sound file"),
    (b"RIFF", "a sound, video or picture file"),
    (b"PAR1", "a Parquet table"),
)

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x08\x1b")) + b"\x7f"
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def is_pdf(head: bytes) -> bool:
    """True when `%PDF-` is among the first 1024 bytes, where readers look for it."""
    return b"%PDF-" in head[:1024]


def is_zip(head: bytes) -> bool:
    """True for a ZIP archive, which every .docx is."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_ole(head: bytes) -> bool:
    """True for the container of .doc files and of password-protected .docx files."""
    return head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def looks_binary(sample: bytes) -> bool:
    """True when the sample has more control characters than any text, in any encoding without wide characters.

    Random bytes are about a tenth control characters; texts have none, or a few strays.
    """
    if not sample or utf16_without_bom(sample):
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > max(2, len(sample) * 0.03)


def utf16_without_bom(sample: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` when every other byte is mostly zero and the others are not, as in western UTF-16."""
    sample = sample[: len(sample) & ~1][:8192]
    if len(sample) < 8:
        return None
    half = len(sample) / 2
    even, odd = sample[::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.6 and even < 0.05:
        return "utf-16-le"
    if even > 0.6 and odd < 0.05:
        return "utf-16-be"
    return None


def binary_kind(head: bytes) -> str | None:
    """What the bytes are, in words ("a PNG picture"), or None if they may well be text."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[4:8] == b"ftyp":
        return "a video or sound file"
    if head.startswith(_BOMS) or not looks_binary(head):
        return None
    for signature, kind in _WEAK_SIGNATURES:
        if head.startswith(signature):
            return kind
    return "binary, not text"
