"""What a child may not do even if a file takes it over: speak to a network, start programs, touch other processes.

A filter of system calls (seccomp): the kernel refuses them from now on, to all threads, whoever asks; nothing takes the
filter off. It needs no privilege, so it works in a container as well.
See https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _MACHINE = 0, 4
"""Where in what the kernel shows to the filter the number of the call and the kind of machine are."""
_OTHER_TABLES = 0x40000000
"""Numbers from here on name the same calls once more (x32)."""
# socket, execve, execveat, ptrace, process_vm_readv, process_vm_writev, kill, pidfd_open, and io_uring_setup, which can
# make sockets
_CALLS = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 310, 311, 62, 434, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 270, 271, 129, 434, 425)),
}


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> bool:
    """Give all that up, for good; False where the system has no such filter, which changes nothing."""
    machine = os.uname().machine
    if os.uname().sysname != "Linux" or machine not in _CALLS:
        return False
    instructions = _instructions(*_CALLS[machine])
    program = _Program(len(instructions) // 8, instructions)
    control = ctypes.CDLL(None, use_errno=True).prctl
    control.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    if control(_PR_SET_NO_NEW_PRIVS, 1, None, 0, 0):
        return False
    return bool(control(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program), 0, 0) == 0)


def _instructions(machine: int, refused: Sequence[int]) -> bytes:
    """The filter in the kernel's small language: each instruction says how many to pass over if true, and if not."""
    tests = [(_IF_AT_LEAST, _OTHER_TABLES), *((_IF_EQUAL, number) for number in refused)]
    program = [
        (_LOAD, 0, 0, _MACHINE),
        (_IF_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *((test, len(tests) - place, 0, value) for place, (test, value) in enumerate(tests)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)
