"""`make chaos-migrate`: one migration, killed 20 times, its target server 5 times.

Every kill is a SIGKILL at a random moment of the copy. In the end a full verification passes, and
the two stores are compared once more here, as multisets of (namespace, id, content hash).
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.migrate.test_kill import fill, multiset, start
from tests.services import Server, server

import polyvec

RECORDS: Final = 50_000
KILLS: Final = 20
SERVER_KILLS: Final = 5
BATCH: Final = 100
WORKERS: Final = 2
RESTARTS: Final = 50
PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks" / "migrate.md"
START, END = "<!-- chaos:start -->", "<!-- chaos:end -->"


@dataclass
class Tally:
    """What happened."""

    kills: int = 0
    server_kills: int = 0
    runs: int = 0
    ranges_gone_on_with: int = 0
    ranges_skipped: int = 0
    retries: int = 0
    events: list[str] = field(default_factory=list[str])

    def read(self, line: str) -> dict[str, Any]:
        """Count one event."""
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "ranges":
            self.ranges_gone_on_with += event["begun"]
            self.ranges_skipped = max(self.ranges_skipped, event["done"])
        self.retries += event["event"] == "retry"
        return event


def one_run(
    arguments: list[str], tally: Tally, progress_s: float | None, target: Server | None
) -> int | None:
    """Start or resume; kill the process, and perhaps the server, after a while of copying.

    Returns the exit code, None when it was killed.
    """
    process = start(*arguments)
    assert process.stderr is not None
    tally.runs += 1
    timers: list[threading.Timer] = []
    for line in process.stderr:
        if not line.startswith("{"):
            sys.stderr.write(line)
            continue
        event = tally.read(line)
        if event["event"] == "start" and event["phase"] == "copy" and progress_s is not None:
            if target is not None:
                timers.append(threading.Timer(progress_s / 2, _bounce, (target, tally)))
            timers.append(threading.Timer(progress_s, process.kill))
            for timer in timers:
                timer.start()
    code = process.wait()
    for timer in timers:
        timer.cancel()
        timer.join()
    assert process.stdout is not None
    process.stdout.close()
    process.stderr.close()
    if code == -9:
        tally.kills += 1
        return None
    return code


def _bounce(target: Server, tally: Tally) -> None:
    target.kill()
    tally.server_kills += 1
    for _ in range(RESTARTS):
        # The killed server's own processes may hold its memory for a moment.
        try:
            target.restart()
        except RuntimeError:
            continue
        return
    raise RuntimeError("the server does not come back")


def run(records: int, kills: int, server_kills: int, seed: int) -> list[str]:
    """Run it; return the lines of the report."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    target = server("pgvector")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        source = f"memory://{folder}/source"
        fill(source, records)
        with polyvec.connect(target.url) as store:
            store.drop_collection("docs", missing_ok=True)
        arguments = [source, target.url, "--collection", "docs", "--journal", f"{folder}/j"]
        arguments += ["--workers", str(WORKERS), "--batch-size", str(BATCH), "--log", "json"]
        bounced = set(chance.sample(range(kills), server_kills))
        began = time.monotonic()
        code: int | None = None
        for at in range(kills):
            resume = ["--resume"] if at else ["--fidelity", "none"]
            delay_s = chance.uniform(0.05, 0.6)
            hit = target if at in bounced else None
            code = one_run([*arguments, *resume, "--verify", "none"], tally, delay_s, hit)
            if code is not None:
                break
        code = one_run([*arguments, "--resume", "--verify", "full"], tally, None, None)
        elapsed_s = time.monotonic() - began
        with polyvec.connect(source) as one, polyvec.connect(target.url) as other:
            wanted, found = multiset(one), multiset(other)
            other.drop_collection("docs")
    lost = sum((wanted - found).values())
    doubled = sum(count - 1 for count in found.values() if count > 1)
    extra = sum((found - wanted).values()) - doubled
    # A copy that was over before all the kills has not been put to the test.
    tried = (tally.kills, tally.server_kills) == (kills, server_kills)
    ok = tried and code == 0 and not lost and not doubled and not extra
    return [
        f"| records | {sum(wanted.values()):,} in {len({key[0] for key in wanted})} namespaces |",
        f"| target | {target.what} |",
        f"| seed | {seed} |",
        f"| kills of the migration | {tally.kills} |",
        f"| kills of the target server | {tally.server_kills} |",
        f"| runs, the last one verifying | {tally.runs} |",
        f"| ranges that a run went on with, in all | {tally.ranges_gone_on_with} |",
        f"| records written a second time, at most | {tally.kills * WORKERS * BATCH:,} |",
        f"| failures that outlasted the retries of the store | {tally.retries} |",
        f"| records lost | {lost} |",
        f"| records doubled | {doubled} |",
        f"| other differences | {extra} |",
        f"| full verification | {'equal' if code == 0 else 'DIFFERS'} |",
        f"| seconds | {elapsed_s:.0f} |",
        f"| outcome | {'passed' if ok else 'FAILED'} |",
    ]


def main() -> int:
    """Run and print; with `--write` renew the page."""
    parser = argparse.ArgumentParser(description="kill a migration again and again")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--server-kills", type=int, default=SERVER_KILLS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    lines = run(chosen.records, chosen.kills, chosen.server_kills, chosen.seed)
    table = "\n".join(["| | |", "|---|---|", *lines])
    sys.stdout.write(f"{table}\n")
    if chosen.write:
        text = PAGE.read_text(encoding="utf-8")
        before, rest = text.split(START)
        after = rest.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")
    return int(lines[-1].endswith("FAILED |"))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as exc:
        sys.exit(str(exc))
