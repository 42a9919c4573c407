"""What says that no more can be written, whoever says it: Python or TensorFlow."""

import errno
import os
import re

from logan_tf.errors import first_line

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_TEXT = re.compile("|".join(map(os.strerror, _NUMBERS)), re.IGNORECASE)


def cause(error: BaseException) -> str | None:
    """The line about a disk or a quota that is full, read-only or broken; else None."""
    if isinstance(error, OSError):
        is_full = error.errno in _NUMBERS
    else:  # TensorFlow keeps no numbers; it is not imported here.
        is_ours = type(error).__module__.startswith("tensorflow")
        is_full = is_ours and bool(_TEXT.search(str(error)))
    if is_full:
        return first_line(error)
    following = error.__cause__ or error.__context__
    return None if following is None else cause(following)
