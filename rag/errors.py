"""The failure model of Ragbook.

RagbookError                       every error a user can meet; `str(error)` is a sentence for the screen
  ConfigError                      a setting is unknown, or its value is
  NotFound                         no such notebook, source or snapshot
  TagInvalid                       a tag cannot be kept as it was given, or is one too many
  Cancelled                        the user stopped the work; what was paid for is kept
  QuestionSetInvalid               a file of questions to measure with cannot be used
  ReadError                        one source cannot be turned into text
    UnsupportedType                no reader for this type
    EmptySource                    no bytes, or nothing but white space
    NoTextLayer                    pictures of text only: needs OCR first
    EncryptedSource                needs a password
    DamagedSource                  truncated, cyclic, or not what its name says
    SourceTooLarge                 over a size, memory or expansion limit
    ReadTimeout                    the reader did not finish in time
  ModelError                       an embedding or language model failed
    ModelMissing                   the embedded model is not installed, or its digest is wrong
    BadKey                         the server did not accept the API key
    AddressRefused                 an address saved on a page leads where only the owner may send this server
    QuotaExceeded                  rate or spending limit, after all retries
    ContextTooLong                 the text does not fit the model's window
    ServerDown                     no connection, or no answer in time
    BadReply                       the server answered with something that is no answer
    VectorInvalid                  wrong dimension, not finite, or zero
  SpaceRefused                     the live model is not the one that made the saved vectors
  StoreError                       files or tables
    StoreUnavailable               the home cannot be reached
    NotWritable                    permission denied, or a read-only home
    DiskFull                       no space left
    AlreadyExists                  create-if-absent met an object of that name
    Damaged                        a file fails its check
      OtherDimensions              vectors of another dimension than the space they lie in
    NewerFormat                    written by a newer Ragbook
    Busy                           another process is building
    Conflict                       another writer published first, more often than we retried

Foreign errors are translated where they enter: object store errors in `objects`, provider errors in
`models.failures`, parser errors in `reading`.
"""

from __future__ import annotations


class RagbookError(Exception):
    """Base of all errors a user can meet. `str()` is one or two sentences: what failed, and the next step."""


class ConfigError(RagbookError):
    """A setting is unknown, or has a value it cannot have; the sentence lists the right ones."""


class NotFound(RagbookError):
    """No notebook, source or snapshot of that name or number."""


class TagInvalid(RagbookError):
    """A tag is empty, too long, holds what cannot be seen, or is one too many for its source."""


class Cancelled(RagbookError):
    """The user stopped the work. Vectors paid for so far are in the vector cache."""


class QuestionSetInvalid(RagbookError):
    """A file of questions cannot be read or written, or a line of it is not one. The sentence names file and line."""


class ReadError(RagbookError):
    """One source cannot be turned into text. The sentence does not repeat the source's name."""


class UnsupportedType(ReadError):
    """There is no reader for this type of file."""


class EmptySource(ReadError):
    """The source has no bytes, or nothing but white space."""


class NoTextLayer(ReadError):
    """The source holds pictures of text only."""


class EncryptedSource(ReadError):
    """The source needs a password."""


class DamagedSource(ReadError):
    """The source is truncated, cyclic, or not what its name says."""


class SourceTooLarge(ReadError):
    """The source is over a size, memory or expansion limit."""


class ReadTimeout(ReadError):
    """The reader did not finish in time."""


class ModelError(RagbookError):
    """An embedding or language model failed."""


class ModelMissing(ModelError):
    """The embedded model is not installed, or its digest is not the expected one."""


class BadKey(ModelError):
    """The server did not accept the API key."""


class AddressRefused(ModelError):
    """An address saved on a page leads where only the owner of the server may send it."""


class QuotaExceeded(ModelError):
    """A rate or spending limit held after all retries."""


class ContextTooLong(ModelError):
    """The text does not fit the model's window."""


class ServerDown(ModelError):
    """No connection to the model server, or no answer in time."""


class BadReply(ModelError):
    """The model server answered with something that is no answer."""


class VectorInvalid(ModelError):
    """A vector has the wrong dimension, is not finite, or is zero."""


class SpaceRefused(RagbookError):
    """The live model is not the one that made the saved vectors."""


class StoreError(RagbookError):
    """Files or tables under the home failed."""


class StoreUnavailable(StoreError):
    """The home cannot be reached."""


class NotWritable(StoreError):
    """Permission denied, or a read-only home."""


class DiskFull(StoreError):
    """No space left for a write. Nothing published was touched."""


class AlreadyExists(StoreError):
    """Create-if-absent met an object of that name."""


class Damaged(StoreError):
    """A file fails its check. The sentence names the file and the check."""


class OtherDimensions(Damaged):
    """Vectors of another dimension than the space they lie in: a mistake of names, and nothing to heal."""


class NewerFormat(StoreError):
    """Written by a newer Ragbook; this one does not touch it."""


class Busy(StoreError):
    """Another process is building this notebook."""


class Conflict(StoreError):
    """Another writer kept publishing first."""
