"""Checks that examples/deploy/docker-compose.yml is YAML, starts the server that docs/deployment.md describes, and names
files that exist. Skipped (77) without PyYAML.
usage: check_compose.py [PROJECT_DIRECTORY]"""
import pathlib
import sys

try:
    import yaml
except ImportError:
    print("skipped: no PyYAML (Debian: python3-yaml)")
    sys.exit(77)

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
deploy = root / "examples" / "deploy"
compose = yaml.safe_load((deploy / "docker-compose.yml").read_text())
wrong = []


def expect(true, complaint):
    if not true:
        wrong.append(complaint)


def bytes_of(text):
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    text = str(text).lower().rstrip("b")
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


redis = compose["services"]["redis"]
settings = dict(line.split(None, 1) for line in (deploy / "redis.conf").read_text().splitlines()
                if line and not line.startswith("#"))
mounts = {}
for volume in redis["volumes"]:
    source, target = volume.split(":")[:2]
    if source.startswith("."):
        expect((deploy / source).is_file(), f"{source} is not there")
        mounts[target] = source
    else:
        expect(source in compose["volumes"], f"the volume {source} is not declared")
expect(redis["command"] == ["redis-server", "/etc/redis/redis.conf"], f"command: {redis['command']}")
expect("/etc/redis/redis.conf" in mounts, "redis.conf is not mounted where the command names it")
expect(settings["aclfile"] in mounts, "the ACL file is not mounted where redis.conf names it")
expect(all(str(port).startswith("127.0.0.1:") for port in redis["ports"]), "a port is open to others")
expect(bytes_of(redis["mem_limit"]) >= 1.5 * bytes_of(settings["maxmemory"]),
       "mem_limit is less than half as much again as maxmemory")
expect("ping" in redis["healthcheck"]["test"][1], "the health check does not ping")
users = [line.split()[1] for line in (deploy / "users.acl").read_text().splitlines()]
expect("health" in users and "redis://health:" in redis["healthcheck"]["test"][1], "the health check has no user")
for complaint in wrong:
    print(f"examples/deploy/docker-compose.yml: {complaint}")
sys.exit(1 if wrong else 0)
