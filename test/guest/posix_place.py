"""Where the tests of posix.py run, and what is different on a shared folder on purpose."""

is_share = False

# What a share does otherwise than a local folder, and why. A test asks `differs(KEY)` and then asserts exactly this.
DIFFERENT = {
    "no-special-files": "mknod of a FIFO, socket or device is EPERM: the host must never wait on one or open one",
    "no-set-id": "set-user-ID and set-group-ID do not stay: the host must not get such a file",
    "links-stay-single": "a hard link to a symbolic link is EPERM: the server has no safe way to name it",
    "no-deeper-than-a-path": "what lies further than PATH_MAX from the share's root is ENAMETOOLONG: no rule could judge it",
    "owner-remembered": "chown is remembered and shown, not applied on the host",
    "user-xattrs-only": "attributes outside user.* are refused: on the host they would mean something",
}


def differs(key):
    assert key in DIFFERENT
    return is_share
