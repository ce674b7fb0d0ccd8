#!/usr/bin/env python3
"""House rules that no compiler knows: which layer may see which, and a few things that must stay true of files.

`LAYERS` is the one place where the direction of dependencies is written down; docs/ARCHITECTURE.md explains it. A new
crate must be entered here before it may exist.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

# From the ground up. A crate may depend on crates of earlier lines, never on its own line or a later one.
LAYERS = [
    ["contract"],
    ["store"],
    ["tenancy"],
    ["nodes"],
    ["metering", "registry", "jobs"],
    ["gateway", "lifecycle"],
    ["retrieval"],
    ["orchestration"],
    ["evals"],
    ["platform"],
    ["app"],
    ["frontend", "seam"],
]
# Outside the order: fixtures for tests (dev-dependency only), and tools that know no layer.
TESTKITS = {"testbase", "testkit"}
TOOLS = {"gatebench", "webbuild"}
# What the browser links of ours.
BROWSER = {"contract", "app", "frontend"}

MOST_LINES = 600
OWN_SOURCES = ("*.rs", "*.sql", "*.css", "*.ts", "*.py", "*.sh")

ROOT = Path(__file__).resolve().parent.parent
findings: list[str] = []


def found(where: str, what: str, remedy: str) -> None:
    findings.append(f"{where}: {what}\n    {remedy}")


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def check_direction() -> None:
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", "--no-deps"))
    own = {package["name"] for package in metadata["packages"]}
    rank = {name: number for number, names in enumerate(LAYERS) for name in names}
    for package in metadata["packages"]:
        name = package["name"]
        if name not in rank and name not in TESTKITS and name not in TOOLS:
            found(f"crate {name}", "stands in no layer", "Enter it in LAYERS of scripts/check_layers.py and in docs/ARCHITECTURE.md.")
            continue
        for dependency in package["dependencies"]:
            target, kind, optional = dependency["name"], dependency["kind"], dependency["optional"]
            if target not in own:
                continue
            if target in TESTKITS:
                if kind != "dev" and name not in TESTKITS:
                    found(f"crate {name}", f"links {target} into the product", "Make it a [dev-dependencies] entry.")
            elif name in TESTKITS:
                pass  # fixtures may use what they set up
            elif name in TOOLS or target in TOOLS:
                found(f"crate {name}", f"depends on {target}", "Tools and layers know nothing of each other.")
            elif name == "frontend" and target not in BROWSER:
                found("crate frontend", f"links {target} into the browser", f"Only {sorted(BROWSER)} may run there.")
            elif name == "app" and target not in BROWSER and not optional:
                found("crate app", f"depends on {target} in the browser too", "Make it optional, behind the feature ssr.")
            elif kind != "dev" and rank[target] >= rank[name]:
                found(f"crate {name}", f"depends on {target}, which stands above or beside it",
                      "Move the code, or let the higher layer write rows that the lower one reads.")


# (what must not stand there, in which files, where it may stand all the same, remedy)
FORBIDDEN = [
    (re.compile(r"TenantAccess::grant\b"), ".rs", re.compile(r"^server/(tenancy|store)/"),
     "Only tenancy may grant access to a tenant's data: take a Scope."),
    (re.compile(r"reqwest::Client(Builder)?::(new|builder|default)\b|\bClient::builder\(\)"), ".rs",
     # The second speaks to tenants' identity providers, the others to this very server, none of them to a model's.
     re.compile(r"^(server/(gateway/src/providers/http|tenancy/src/single_sign_on/wire|src/isolation/check)|tools/gatebench/src/load)\.rs$"),
     "HTTP clients to providers are built in gateway::providers::http alone."),
    (re.compile(r"\b(sqlx|libsqlite3_sys)::"), ".rs", re.compile(r"^server/store/"),
     "SQL runs through store::Statement, so that a second engine is one crate's business."),
    (re.compile(r"(?i)crates\.io|pypi\.org|pythonhosted|registry\.npmjs|npmjs\.com|deb\.debian\.org|static\.rust-lang"), "",
     re.compile(r"^(Cargo\.lock|.*package-lock\.json|scripts/check_layers\.py)$"),
     "A registry is reached through its client, which knows the address: name none."),
    (re.compile(r"(?<![\w$}/.-])/(work|root|home)/"), "", re.compile(r"^(scripts/check_layers\.py|docs/adr/.*)$"),
     "A path of one machine: write it relative to the checkout or to a variable."),
]
NOT_OURS = re.compile(r"\.(woff2|png|ico|lock)$|package-lock\.json$|^LICENSE$|^public/fonts/")
VAGUE_NAMES = {"util", "utils", "common", "helpers", "helper", "misc", "manager"}


def check_files() -> None:
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for path in sorted(set(listed)):
        file = ROOT / path
        if not file.is_file() or NOT_OURS.search(path):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines()
        if any(file.match(pattern) for pattern in OWN_SOURCES) and len(lines) > MOST_LINES:
            found(path, f"has {len(lines)} lines", f"At {MOST_LINES} look for the second idea inside.")
        if file.suffix == ".rs" and file.stem in VAGUE_NAMES:
            found(path, "has a name that says nothing", "Name the idea inside it.")
        if file.suffix == ".rs" and lines and not lines[0].startswith("//!") and "/tests/" not in path and file.name != "build.rs":
            found(path, "does not open with //!", "Say what it is, what always holds, where to look instead.")
        for pattern, suffix, allowed, remedy in FORBIDDEN:
            if suffix and file.suffix != suffix or allowed.search(path):
                continue
            for number, line in enumerate(lines, 1):
                if match := pattern.search(line):
                    found(f"{path}:{number}", f"“{match.group(0)}”", remedy)


def check_migrations() -> None:
    """Both engines carry the same file names."""
    for plane in ("control", "tenant"):
        engines = [directory for directory in sorted((ROOT / "migrations" / plane).iterdir()) if directory.is_dir()]
        names = {directory.name: sorted(file.name for file in directory.glob("*.sql")) for directory in engines}
        if len({tuple(files) for files in names.values()}) > 1:
            found(f"migrations/{plane}", f"engines differ in their files: {names}", "Add the missing file, if only a comment.")


check_direction()
check_files()
check_migrations()
for finding in findings:
    print(f"  {finding}", file=sys.stderr)
sys.exit(1 if findings else 0)
