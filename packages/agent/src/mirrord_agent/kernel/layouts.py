"""The kernel's numbers and structures that Python's os module doesn't have: system calls, flags, layouts.

Plain data from the kernel's headers; the calls themselves are made in driver.py.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# ---------------------------------------------------------------------------------------------- system calls


class Numbers(NamedTuple):
    """The numbers of system calls on one machine type; those that all types share are below."""

    getdents64: int
    faccessat: int
    statx: int
    capget: int
    capset: int


NUMBERS = {
    "x86_64": Numbers(getdents64=217, faccessat=269, statx=332, capget=125, capset=126),
    "aarch64": Numbers(getdents64=61, faccessat=48, statx=291, capget=90, capset=91),
}
OPENAT2 = 437  # since Linux 5.6; from 424 on, all machine types have the same numbers
FACCESSAT2 = 439  # since Linux 5.8

# ---------------------------------------------------------------------------------------------- openat2(2)

OPEN_HOW = struct.Struct("=QQQ")  # flags, mode, resolve
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10
RESOLVE_CACHED = 0x20  # since Linux 5.12: EAGAIN rather than wait for a disk or a server
O_PATH = 0o10000000  # the same on both machine types; os.O_PATH is Linux's alone

# ---------------------------------------------------------------------------------------------- *at(2)

AT_SYMLINK_NOFOLLOW = 0x100
AT_EACCESS = 0x200
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_STATX_DONT_SYNC = 0x4000

# ---------------------------------------------------------------------------------------------- statx(2)

STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800
STATX_MNT_ID = 0x1000  # since Linux 5.8; 0 before
STATX = struct.Struct(
    "<"
    "II8x"  # mask, blksize, (attributes)
    "IIIH2x"  # nlink, uid, gid, mode
    "QQQ8x"  # ino, size, blocks, (attributes mask)
    "qI4xqI4xqI4xqI4x"  # atime, btime, ctime, mtime
    "IIIIQ"  # rdev major and minor, dev major and minor, mount id
    "104x"
)

# ---------------------------------------------------------------------------------------------- statfs(2)

STATFS = struct.Struct("=qqQQQQQiiqqq32x")  # type, bsize, blocks, bfree, bavail, files, ffree, fsid[2], namelen, …


class Magic:
    """What `f_type` says of a file system."""

    PROC = 0x9FA0


MEMORY = frozenset(
    {
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
    }
)
"""File systems that are nowhere but in memory."""
TRUE_SIZES = MEMORY | {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0x794C7630,  # overlayfs
}
"""File systems of this machine alone: a size is the content's, and inotify sees every change."""
PSEUDO = frozenset(
    {
        Magic.PROC,
        0x62656572,  # sysfs
        0x27E0EB,  # cgroup
        0x63677270,  # cgroup2
        0x64626720,  # debugfs
        0x74726163,  # tracefs
        0x73636673,  # securityfs
        0x62656570,  # configfs
        0xCAFE4A11,  # bpf
        0xF97CFF8C,  # selinuxfs
        0x6165676C,  # pstore
        0xDE5E81E4,  # efivarfs
        0x6E736673,  # nsfs
        0x42494E4D,  # binfmt_misc
        0x65735543,  # fusectl
        0x7655821,  # resctrl
    }
)
"""File systems whose files are made up as they are read: a size says nothing."""

# ---------------------------------------------------------------------------------------------- getdents64(2)

DIRENT = struct.Struct("=QqHB")  # d_ino, d_off, d_reclen, d_type; then the name, ended by a zero

# ---------------------------------------------------------------------------------------------- inotify(7)

INOTIFY_EVENT = struct.Struct("=iIII")  # wd, mask, cookie, len; then the name
IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_MASK_ADD = 0x20000000

# ---------------------------------------------------------------------------------------------- sockets

SOCKET_MARK = 0x2072
"""On every socket that we make, so that our own rules pass it: bits that neither kube-proxy nor Cilium gives a meaning."""

# ---------------------------------------------------------------------------------------------- rights

CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
NS_GET_USERNS = 0xB701
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_FOWNER = 3
CAP_SETGID = 6
CAP_SETUID = 7
CAP_NET_ADMIN = 12
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAPABILITY_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By their numbers: capabilities(7)."""
PF_EXITING = 0x4  # in the flags of /proc/PID/stat
PF_KTHREAD = 0x200000
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITY_HEADER = struct.Struct("=Ii")  # version, pid
CAPABILITY_DATA = struct.Struct("=IIIIII")  # effective, permitted, inheritable: the low halves, then the high
