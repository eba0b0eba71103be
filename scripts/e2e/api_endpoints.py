#!/usr/bin/env python3
"""Drives endpoints, tunnels and tunnel sessions, and the filters of lists, through the official client
(`pip install ngrok-api`).

Prints a line per part; the first failed expectation ends it with status 1.
"""

import sys

import ngrok
import requests

from api_client import PREFIX, ids, missing, refused
from connection import drive, run_parts

NOWHERE = "_" + "0" * 27
FIELDS = {
    "id", "region", "created_at", "updated_at", "public_url", "proto", "scheme", "hostport", "host", "port", "type",
    "metadata", "description", "domain", "tcp_addr", "tunnel", "edge", "upstream_url", "upstream_protocol", "url",
    "principal", "traffic_policy", "bindings", "tunnel_session", "uri", "name", "pooling_enabled",
}


class Endpoints:
    def __init__(self, base):
        self.base = base
        self.client = ngrok.Client("no-key-needed", base)
        self.service = self.client.endpoints
        self.domains = [
            self.client.reserved_domains.create(domain=f"{name}.{PREFIX}.example.com") for name in ("a", "b", "*.wild")]

    def host(self, name):
        return f"{name}.{PREFIX}.example.com"

    def create(self, url, **options):
        return self.service.create(url=url, type="cloud", traffic_policy="{}", **options)

    def cloud(self):
        made = self.create(f"https://{self.host('a')}:443", description="d", metadata="m")
        assert set(made._props) == FIELDS, set(made._props) ^ FIELDS
        assert made.id.startswith("ep_") and made.uri == f"{self.base}/endpoints/{made.id}", made.uri
        assert made.url == made.public_url == f"https://{self.host('a')}" and made.hostport == f"{self.host('a')}:443"
        assert made.type == "cloud" and made.bindings == ["public"] and made.pooling_enabled is False
        assert made.domain.id == self.domains[0].id and made.edge is None and made.traffic_policy == "{}"
        assert self.service.get(made.id) == made
        changed = self.service.update(made.id, metadata="", pooling_enabled=True)
        assert changed.metadata == "" and changed.description == "d" and changed.pooling_enabled is True
        refused("ERR_NGROK_18005", self.service.update, made.id, url=f"tls://{self.host('a')}")
        refused("ERR_NGROK_18017", self.create, f"https://{self.host('a')}")
        other = self.create(f"https://{self.host('a')}", pooling_enabled=True)
        assert self.service.update(other.id, url=f"https://x.wild.{PREFIX}.example.com").domain.id == self.domains[2].id
        refused("ERR_NGROK_446", self.client.reserved_domains.delete, self.domains[2].id)
        refused("ERR_NGROK_18006", self.create, "https://nobody.example.com")
        refused("ERR_NGROK_18022", self.create, self.host("b"))
        refused("ERR_NGROK_248", self.service.create, url=f"https://{self.host('b')}", type="edge", traffic_policy="{}")
        refused("ERR_NGROK_7122", self.client.edges.https.create, hostports=[f"{self.host('a')}:443"])
        for gone in (made, other):
            gone.delete()
            missing(self.service.get, gone.id)

    def edges(self):
        edge = self.client.edges.tls.create(hostports=[f"{self.host(name)}:443" for name in ("a", "b")])
        found = [item for item in self.service.list() if item.edge and item.edge.id == edge.id]
        assert [item.url for item in found] == [f"tls://{self.host('a')}", f"tls://{self.host('b')}"]
        for item in found:
            assert set(item._props) == FIELDS and item.type == "edge" and item.domain.id
            assert self.service.get(item.id) == item
        refused(None, self.service.update, found[0].id, metadata="m")
        refused(None, self.service.delete, found[0].id)
        refused("ERR_NGROK_18017", self.create, f"https://{self.host('a')}")
        cloud = self.create(f"http://{self.host('a')}")
        wanted = [cloud.id, found[0].id, found[1].id]
        assert [i for i in ids(self.service.list(limit="1")) if i in wanted] == wanted, "newest first, over pages"
        assert ids(self.service.list(id=[found[1].id, cloud.id])) == [cloud.id, found[1].id]
        assert ids(self.service.list(url=[found[0].url], limit="1")) == [found[0].id]
        own = f'obj.url.endsWith("{PREFIX}.example.com")'
        assert ids(self.service.list(filter=f'{own} && obj.type == "edge"', limit="1")) == wanted[1:]
        assert ids(self.service.list(filter=f'{own} && obj.created_at > timestamp(time.now).add("1d")')) == []
        cloud.delete()
        edge.delete()
        missing(self.service.get, found[0].id)

    def filters(self):
        service = self.client.reserved_domains
        query = f'obj.domain.contains("{PREFIX}") && obj.certificate != null && !(obj.domain.startsWith("a."))'
        assert ids(service.list(filter=query, limit="1")) == [self.domains[2].id, self.domains[1].id]
        for wrong in ("obj.", "obj.nothing == 1", "obj.domain", 'obj.id.startsWith("rd_")'):
            refused("invalid_cel_expression", service.list, filter=wrong)
        headers = {"ngrok-version": "2", "authorization": "Bearer no-key-needed"}
        page = requests.get(
            f"{self.base}/reserved_domains", params={"filter": query, "limit": 1}, headers=headers).json()
        assert page["next_page_uri"].startswith(f"{self.base}/reserved_domains?before_id=rd_"), page["next_page_uri"]
        assert "&limit=1&filter=" in page["next_page_uri"]

    def tunnels(self):
        for service, prefix in ((self.client.tunnels, "tn"), (self.client.tunnel_sessions, "ts")):
            assert ids(service.list()) == [] == ids(service.list(limit="1"))
            missing(service.get, prefix + NOWHERE)
        sessions = self.client.tunnel_sessions
        for ask in (sessions.stop, sessions.restart, sessions.update):
            missing(ask, "ts" + NOWHERE)

    def clear(self):
        for domain in self.domains:
            self.client.reserved_domains.delete(domain.id)

    def run(self, parts):
        run_parts(self.cloud, self.edges, self.filters, self.tunnels, self.clear, only=parts)


if __name__ == "__main__":
    sys.exit(drive(__doc__, lambda place: Endpoints(place.base).run(place.parts)))
