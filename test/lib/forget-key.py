#!/usr/bin/env python3
"""forget-key.py FILE...: has the kernel forget the keys of these encrypted files of secrets."""
import ctypes
import sys

KEYCTL, SEARCH, UNLINK, USER_KEYRING = 250, 10, 9, ctypes.c_long(-4)  # x86-64
call = ctypes.CDLL(None).syscall
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        head = file.read(31)
    key = call(KEYCTL, SEARCH, USER_KEYRING, b"user", b"sbx:" + head[15:31].hex().encode(), 0)
    if key > 0:
        call(KEYCTL, UNLINK, key, USER_KEYRING)
