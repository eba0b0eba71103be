#!/usr/bin/env python3
"""Drives the admin API over TLS with API keys through the official client (`pip install ngrok-api`): keys, credentials,
IP restrictions, and who is refused.

Over TLS only: URL --key KEY, and --ca FILE or REQUESTS_CA_BUNDLE. Prints a line per part; the first failed expectation ends it with
status 1.
"""

import sys

import ngrok
import requests

from api_client import has, ids, missing, refused
from connection import drive, run_parts

ENTRY = {"token", "owner_id"}


class Keys:
    def __init__(self, base, key):
        self.base = base
        self.key = key
        self.client = ngrok.Client(key, base)

    def keys(self):
        c = self.client.api_keys
        made = c.create(description="deploy", metadata="m")
        has(made, "role", *ENTRY)
        assert made.uri == f"{self.base}/api_keys/{made.id}", made.uri
        assert made.token.startswith(made.id[3:] + "_") and len(made.token) == 49
        assert made.owner_id.startswith("usr_")
        assert c.get(made.id).token is None
        assert c.update(made.id, metadata="n").metadata == "n"
        assert made.id in ids(c.list()) and made.id in ids(c.list(limit="1"))
        theirs = ngrok.Client(made.token, self.base)
        assert theirs.api_keys.get(made.id).description == "deploy"
        c.delete(made.id)
        missing(c.get, made.id)
        refused("ERR_NGROK_203", theirs.api_keys.get, made.id, status=403)
        refused("ERR_NGROK_202", ngrok.Client("nonsense", self.base).api_keys.get, made.id, status=403)
        refused("ERR_NGROK_208", ngrok.Client(made.id, self.base).api_keys.get, made.id, status=403)

    def credentials(self):
        c = self.client.credentials
        made = c.create(acl=["bind:*.example.com", "bind:app=web"])
        has(made, "acl", *ENTRY)
        assert made.token.startswith(made.id[3:] + "_")
        kept = c.update(made.id, description="d")
        assert kept.acl == made.acl and kept.token is None
        refused("ERR_NGROK_600", c.create, acl=["bind:"])
        refused("ERR_NGROK_206", ngrok.Client(made.token, self.base).credentials.get, made.id, status=403)
        assert made.id in ids(c.list())
        c.delete(made.id)
        missing(c.get, made.id)

    def restrictions(self):
        c = self.client.ip_restrictions
        policy = self.client.ip_policies.create()
        refused("ERR_NGROK_1803", c.create, type="moon", ip_policy_ids=[policy.id])
        refused("ERR_NGROK_1804", c.create, type="api", ip_policy_ids=[])
        made = c.create(type="agent", ip_policy_ids=[policy.id])
        has(made, "type", "enforced", "ip_policies")
        assert made.enforced is False and [item.id for item in made.ip_policies] == [policy.id]
        refused("ERR_NGROK_1802", c.create, type="agent", ip_policy_ids=[policy.id])
        refused("ERR_NGROK_1420", self.client.ip_policies.delete, policy.id)
        assert c.update(made.id, enforced=True).enforced is True
        assert made.id in ids(c.list())
        c.delete(made.id)
        self.client.ip_policies.delete(policy.id)

    def protocol(self):
        get = lambda path, **headers: requests.get(self.base + path, headers={"ngrok-version": "2", **headers})
        nobody = get("/ip_policies")
        assert nobody.status_code == 403 and nobody.json()["error_code"] == "ERR_NGROK_200"
        assert "www-authenticate" not in nobody.headers
        assert nobody.headers["ngrok-operation-id"] == nobody.json()["details"]["operation_id"]
        root = get("/", Authorization="Bearer " + self.key).json()
        assert root["subresource_uris"]["api_keys"] == self.base + "/api_keys"
        preflight = requests.options(
            self.base + "/ip_policies",
            headers={"Origin": "https://ui.example", "Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 204, preflight.status_code
        assert preflight.headers["access-control-allow-methods"] == "GET, POST"

    def run(self, parts):
        run_parts(self.keys, self.credentials, self.restrictions, self.protocol, only=parts)


if __name__ == "__main__":
    sys.exit(drive(__doc__, lambda place: Keys(place.base, place.key).run(place.parts)))
