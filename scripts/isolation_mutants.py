#!/usr/bin/env python3
"""Takes away each guard between tenants in turn, and sees whether the isolation suite notices.

Usage: scripts/isolation_mutants.py [--list] [FILTER …]   (through `make isolation-mutants`)

Three kinds of guards: predicates of statements (whose row it is), policies of PostgreSQL's row level security, and
checks of roles in the source. Two of them stand behind each other in the tenant plane, where each must hold alone: a
predicate there is taken away while all policies let everybody through, and a policy while no statement has its
predicate. In between, with one of the two gone altogether and the other whole, the suite must pass.

A guard is off at run time (store::mutants), so that one build serves all of them.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(p for p in (ROOT / "server").glob("*/src/**/*.rs")) + sorted((ROOT / "server/src").glob("**/*.rs"))
PAGES = sorted((ROOT / "app/src").glob("**/*.rs"))
# What belongs to one tenant is read by these; everything else lies in the control plane.
TENANT_PLANE = ("server/orchestration/", "server/gateway/src/cache/answers.rs", "server/lifecycle/src/delete.rs RUNNING")
# Guards that say twice what another condition of the statement says already: without them the same rows are found, later.
SAME_WITHOUT = {
    "server/lifecycle/src/survey.rs LEAVING: membership.tenant_id = $1 (whose 1)":
        "who belongs to no other tenant belongs to this one",
}
# Told by the place of whoever called: that place is a mutant of its own.
PASSED_ON = {"server/tenancy/src/principal.rs self.require_operator()?;"}
AND, NEXT = "\x1f", "\x1e"
# The statements that a run takes away, for as long as it lasts.
SCRATCH = tempfile.TemporaryDirectory(prefix="seam-mutants-")

CONSTANT = re.compile(r'const ([A-Z_0-9]+): &str =\s*"((?:[^"\\]|\\.)*)"', re.S)
PREDICATES = [
    ("whose", re.compile(r"(?:\b[a-z_]+\.)?(?:tenant_id|chain|account_id) = (\$\d+)"), r"\1 = \1"),
    ("operator's", re.compile(r"(?:\b[a-z_]+\.)?tenant_id IS NULL"), "1 = 1"),
    ("over", re.compile(r"(?<![a-z_])(?:[a-z_]+\.)?(?:revoked_at|ended_at) IS NULL"), "1 = 1"),
    ("over", re.compile(r"(?:\b[a-z_]+\.)?expires_at > (\$\d+)"), r"\1 = \1"),
    ("over", re.compile(r"(?:\b[a-z_]+\.)?session_epoch = (\$\d+)"), r"\1 = \1"),
]
# What only passes the question on, without a `?`, is no check of its own.
CHECK = re.compile(r"(?:\.require\(Role::|\brequire_lasting\(|\.require_manager\(\)|\.require_operator\(\)|\.operator_scope\(\)).*\?|"
                   r"\.operator_scope\(\)\)?;?$")


def text_of(literal):
    """A string literal as the compiler reads it."""
    literal = re.sub(r"\\\n\s*", "", literal)
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), literal)


def statements():
    for path in SOURCES:
        where = str(path.relative_to(ROOT))
        if where.startswith("server/store/"):
            continue
        for name, literal in CONSTANT.findall(path.read_text()):
            sql = text_of(literal)
            if sql.split()[:1] and sql.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
                yield where, name, sql


def predicates():
    """Each guard of each statement: where, what, the statement, and the statement without it."""
    for where, name, sql in statements():
        conditions = sql.find("WHERE")
        for kind, pattern, instead in PREDICATES:
            for number, found in enumerate(pattern.finditer(sql, max(conditions, 0) if conditions >= 0 else len(sql))):
                without = sql[: found.start()] + found.expand(instead) + sql[found.end():]
                yield where, f"{name}: {found[0]} ({kind} {number + 1})", sql, without


def checks():
    for path in SOURCES + PAGES:
        where = str(path.relative_to(ROOT))
        inside_tests = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            inside_tests = inside_tests or line.startswith("#[cfg(test)]")
            if f"{where} {line.strip()}" in PASSED_ON:
                continue
            if not inside_tests and CHECK.search(line) and "fn " not in line and not line.lstrip().startswith("//"):
                yield f"{where}:{number}", line.strip()


def tables():
    text = "".join(p.read_text() for p in sorted((ROOT / "migrations/tenant/postgres").glob("*.sql")))
    return re.findall(r"CREATE POLICY \w+ ON (\w+)", text)


# The isolation suite itself: binary and filter, the quickest first.
SUITE = [("twins", ()), ("http", ("isolation::",))]
# What else `make test` runs of a crate, and then of the whole.
OF_CRATE = {
    "tenancy": ("guarantees", "own_keys"),
    "orchestration": ("access", "branches", "runs", "following", "nodes"),
    "metering": ("ledger", "usage_groups", "margin"),
    "gateway": ("gateway's own", "cache", "own_keys"),
    "lifecycle": ("whole",),
}
WHOLE = ("http",)
# The tests inside a crate, beside its code.
OWN = "'s own"


def name_of(target):
    return target["name"] + (OWN if "lib" in target["kind"] else "")


class Suite:
    def __init__(self):
        wanted = {name for name, _ in SUITE} | {name for names in OF_CRATE.values() for name in names} | set(WHOLE)
        command = ["cargo", "test", "--release", "--workspace", "--exclude", "frontend", "--features", "seam/mutants",
                   "--lib", *(part for name in sorted(wanted) if OWN not in name for part in ("--test", name)), "--no-run", "--message-format=json"]
        built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        made = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
        made = [m for m in made if m.get("executable") and m["profile"]["test"]]
        self.binaries = {name_of(m["target"]): (m["executable"], Path(m["manifest_path"]).parent) for m in made}

    def passes(self, binary, engine, off, *names):
        """None when it passes, else the name of a test that noticed. One that passes alone was slowed down by the machine."""
        for _ in range(3):
            who = self.first_failure(binary, engine, off, *names)
            if who is None or self.first_failure(binary, engine, off, who, "--exact"):
                return who
        return who

    def first_failure(self, binary, engine, off, *names):
        program, directory = self.binaries[binary]
        environment = dict(os.environ, SEAM_TEST_ENGINE=engine, SEAM_TEST_ALLOW_MISSING_ASSETS="1", RUST_BACKTRACE="0", **off)
        run = subprocess.Popen([program, *names], cwd=directory, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in run.stdout:
            failed = re.match(r"test (\S+)( - should panic)? \.\.\. FAILED", line)
            if failed:
                run.kill()
                run.wait()
                return failed[1]
        return None if run.wait() == 0 else "the run itself"

    def suite_passes(self, engine, off):
        for binary, names in SUITE:
            if who := self.passes(binary, engine, off, *names):
                return f"{binary}::{who}"
        return None

    def everything_passes(self, engine):
        """Whatever may notice a mutant must hold as long as nothing is off."""
        binaries = [binary for names in OF_CRATE.values() for binary in names] + list(WHOLE)
        for binary in dict.fromkeys(binaries):
            if who := self.passes(binary, engine, {}):
                return f"{binary}::{who}"
        return self.suite_passes(engine, {})

    def noticed_by(self, engine, off, where):
        """The isolation suite first; then what else `make test` runs, which counts on its own."""
        if who := self.suite_passes(engine, off):
            return "suite", who
        crate = where.split("/")[1] if where.startswith("server/") else ""
        # A policy is of no crate: those whose tables have one.
        of_crate = OF_CRATE["orchestration"] + OF_CRATE["gateway"] if where.startswith("policy") else OF_CRATE.get(crate, ())
        for binary in (*of_crate, *WHOLE):
            if who := self.passes(binary, engine, off):
                return "layer", f"{binary}::{who}"
        return None, None


def statements_file(pairs):
    file = tempfile.NamedTemporaryFile("w", suffix=".mutant", delete=False, dir=SCRATCH.name)
    file.write(NEXT.join(f"{before}{AND}{after}" for before, after in pairs))
    file.close()
    return {"SEAM_MUTANT_STATEMENTS": file.name}


def mutants():
    """(name, engine, what is off)"""
    found = list(predicates())
    of_tenants = [m for m in found if f"{m[0]} {m[1]}".startswith(TENANT_PLANE)]
    bare = {}
    for _, _, sql, _ in of_tenants:
        without = bare.get(sql, sql)
        bare[sql] = re.sub(r"(?:\b[a-z_]+\.)?tenant_id = (\$\d+)", r"\1 = \1", without)
    without_predicates = statements_file(bare.items())
    yield "nothing", "sqlite", {}
    yield "nothing", "postgres", {}
    yield "nothing but all policies", "postgres", {"SEAM_MUTANT_POLICIES": "*"}
    yield "nothing but all predicates of the tenant plane", "postgres", without_predicates
    for where, what, sql, without in found:
        off = statements_file([(sql, without)])
        if f"{where} {what}" in SAME_WITHOUT:
            continue
        if f"{where} {what}".startswith(TENANT_PLANE) and "tenant_id" in what:
            yield f"{where} {what}", "postgres", {**off, "SEAM_MUTANT_POLICIES": "*"}
        else:
            yield f"{where} {what}", "sqlite", off
    for table in tables():
        yield f"policy of {table}", "postgres", {**without_predicates, "SEAM_MUTANT_POLICIES": table}
    for place, line in checks():
        yield f"{place} {line}", "sqlite", {"SEAM_MUTANT_CHECK": place}


def main():
    arguments = [a for a in sys.argv[1:] if a != "--list"]
    wanted = [m for m in mutants() if not arguments or any(a in m[0] for a in arguments) or m[0].startswith("nothing")]
    if "--list" in sys.argv:
        print("\n".join(name for name, _, _ in wanted))
        return 0
    suite, begun = Suite(), time.time()
    counts = {"suite": 0, "layer": 0, None: 0}
    survivors = []
    for name, engine, off in wanted:
        if name.startswith("nothing"):
            noticed = suite.suite_passes(engine, off) if off else suite.everything_passes(engine)
            if noticed:
                print(f"✗ with {name} off on {engine} the suite fails ({noticed}): nothing can be told from it", file=sys.stderr)
                return 1
            print(f"  with {name} off, on {engine}: passes, as it must", flush=True)
            continue
        by, who = suite.noticed_by(engine, off, name)
        counts[by] += 1
        if by is None:
            survivors.append(name)
        print(f"{ {'suite': '✓', 'layer': '~', None: '✗'}[by] } {name}{f'  → {who}' if who else '  NOT NOTICED'}", flush=True)
    total = sum(counts.values())
    print(f"\n{counts['suite'] + counts['layer']} of {total} noticed: {counts['suite']} by the isolation suite, "
          f"{counts['layer']} by the tests of a layer alone; {counts[None]} not noticed; {time.time() - begun:.0f} s")
    for name in survivors:
        print(f"  not noticed: {name}")
    for name, why in SAME_WITHOUT.items():
        print(f"  left out: {name}: {why}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
