#!/usr/bin/env python3
"""Many tenants in one process: cold start, memory, sign-in, long lists, and one tenant that hammers while another chats.

The real binary on SQLite, from outside. Rows are written into a migrated control.db directly, as so many would take
minutes through the door; everything measured goes through the door. docs/performance.md says how to read it.
Usage: scripts/bench_tenants.py [many] [lists] [neighbours]     (scripts/bench.sh calls it; without names: all)
"""
import http.client
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

BINARY = Path(os.environ.get("SEAM_BENCH_BINARY", "target/dist/seam")).resolve()
TENANTS = int(os.environ.get("SEAM_BENCH_TENANTS", 10_000))
PEOPLE = 20  # in each
CROWD = 100_000  # members of one tenant, keys, and entries of its log
TOUCHED = 400  # tenants whose people come by
MESSAGES = 300  # of the quiet neighbour, in each of three rounds
PASSWORD = "a password for benchmarks"
RESOURCES = """
[[tenant]]
name = "first"
[[user]]
tenant = "first"
email = "first@bench.test"
role = "admin"
password_env = "BENCH_PASSWORD"
[[user]]
email = "operator@bench.test"
password_env = "BENCH_PASSWORD"
[[provider]]
name = "sim"
kind = "simulated"
options = { tokens = 20, tokens_per_second = 0.0 }
[[model]]
name = "sim"
targets = [{ provider = "sim", model = "sim" }]
[[price]]
provider = "sim"
model = "sim"
input = "1"
output = "1"
effective_from = "2026-01-01T00:00:00Z"
"""

rows, missed = [], []


def row(what, value, note="", goal=None):
    rows.append((what, value, note))
    if goal is False:
        missed.append(what)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ms(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def environment(data, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEAM_", "OTEL_", "OLLAMA_")) and not name.endswith("_API_KEY")}
    return {**kept, "SEAM_DATA_DIR": str(data), "SEAM_LOG": "error", "BENCH_PASSWORD": PASSWORD, **more}


def identity(kind, number):
    return f"{number:08x}-{kind:04x}-7000-8000-{number:012x}"


def seed(data):
    """Tenants, people and a long log. All have the same password, which is hashed once."""
    resources = data / "resources.toml"
    resources.write_text(RESOURCES)
    subprocess.run([BINARY, "apply", "-f", resources], env=environment(data), check=True, stdout=subprocess.DEVNULL)
    control = sqlite3.connect(data / "control.db")
    (secret,) = control.execute("SELECT password_hash FROM account LIMIT 1").fetchone()
    (first,) = control.execute("SELECT id FROM tenant WHERE slug = 'first'").fetchone()
    tenant = "INSERT INTO tenant (id, slug, display_name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
    account = "INSERT INTO account (id, email, password_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
    member = "INSERT INTO membership (tenant_id, account_id, role, created_at) VALUES (?, ?, ?, ?)"
    at = 1_780_000_000_000
    control.executemany(tenant, ((identity(1, n), f"tenant-{n}", f"Tenant {n}", at + n, at) for n in range(TENANTS)))
    everybody = range(TENANTS * PEOPLE)
    control.executemany(account, ((identity(2, n), f"person-{n}@bench.test", secret, at + n, at) for n in everybody))
    role = lambda n: "admin" if n % PEOPLE == 0 else "member"
    control.executemany(member, ((identity(1, n // PEOPLE), identity(2, n), role(n), at) for n in everybody))
    control.executemany(member, ((first, identity(2, n), "member", at + n) for n in range(CROWD)))
    control.executemany(
        "INSERT INTO audit_entry (chain, seq, at, actor, name, action, target, change, hash) VALUES (?, ?, ?, 'x', 'somebody', 'member.invite', ?, '{}', 'x')",
        ((first, n + 1_000, at + n, f"person-{n}@bench.test") for n in range(CROWD)),
    )
    # A third each works, has ended, was revoked.
    control.executemany(
        "INSERT INTO api_key (tenant_id, id, name, secret_hash, prefix, scopes, expires_at, created_by, created_at, last_used_at, revoked_at)"
        " VALUES (?, ?, ?, ?, ?, 'inference', ?, 'somebody', ?, ?, ?)",
        (
            (first, identity(3, n), f"Key {n * 7_919 % CROWD} of a program", f"hash {n}", f"sk-seam-{n * 104_729 % CROWD:08d}",
             at + n if n % 3 == 1 else None, at + n, at + n * 31 % CROWD if n % 5 else None, at + n if n % 3 == 2 else None)
            for n in range(CROWD)
        ),
    )
    control.commit()
    control.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    control.close()


class Person:
    """A browser that keeps its cookie and its connection."""

    def __init__(self, port, email):
        self.port, self.email, self.cookie = port, email, None
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, method, path, body=None, kind="application/json", accept="application/json"):
        headers = {"accept": accept, "origin": f"http://127.0.0.1:{self.port}"}
        if self.cookie:
            headers["cookie"] = self.cookie
        if body is not None:
            headers["content-type"] = kind
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        for name, value in answer.getheaders():
            if name == "set-cookie" and value.startswith("seam_session"):
                self.cookie = value.split(";")[0]
        return answer.status, text

    def sign_in(self):
        body = urllib.parse.urlencode({"email": self.email, "password": PASSWORD})
        status, text = self.send("POST", "/api/ui/sign-in", body, "application/x-www-form-urlencoded")
        assert self.cookie, (status, text)
        return self

    def call(self, function, body):
        status, text = self.send("POST", f"/api/ui/{function}", json.dumps(body))
        assert status == 200, (function, status, text[:300])
        return json.loads(text)

    def message(self, conversation=None):
        """Sends a message and reads its answer to the end."""
        run = self.call("message-send", {"message": {"conversation": conversation, "text": "Hello there", "model": "sim"}})
        status, text = self.send("GET", f"/api/v1/runs/{run['run']}/events?after=0", accept="text/event-stream")
        assert status == 200 and b"finished" in text, (status, text[:300])
        return run["conversation"]


def timed(work, times):
    taken = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return taken


class Server:
    def __init__(self, data, port):
        began = time.perf_counter()
        self.port = port
        self.process = subprocess.Popen(
            [BINARY, "serve"], env=environment(data, SEAM_LISTEN=f"127.0.0.1:{port}", SEAM_METRICS_TOKEN=""), stdout=subprocess.DEVNULL
        )
        while True:
            assert self.process.poll() is None, "the server ended"
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.005)
        self.started_in = time.perf_counter() - began

    def resident(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1000

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def many_tenants(server):
    row(f"start until ready, {TENANTS:,} tenants, {TENANTS * PEOPLE:,} people", ms(server.started_in), "goal: under 2 s", server.started_in < 2)
    before, files = server.resident(), server.open_files()
    signing, visiting = [], []
    for number in range(TOUCHED):
        person = Person(server.port, f"person-{number * PEOPLE + 1}@bench.test")
        began = time.perf_counter()
        person.sign_in()
        signing.append(time.perf_counter() - began)
        began = time.perf_counter()
        person.call("conversation-list", {"search": None})
        visiting.append(time.perf_counter() - began)
        person.connection.close()
        if number == TOUCHED // 2:
            half, half_files = server.resident(), server.open_files()
    after, after_files = server.resident(), server.open_files()
    row(f"resident memory, {TOUCHED // 2} tenants touched", f"{half:.0f} MB", f"{before:.0f} MB before; open files {files} → {half_files}")
    row(f"resident memory, {TOUCHED} tenants touched", f"{after:.0f} MB", f"open files {after_files}; goal: a few hundred", after_files < 512)
    row("sign-in, p50 / p99", f"{ms(quantile(signing, 0.5))} / {ms(quantile(signing, 0.99))}", "one at a time")
    row("first page of a tenant never opened before, p50 / p99", f"{ms(quantile(visiting, 0.5))} / {ms(quantile(visiting, 0.99))}", "its file is made")
    someone = Person(server.port, "person-1@bench.test").sign_in()
    rest = timed(lambda _: someone.call("frame", {}), 200)
    share = 1 - quantile(rest, 0.5) / quantile(signing, 0.5)
    row("argon2's share of a sign-in", f"{share * 100:.0f} %", f"a request that authenticates and reads: {ms(quantile(rest, 0.5))}", share > 0.9)


def lists(server):
    operator = Person(server.port, "operator@bench.test").sign_in()
    admin = Person(server.port, "first@bench.test").sign_in()
    last = TENANTS // 50
    asked = [
        (operator, f"tenants of {TENANTS:,}, first page", "tenants", {"words": "", "page": 1}),
        (operator, "tenants, last page", "tenants", {"words": "", "page": last}),
        (operator, "tenants, newest first", "tenants", {"words": "", "page": 1, "order": "-created"}),
        (operator, "tenants, a search", "tenants", {"words": "nant 77", "page": 1}),
        (operator, f"users of {TENANTS * PEOPLE:,}, first page", "users", {"words": "", "page": 1}),
        (operator, "users, newest first", "users", {"words": "", "page": 1, "order": "-created"}),
        (operator, "users, a search", "users", {"words": "on-7777", "page": 1}),
        (admin, f"members of {CROWD:,}, first page", "members", {"words": "", "page": 1}),
        (admin, "members, page 1,000", "members", {"words": "", "page": 1_000}),
        (admin, "members, newest first", "members", {"words": "", "page": 1, "order": "-created"}),
        (admin, "members, a search", "members", {"words": "son-7777", "page": 1}),
    ]
    keys = {"words": "", "page": 1, "state": "active"}
    asked += [(admin, f"keys of {CROWD:,}, by {order}", "keys", {**keys, "order": order}) for order in ("-created", "name", "-used", "expires")]
    asked += [
        (admin, "keys, page 600 by use", "keys", {**keys, "page": 600, "order": "-used"}),
        (admin, "keys of any state, page 2,000 by name", "keys", {"words": "", "page": 2_000, "order": "name"}),
        (admin, "keys, a search", "keys", {**keys, "words": "y 7777"}),
        (admin, "keys, a search that finds nothing", "keys", {**keys, "words": "nowhere", "order": "-used"}),
    ]
    for who, what, function, query in asked:
        taken = timed(lambda _: who.call(function, {"query": query}), 40)
        row(f"list: {what}, p50 / p99", f"{ms(quantile(taken, 0.5))} / {ms(quantile(taken, 0.99))}", "goal: under 50 ms", quantile(taken, 0.5) < 0.05)
    for what, words in (("newest entries", ""), ("a search", "person-7777@")):
        taken = timed(lambda _: admin.call("audit", {"before": None, "words": words}), 40)
        row(f"log of {CROWD:,}: {what}, p50 / p99", f"{ms(quantile(taken, 0.5))} / {ms(quantile(taken, 0.99))}", "goal: under 50 ms", quantile(taken, 0.5) < 0.05)


def hammer(port, place, done):
    """Writes and reads as fast as the server lets it. In a process of its own, behind everybody else in the queue for the
    processors: what is measured is what the server does to others, and not what this program does to them."""
    os.nice(19)
    loud = Person(port, f"person-{1 + place}@bench.test").sign_in()
    own = loud.message()
    while True:
        loud.message(own)
        loud.call("conversation-list", {"search": "hello"})
        done[place] += 2


def neighbours(server):
    """One tenant writes and reads as fast as it can; another's member chats."""
    quiet = Person(server.port, "person-21@bench.test").sign_in()
    conversation = quiet.message()
    timed(lambda _: quiet.message(conversation), 50)
    alone = timed(lambda _: quiet.message(conversation), MESSAGES)
    done = multiprocessing.Array("q", 8)
    loud = [multiprocessing.Process(target=hammer, args=(server.port, place, done), daemon=True) for place in range(len(done))]
    for process in loud:
        process.start()
    while not all(done):
        time.sleep(0.05)
    begun, before = time.perf_counter(), sum(done)
    beside = timed(lambda _: quiet.message(conversation), MESSAGES)
    rate = (sum(done) - before) / (time.perf_counter() - begun)
    for process in loud:
        process.kill()
        process.join()
    again = timed(lambda _: quiet.message(conversation), MESSAGES)
    alone99, beside99 = quantile(alone + again, 0.99), quantile(beside, 0.99)
    row("a message and its whole answer, alone, p50 / p99", f"{ms(quantile(alone + again, 0.5))} / {ms(alone99)}")
    row("  beside a tenant at full speed, p50 / p99", f"{ms(quantile(beside, 0.5))} / {ms(beside99)}", f"that one does {rate:.0f} requests/s with 8 people")
    row("  p99 beside / alone", f"{beside99 / alone99:.2f}", "goal: at most 1.5", beside99 <= alone99 * 1.5)


def main():
    known = {"many": many_tenants, "lists": lists, "neighbours": neighbours}
    parts = [known[name] for name in sys.argv[1:]] or list(known.values())
    directory = Path(tempfile.mkdtemp(prefix="seam-bench-"))
    data = directory / "data"
    data.mkdir(mode=0o700)
    server = None
    try:
        seed(data)
        server = Server(data, free_port())
        for part in parts:
            part(server)
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    width = max(len(what) for what, _, _ in rows)
    for what, value, note in rows:
        print(f"{what:<{width}}  {value:>20}  {note}")
    for what in missed:
        print(f"✗ misses its goal: {what.strip()}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
