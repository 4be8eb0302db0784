"""What processes use, as Linux tells: processor time and memory."""

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024


def tree(pid: int) -> list[int]:
    """Give a process and everything below it."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """Give the processor time of a process and of everything below it, ended children included."""
    total = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def resident_mib(pid: int) -> tuple[float, float]:
    """Give a process's resident memory now and at its peak, in MiB."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    now, peak = (int(status[name].split()[0]) / _MIB for name in ("VmRSS", "VmHWM"))
    return now, peak


class Others:
    """How many cores everybody else on this machine used since this was made, us and our children left out."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = self._busy_elsewhere()

    def cores(self) -> float:
        """Give the average; what the hypervisor took away counts too."""
        return max(0.0, self._busy_elsewhere() - self._busy) / (time.monotonic() - self._began)

    @staticmethod
    def _busy_elsewhere() -> float:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _wait, irq, softirq, stolen = (int(each) for each in fields[:8])
        return (user + nice + system + irq + softirq + stolen) / _TICKS - cpu_seconds(os.getpid())
