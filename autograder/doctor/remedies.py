"""What to do about a layer of the sandbox that a machine does not give."""

from __future__ import annotations

from pathlib import Path

CONTAINER_FLAGS = (
    "--security-opt seccomp=deploy/seccomp.json --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined (podman: --security-opt unmask=ALL)"
)
SWITCHES = {
    "kernel/apparmor_restrict_unprivileged_userns": ("1", (
        "Ubuntu's AppArmor forbids it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
        "(to keep it, a line in /etc/sysctl.d/), or grade as root")),
    "kernel/unprivileged_userns_clone": ("0", (
        "the kernel forbids it to ordinary users: sudo sysctl -w kernel.unprivileged_userns_clone=1, "
        "or grade as root")),
    "user/max_user_namespaces": ("0", "none are allowed: sudo sysctl -w user.max_user_namespaces=10000"),
}  # fmt: skip
LANDLOCK = (
    "Landlock needs Linux 5.13 or later (6.12 for all of it) that was started with it: `landlock` has to stand in "
    "/sys/kernel/security/lsm, else add it to lsm= on the kernel's command line. gVisor and WSL 1 have none."
)
SECCOMP = (
    "apt-get install libseccomp2 and pip install pyseccomp; some container runtimes forbid filters: see seccomp(2)."
)
LIMITS = "The process may not set its own limits: see `ulimit -a`, and start the grader with higher hard limits."
CAPABILITIES = (
    "Root could not become another user: grade as an ordinary user, or in a container whose user namespace knows "
    "users up to 65535 (/etc/subuid)."
)
ENGINE = "This should not be. Please report it with the output of this command: it is the engine's fault."


def remedy(group: str, reason: str, proc: Path = Path("/proc")) -> str:
    """What to do where `group` does not hold; `reason` is the kernel's own."""
    if group == "namespaces":
        return _namespaces(proc)
    if group in ("private root", "private places"):
        if not reason:
            return ENGINE
        if reason.startswith(("needs", "they need")):
            return f"{reason}."
        return f"mounting is forbidden ({reason}). In a container: {CONTAINER_FLAGS}."
    known = {"landlock": LANDLOCK, "seccomp": SECCOMP, "limits": LIMITS, "capabilities": CAPABILITIES}
    return known.get(group, ENGINE) if reason else ENGINE


def _namespaces(proc: Path) -> str:
    found = [text for switch, (bad, text) in SWITCHES.items() if _read(proc / "sys" / switch) == bad]
    if _in_container():
        found.append(f"a container's own filter forbids it: start it with {CONTAINER_FLAGS}")
    if not found:
        found.append("something forbids unshare(2): a filter of whoever started this process, or the kernel's settings")
    return "user namespaces are needed. " + ". ".join(f"{text[0].upper()}{text[1:]}" for text in found) + "."


def _in_container() -> bool:
    return any(Path(path).exists() for path in ("/.dockerenv", "/run/.containerenv"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
