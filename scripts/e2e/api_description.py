#!/usr/bin/env python3
"""Holds the API against its own description: schemathesis makes requests of every operation, good ones and bad ones.

Objects of most kinds are made first, so that not every request ends at a missing one. The live stream is left out (it
has no end), and so is what would take the caller's own key away.
"""

import os
import subprocess
import sys
import tempfile

import requests

from connection import Place

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header",
)
# Seconds for all of it, and requests for each operation.
TIME = int(os.environ.get("SELVAGE_SCHEMATHESIS_SECONDS", "60"))
EXAMPLES = int(os.environ.get("SELVAGE_SCHEMATHESIS_EXAMPLES", "6"))
NAME = "schema.example.com"


def make_objects(place):
    """One object of each kind that others refer to; the result is their identifiers by prefix."""
    session = requests.Session()
    session.headers.update(place.headers)
    made = {}

    def make(path, **body):
        answer = session.post(place.base + path, json=body)
        assert answer.status_code == 201, f"{path}: {answer.text}"
        id = answer.json()["id"]
        made[id.split("_")[0]] = id
        return id

    make("/reserved_domains", domain=NAME)
    address = session.get(place.base + "/reserved_addrs/" + make("/reserved_addrs")).json()["addr"]
    policy = make("/ip_policies")
    make("/ip_policy_rules", ip_policy_id=policy, cidr="10.0.0.0/8", action="allow")
    static = make("/backends/static", address="127.0.0.1:1")
    page = make("/backends/http_response")
    weighted = make("/backends/weighted", backends={static: 1, page: 1})
    make("/backends/failover", backends=[weighted])
    edge = make("/edges/https", hostports=[NAME + ":443"])
    make(f"/edges/https/{edge}/routes", match_type="path_prefix", match="/", backend={"backend_id": static})
    make("/edges/tls", backend={"backend_id": static})
    make("/edges/tcp", hostports=[address], backend={"backend_id": static})
    return made


# A bad request meets whatever is in its way first: also the revision (412) and the sizes (413, 414).
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 409, 412, 413, 414]
[checks.missing_required_header]
expected-statuses = [400]
"""


def endless(place):
    """Operations whose answers have no end."""
    document = requests.get(place.base + "/selvage/openapi.json", headers=place.headers).json()
    return [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
        if operation.get("x-selvage-stream")
    ]


def main():
    # A session of `requests` prefers the authorities that these name to those it is told of.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    place = Place(__doc__)
    made = make_objects(place)
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--no-color", "run",
        place.base + "/selvage/openapi.json", "--checks", ",".join(CHECKS), "--max-time", str(TIME),
        "--max-examples", str(EXAMPLES), "--seed", "1", "--phases", "coverage,fuzzing", "--no-shrink",
        "--continue-on-failure", "--generation-database", "none", "--request-timeout", "20", "--warnings", "off",
        "--suppress-health-check", "all",
        "--header", "authorization:" + place.headers["authorization"],
    ]
    for operation in endless(place):
        command += ["--exclude-operation-id", operation]
    if not place.is_socket:
        # Each can take the caller's key away, or the right to come from here.
        for path in ("/selvage/undo", "/selvage/revert", "/ip_restrictions", "/ip_restrictions/{id}"):
            command += ["--exclude-path", path]
    if place.ca:
        command += ["--tls-verify", place.ca]
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": "schema_hooks", "PYTHONPATH": os.path.dirname(os.path.abspath(__file__)),
        "SELVAGE_OBJECTS": ",".join(made.values()),
    }
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/schemathesis.toml", "w") as file:
            file.write(SETTINGS)
        return subprocess.run(command, env=environment, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
