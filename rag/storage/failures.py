"""What the operating system and the object store raise, as errors of ours."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from obstore.exceptions import BaseError

from rag.errors import DiskFull, NotWritable, StoreError, StoreUnavailable


@contextlib.contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn an `OSError` or an obstore error about `name` into the error of ours that says what to do."""
    try:
        yield
    except OSError as error:
        raise translate(error, name) from error
    except BaseError as error:
        text = str(error)
        if "os error 13" in text or "os error 1)" in text or "os error 30" in text:
            raise NotWritable(f"No permission for {name}. Check the owner and mode of the home folder.") from error
        raise StoreUnavailable(f"{name} cannot be used. Check that the home folder is there and try again.") from error


def translate(error: OSError, name: str) -> StoreError:
    """The error of ours for an `OSError` about `name`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"No space left while writing {name}. Free some space and try again; what was saved is safe.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotWritable(f"No permission for {name} ({error.strerror}). Check the owner and mode of the home folder.")
    reason = error.strerror or error.__class__.__name__
    return StoreUnavailable(f"{name} cannot be used: {reason}. Check that the home folder is there and try again.")
