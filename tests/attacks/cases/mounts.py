"""Tries: mount, remount, pivot_root, chroot, mknod and loop devices. Must: change nothing."""

KIND = "Ways out"
SETUP = """{{ATTEMPTS}}
import ctypes, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
mount = lambda *args: checked(libc.mount(*args))
attempt("mount", lambda: mount(b"tmpfs", b"/usr", b"tmpfs", 0, None),
        lambda: mount(b"/", b"/scratch", None, 4096, None))
attempt("proc", lambda: mount(b"proc", b"/proc", b"proc", 0, None),
        lambda: mount(b"sysfs", b"/scratch", b"sysfs", 0, None))
attempt("remount", lambda: mount(None, b"/", None, 32, None), lambda: mount(None, b"/usr", None, 32 | 4096, None))
attempt("umount", lambda: checked(libc.umount2(b"/usr", 2)), lambda: checked(libc.umount2(b"/proc", 2)))
attempt("pivot", lambda: checked(libc.syscall(155, b"/scratch", b"/scratch")))
attempt("fsopen", lambda: checked(libc.syscall(430, b"tmpfs", 0)), lambda: checked(libc.syscall(428, -100, b"/", 1)))
attempt("chroot", lambda: os.chroot("."))
attempt("mknod", lambda: os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)),
        lambda: os.mknod("mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))
attempt("root", lambda: open("/root-was-here", "w"), lambda: os.mkdir("/x"), lambda: open("/usr/x", "w"))
"""
SHOWS = "mount: refused.*remount: refused.*umount: refused.*chroot: refused.*mknod: refused.*root: refused"
