"""System calls that the reading child is refused, by machine, and the filter that refuses them.

Sources: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux; linux/seccomp.h and
linux/filter.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Instruction = tuple[int, int, int, int]
"""Of classic BPF: code, how many to skip if true, how many if not, operand."""

# fmt: off
_X86_64 = {
    # network, and what passes descriptors between processes
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50,
    "socketpair": 53, "accept4": 288, "sendmmsg": 307,
    # other programs and processes: start, signal, read, limit
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "kill": 62, "tkill": 200, "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "sched_setattr": 314,
    "sched_setaffinity": 203, "ioprio_set": 251, "migrate_pages": 256, "move_pages": 279,
    # memory, semaphores and queues of the same user
    "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220, "msgget": 68,
    "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "mq_open": 240, "mq_unlink": 241,
    # files: everything that changes one, and watching them
    "truncate": 76, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87, "symlink": 88,
    "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "mknod": 133, "mkdirat": 258, "mknodat": 259,
    "fchownat": 260, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268,
    "renameat2": 316, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "setxattr": 188,
    "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "inotify_init": 253, "inotify_init1": 294,
    "fanotify_init": 300, "io_setup": 206,
    # the system, for a server that runs as root
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "add_key": 248,
    "request_key": 249, "keyctl": 250, "perf_event_open": 298, "bpf": 321, "userfaultfd": 323, "init_module": 175,
    "finit_module": 313, "delete_module": 176, "personality": 135, "swapon": 167, "swapoff": 168, "reboot": 169,
    "sethostname": 170, "setdomainname": 171, "kexec_load": 246, "kexec_file_load": 320, "iopl": 172, "ioperm": 173,
    "acct": 163, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "quotactl": 179,
    "syslog": 103, "vhangup": 153,
}
_AARCH64 = {
    "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "sendto": 206,
    "sendmsg": 211, "accept4": 242, "sendmmsg": 269,
    "execve": 221, "execveat": 281, "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "setpriority": 140,
    "sched_setparam": 118, "sched_setscheduler": 119, "sched_setattr": 274, "sched_setaffinity": 122,
    "ioprio_set": 30, "migrate_pages": 238, "move_pages": 239,
    "shmget": 194, "shmctl": 195, "shmat": 196, "semget": 190, "semctl": 191, "semtimedop": 192, "semop": 193,
    "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "mq_open": 180, "mq_unlink": 181,
    "truncate": 45, "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38,
    "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "renameat2": 276, "utimensat": 88, "setxattr": 5,
    "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "inotify_init1": 26, "fanotify_init": 262, "io_setup": 0,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268,
    "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241, "bpf": 280, "userfaultfd": 282,
    "init_module": 105, "finit_module": 273, "delete_module": 106, "personality": 92, "swapon": 224, "swapoff": 225,
    "reboot": 142, "sethostname": 161, "setdomainname": 162, "kexec_load": 104, "kexec_file_load": 294, "acct": 89,
    "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266, "quotactl": 60, "syslog": 116,
    "vhangup": 58,
}
# fmt: on

_NEWEST = 424
"""From here on numbers are the same on every machine and of Linux 5.1 and later. All are answered as an older kernel
would: what is added to the system tomorrow cannot be used, and glibc falls back. `clone3` is one of them: its flags lie
in memory, which a filter cannot see, and `clone` takes its place."""
_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_CLONE_THREAD = 0x00010000
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_EQUAL, _LEAST, _ANY_BIT, _LOAD, _RETURN = 0x15, 0x35, 0x45, 0x20, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # where a call is described


@dataclass(frozen=True)
class Architecture:
    """A machine: its number in audit records, the calls that are refused, and those that depend on an argument."""

    audit: int
    denied: Mapping[str, int]
    clone: int
    tgkill: int
    prlimit: int
    opening: tuple[tuple[int, int], ...]
    """Calls that open a file by name, with the place of their flags among the arguments."""

    def filter(self, pid: int) -> list[Instruction]:
        """The program that lets calls pass, for the process of that id: those of `denied` are not permitted, files are
        opened for reading only, `clone` makes threads only, and signals and limits reach this process only."""
        program = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, self.audit), _returned(_KILL), (_LOAD, 0, 0, _NUMBER)]
        # Above it lie the same calls once more, under the numbers of another convention.
        program += [(_LEAST, 0, 1, _NEWEST), _returned(_ERRNO | _ENOSYS)]
        for number in sorted(self.denied.values()):
            program += [(_EQUAL, 0, 1, number), _returned(_ERRNO | _EPERM)]
        program += _if_argument(self.clone, 0, (_ANY_BIT, 1, 0, _CLONE_THREAD))
        program += _if_argument(self.tgkill, 0, (_EQUAL, 1, 0, pid))
        program += _if_argument(self.prlimit, 0, (_EQUAL, 1, 0, 0))
        for number, place in self.opening:
            program += _if_argument(number, place, (_ANY_BIT, 0, 1, _WRITING))
        return [*program, _returned(_ALLOW)]


def _if_argument(number: int, place: int, test: Instruction) -> list[Instruction]:
    """Refuse a call unless the lower half of its argument passes `test`, which steps over the refusal."""
    argument = _ARGUMENTS + 8 * place
    return [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, argument), test, _returned(_ERRNO | _EPERM), _returned(_ALLOW)]


def _returned(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _X86_64, 56, 234, 302, ((2, 1), (257, 2))),
    "aarch64": Architecture(0xC00000B7, _AARCH64, 220, 131, 261, ((56, 2),)),
}
