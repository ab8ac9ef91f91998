"""Rows and their verdicts: the table on the terminal, and the same as JSON.

A verdict is `ok`, `short` (the bar is not reached) or `-` (there is no bar, or nothing to hold
against it). Notes stand under the table, in the order of the rows.
"""

import json
import math
import os
import platform
import subprocess


def percentile(values, share):
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values):
    return percentile(values, 0.5)


def show(value, unit):
    """A number as a person reads it."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


class Report:
    """What was measured so far."""

    def __init__(self):
        self.rows = []
        self.notes = []
        self.details = {}
        self.loads = []

    def row(self, work, ours, unit, limit=None, of="", bar="", ok=None, ratio=None):
        """`limit` is the machine's (or a peer's) figure, `of` says of what."""
        if ratio is None and limit:
            ratio = ours / limit
        self.loads.append(os.getloadavg()[0])
        self.rows.append(
            {
                "work": work, "ours": ours, "unit": unit, "limit": limit, "limit_of": of,
                "ratio": ratio, "bar": bar, "ok": ok, "load": round(self.loads[-1], 2),
            }
        )
        verdict = {True: "ok", False: "short", None: ""}[ok]
        beside = f", {of}: {show(limit, unit)}" if limit is not None else ""
        print(f"    {work}: {show(ours, unit)}{beside} {verdict}", flush=True)

    def note(self, text):
        self.notes.append(text)
        print(f"    note: {text}", flush=True)

    def detail(self, name, value):
        """Figures behind a row, for the JSON alone."""
        self.details[name] = value

    def table(self):
        head = ["work", "ours", "beside it", "ratio", "bar", ""]
        body = [
            [
                row["work"],
                show(row["ours"], row["unit"]),
                f"{show(row['limit'], row['unit'])} {row['limit_of']}" if row["limit"] is not None
                else row["limit_of"] or "-",
                "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
                row["bar"] or "-",
                {True: "ok", False: "SHORT", None: "-"}[row["ok"]],
            ]
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
                 for line in [head, *body]]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def write(self, path, machine):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "machine": machine, "rows": self.rows, "notes": self.notes, "details": self.details,
        }
        path.write_text(json.dumps(content, indent=2) + "\n")


def machine(directory):
    """This machine, as far as it matters to the figures."""
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        memory_kb = int(meminfo.readline().split()[1])
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "cores": os.cpu_count(),
        "cpu": model,
        "memory_gib": round(memory_kb / 1024 / 1024, 1),
        "kernel": platform.release(),
        "file_system": said("stat", "-f", "-c", "%T", str(directory)),
        "git": said("git", "--version").removeprefix("git version "),
        "bubblewrap": said("bwrap", "--version").removeprefix("bubblewrap "),
        "node": said("node", "--version"),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "?"
