"""What bench/share works on: a repository of 20,000 files that is the same each time, and an npm project with a warm cache."""
import json
import os
import pathlib
import random
import shutil
import subprocess

FOLDERS = 700
MEDIAN_BYTES, SPREAD, FILE_MAX_BYTES = 3000, 1.1, 200_000
LARGE_BYTES = [1 << 20, 2 << 20, 4 << 20, 8 << 20]
NEEDLE = "needle_in_the_haystack"
DEPENDENCIES = {"eslint": "8.57.1", "express": "4.21.2", "webpack": "5.97.1", "webpack-cli": "5.1.4"}
NPM_LIMIT_S = 300
LOCK_WITH_ADDRESSES = "--omit-lockfile-registry-resolved=false"  # without them the cache's entries are not found
NPM = ["--ignore-scripts", "--no-audit", "--no-fund"]  # what the guest is told too: no script may look for a network


def text_pool(rng):
    """A megabyte that looks like source text: what every file is cut from."""
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(2, 11))) for _ in range(4000)]
    lines, length = [], 0
    while length < 1 << 20:
        line = "\t" * rng.randint(0, 3) + " ".join(rng.choices(words, k=rng.randint(1, 9))) + ";\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def folder_names(rng):
    names = ["."]
    while len(names) < FOLDERS:
        parent = rng.choice(names)
        if parent.count("/") < 6:
            names.append(f"{parent}/{rng.choice(['src', 'lib', 'test', 'pkg', 'api', 'core'])}{len(names)}")
    return names


def write_tree(root, count):
    rng = random.Random(1)
    pool = text_pool(rng)
    folders = folder_names(rng)
    for name in folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        size = min(FILE_MAX_BYTES, int(rng.lognormvariate(0, SPREAD) * MEDIAN_BYTES))
        start = rng.randrange(len(pool) - FILE_MAX_BYTES)
        head = f"/* {i} */\n".encode() + (f"{NEEDLE}\n".encode() if i % 1000 == 0 else b"")
        path = root / rng.choice(folders) / f"{rng.choice(['util', 'node', 'view', 'page', 'item'])}-{i}.c"
        path.write_bytes(head + pool[start : start + size])
    for i, size in enumerate(LARGE_BYTES):
        (root / f"large-{i}.bin").write_bytes(rng.randbytes(size))


def git(*arguments):
    subprocess.run(["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", *arguments], check=True)


def make_repository(files, count):
    """files/repo with all of it committed, files/repo.git with nothing checked out, and files/tree.tar."""
    repo = files / "repo"
    git("init", "--quiet", "--initial-branch=main", str(repo))
    write_tree(repo, count)
    git("-C", str(repo), "add", "--all")
    git("-C", str(repo), "commit", "--quiet", "--message=All of it")
    git("-C", str(repo), "-c", "pack.window=0", "repack", "-a", "-d", "--quiet")
    git("clone", "--quiet", "--bare", "--no-hardlinks", str(repo), str(files / "repo.git"))
    subprocess.run(["tar", "-cf", files / "tree.tar", "-C", repo, "--exclude=./.git", "."], check=True)


def make_npm(files):
    """files/npm (a project with its lock file) and files/npm-cache. A sentence where that cannot be done."""
    project, cache = files / "npm", files / "npm-cache"
    project.mkdir()
    package = {"name": "bench", "version": "1.0.0", "private": True, "dependencies": DEPENDENCIES}
    (project / "package.json").write_text(json.dumps(package), encoding="utf-8")
    if not shutil.which("npm"):
        return "the host has no npm to fill the cache with"
    try:
        subprocess.run(
            ["npm", "install", "--cache", cache, "--silent", LOCK_WITH_ADDRESSES, *NPM],
            cwd=project, check=True, timeout=NPM_LIMIT_S, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return "the registry cannot be reached"
    shutil.rmtree(project / "node_modules")
    shutil.rmtree(cache / "_logs", ignore_errors=True)
    return None


def copy_repository(files, place, owner):
    """A place of its own for one way to share; owner is who the guest's agent is on the host, None for the caller."""
    pathlib.Path(place).mkdir()
    subprocess.run(["cp", "-a", files / "repo", place], check=True)
    if owner is not None:
        subprocess.run(["chown", "-R", f"{owner}:{owner}", place], check=True)


def make_disk(path, tree, size_bytes):
    """An ext4 disk that holds that folder."""
    with open(path, "wb") as disk:
        os.truncate(disk.fileno(), size_bytes)
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path], check=True, env=environment)
