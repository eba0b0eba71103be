#!/usr/bin/env python3
"""Drives every resource that the server has through the official client (`pip install ngrok-api`).

Prints a line per part; the first failed expectation ends it with status 1.
"""

import datetime
import subprocess
import sys
import tempfile

import ngrok
import requests
from ngrok.error import Error, NotFoundError

from connection import drive, run_parts

FRAME = {"id", "uri", "created_at", "description", "metadata"}
ROUTE_MODULES = {
    "backend", "ip_restriction", "circuit_breaker", "compression", "request_headers", "response_headers",
    "webhook_verification", "oauth", "saml", "oidc", "websocket_tcp_converter", "user_agent_filter", "traffic_policy",
}
PREFIX = "c" + datetime.datetime.now().strftime("%H%M%S%f")


class Props:
    """What the client takes for a nested object: its own constructors cannot be sent again."""

    def __init__(self, **props):
        self._props = props


def refused(code, call, *arguments, status=400, **options):
    """The call fails with this code, in the shape that the client understands."""
    try:
        call(*arguments, **options)
    except Error as error:
        assert error.error_code == code, f"{error.error_code} {error.args[1]!r} instead of {code}"
        assert error.http_status_code == status, error.http_status_code
        assert error.args[1], "no message"
        if status != 404 or code:
            assert error.operation_id.startswith("op_"), error.details
        assert all(isinstance(value, str) for value in error.details.values()), error.details
        return
    raise AssertionError(f"{call} was not refused with {code}")


def missing(call, *arguments):
    try:
        call(*arguments)
    except NotFoundError as error:
        assert error.http_status_code == 404
        assert error.error_code is None and error.args[1] == "Resource not found", error.args
        return
    raise AssertionError(f"{call} found something")


def has(item, *fields):
    """Every documented field, and no other."""
    expected = FRAME | set(fields)
    assert set(item._props) == expected, f"{set(item._props) ^ expected}"


def ids(page):
    return [item.id for item in page]


class Walk:
    def __init__(self, base):
        self.base = base
        self.client = ngrok.Client("no-key-needed", base)
        self.domain = self.client.reserved_domains.create(domain=f"www.{PREFIX}.example.com")
        self.backend = self.client.backends.static_address.create(address="127.0.0.1:8080")

    def domains(self):
        c = self.client.reserved_domains
        has(
            self.domain, "domain", "region", "cname_target", "certificate", "certificate_management_policy",
            "certificate_management_status", "acme_challenge_cname_target", "resolves_to")
        assert self.domain.uri == f"{self.base}/reserved_domains/{self.domain.id}", self.domain.uri
        assert self.domain.certificate.id.startswith("cert_")
        assert self.domain.certificate_management_status.renews_at
        assert self.domain.certificate_management_policy.private_key_type == "ecdsa"
        assert self.domain.region == "" and self.domain.resolves_to == []
        other = c.create(domain=f"*.{PREFIX}.example.net", description="d", metadata="m")
        assert c.update(other.id, description="", metadata="n").description == ""
        assert c.get(other.id).metadata == "n"
        assert other.id in ids(c.list()) and self.domain.id in ids(c.list(limit="1"))
        refused("ERR_NGROK_413", c.create, domain=self.domain.domain.upper())
        refused("ERR_NGROK_448", c.create, domain="localhost")
        refused("ERR_NGROK_402", c.create, domain="a.*.example.com")
        refused("ERR_NGROK_420", c.update, other.id, description="x" * 256)
        refused("ERR_NGROK_436", c.delete_certificate, other.id)
        c.delete_certificate_management_policy(other.id)
        assert c.get(other.id).certificate is None
        c.delete(other.id)
        missing(c.get, other.id)

    def certificates(self):
        c = self.client.tls_certificates
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["openssl", "req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", "/CN=own.example.com/O=Acme", "-addext", "subjectAltName=DNS:own.example.com",
                 "-keyout", f"{folder}/key", "-out", f"{folder}/cert"], check=True, capture_output=True)
            chain, key = open(f"{folder}/cert").read(), open(f"{folder}/key").read()
        own = c.create(certificate_pem=chain, private_key_pem=key, description="mine")
        has(
            own, "certificate_pem", "subject_common_name", "subject_alternative_names", "issued_at", "not_before",
            "not_after", "key_usages", "extended_key_usages", "private_key_type", "issuer_common_name",
            "serial_number", "subject_organization", "subject_organizational_unit", "subject_locality",
            "subject_province", "subject_country")
        assert own.subject_common_name == "own.example.com" and own.subject_organization == "Acme"
        assert own.subject_alternative_names.dns_names == ["own.example.com"]
        assert own.certificate_pem == chain and own.private_key_type == "ecdsa"
        refused("ERR_NGROK_1901", c.create, certificate_pem=chain, private_key_pem="")
        refused("ERR_NGROK_1924", c.create, certificate_pem=chain, private_key_pem=chain)
        refused("ERR_NGROK_1925", c.create, certificate_pem=key, private_key_pem=key)
        refused("ERR_NGROK_1922", c.create, certificate_pem="nothing", private_key_pem=key)
        managed = self.domain.certificate.id
        refused("ERR_NGROK_1966", c.delete, managed)
        domains = self.client.reserved_domains
        swapped = domains.update(self.domain.id, certificate_id=own.id)
        assert swapped.certificate.id == own.id and swapped.certificate_management_policy is None
        missing(c.get, managed)
        back = domains.update(
            self.domain.id, certificate_management_policy=Props(authority="letsencrypt", private_key_type="rsa"))
        assert c.get(back.certificate.id).private_key_type == "rsa"
        refused("ERR_NGROK_1965", domains.update, self.domain.id, certificate_id="cert_" + "0" * 27)
        assert c.update(own.id, description="x").description == "x"
        assert own.id in ids(c.list())
        c.delete(own.id)
        missing(c.get, own.id)

    def addresses(self):
        c = self.client.reserved_addrs
        address = c.create(description="d", region="eu")
        has(address, "addr", "region")
        assert address.region == "eu" and address.addr.rsplit(":", 1)[1].isdigit()
        assert c.update(address.id, metadata="m").metadata == "m"
        refused("ERR_NGROK_500", c.create, region="mars")
        assert address.id in ids(c.list())
        edges = self.client.edges.tcp
        edge = edges.create(hostports=[address.addr], backend=Props(backend_id=self.backend.id))
        has(edge, "hostports", "backend", "ip_restriction", "traffic_policy")
        assert edge.hostports == [address.addr] and edge.backend.backend.id == self.backend.id
        refused("ERR_NGROK_7120", edges.create, hostports=[self.domain.domain + ":443"])
        refused("ERR_NGROK_7113", edges.create, hostports=["nowhere.example.com:1"])
        refused("ERR_NGROK_7121", self.client.edges.https.create, hostports=[address.addr])
        refused("ERR_NGROK_7133", self.client.edges.tls.create, hostports=[address.addr])
        assert edges.update(edge.id, description="x").hostports == [address.addr]
        modules = self.client.edge_modules
        modules.tcp_edge_backend.delete(edge.id)
        missing(modules.tcp_edge_backend.get, edge.id)
        edges.delete(edge.id)
        c.delete(address.id)
        missing(c.get, address.id)
        again = c.create()
        assert again.addr != address.addr and again.region == "us"
        c.delete(again.id)

    def policies(self):
        c = self.client.ip_policies
        rules = self.client.ip_policy_rules
        policy = c.create(description="d")
        has(policy)
        rule = rules.create(cidr="10.0.0.0/8", ip_policy_id=policy.id, action="allow")
        has(rule, "cidr", "ip_policy", "action")
        assert rule.ip_policy.id == policy.id and rule.ip_policy.uri == policy.uri
        refused("ERR_NGROK_1406", rules.create, cidr="x", ip_policy_id=policy.id, action="allow")
        refused("ERR_NGROK_1409", rules.create, cidr="10.0.0.1/8", ip_policy_id=policy.id, action="allow")
        refused("ERR_NGROK_1413", rules.create, cidr="10.0.0.1", ip_policy_id=policy.id, action="allow")
        refused("ERR_NGROK_1408", rules.create, cidr="10.0.0.0/8", ip_policy_id=policy.id, action="deny")
        refused("ERR_NGROK_1422", rules.create, cidr="10.1.0.0/16", ip_policy_id=policy.id, action="perhaps")
        assert rules.update(rule.id, cidr="2001:db8::/32").cidr == "2001:db8::/32"
        assert rules.get(rule.id).action == "allow"
        made = [policy.id] + [c.create().id for _ in range(4)]
        assert [i for i in ids(c.list(limit="2")) if i in made] == made[::-1], "newest first, over pages"
        page = c.list(before_id=made[2], limit="1")
        assert page.ip_policies[0].id == made[1] and page.next_page_uri.endswith("&limit=1")
        refused("ERR_NGROK_233", c.list, limit="0")
        refused("ERR_NGROK_244", c.list, limit="many")
        refused("invalid_cel_expression", c.list, filter="obj.id")
        for id in made[1:]:
            c.delete(id)
        refused(None, c.get, made[1], status=404)
        c.delete(policy.id)
        missing(rules.get, rule.id)

    def backends(self):
        c = self.client.backends
        has(self.backend, "address", "tls")
        assert self.backend.tls.enabled is False
        assert c.static_address.update(self.backend.id, metadata="m").address == "127.0.0.1:8080", "an empty address stays"
        assert c.static_address.update(self.backend.id, tls=Props(enabled=True)).tls.enabled is True
        assert c.static_address.update(self.backend.id, tls=Props(enabled=False)).tls.enabled is False
        refused("ERR_NGROK_6505", c.static_address.create, address="nowhere")
        page = c.http_response.create(body="gone", status_code=410, headers={"X-Reason": "gone"})
        has(page, "body", "headers", "status_code")
        assert page.headers == {"x-reason": "gone"} and page.status_code == 410
        assert c.http_response.create().status_code == 200
        refused("ERR_NGROK_6517", c.http_response.create, status_code=99)
        weighted = c.weighted.create(backends={self.backend.id: 95, page.id: 5})
        has(weighted, "backends")
        assert weighted.backends == {self.backend.id: 95, page.id: 5}
        refused("ERR_NGROK_6512", c.weighted.create, backends={page.id: 10001})
        refused("ERR_NGROK_6526", c.weighted.create, backends={"x": 1})
        refused("ERR_NGROK_6501", c.weighted.create, backends={"bkdsc_" + "0" * 27: 1})
        failover = c.failover.create(backends=[weighted.id, page.id])
        has(failover, "backends")
        refused("ERR_NGROK_6524", c.weighted.update, weighted.id, backends={failover.id: 1})
        refused("ERR_NGROK_6502", c.weighted.delete, weighted.id)
        for service, item in ((c.static_address, self.backend), (c.http_response, page), (c.weighted, weighted)):
            assert item.id in ids(service.list()) and service.get(item.id).id == item.id
        c.failover.delete(failover.id)
        c.weighted.delete(weighted.id)
        c.http_response.delete(page.id)
        missing(c.weighted.get, weighted.id)

    def https_edges(self):
        c = self.client.edges.https
        hostport = self.domain.domain + ":443"
        edge = c.create(hostports=[hostport.upper()], description="d")
        has(edge, "hostports", "mutual_tls", "tls_termination", "routes")
        assert edge.hostports == [hostport] and edge.routes == [] and edge.mutual_tls is None
        refused("ERR_NGROK_7122", c.create, hostports=[hostport])
        refused("ERR_NGROK_7116", c.create, hostports=[self.domain.domain + ":80"])
        refused("ERR_NGROK_7117", c.create, hostports=["not.reserved.example.com:443"])
        refused("ERR_NGROK_7104", c.create, hostports=["nothing"])
        refused("ERR_NGROK_446", self.client.reserved_domains.delete, self.domain.id)
        termination = self.client.edge_modules.https_edge_tls_termination
        assert termination.replace(edge.id, Props(min_version="1.3"))._props == {
            "enabled": True, "min_version": "1.3", "terminate_at": "edge"}
        refused("ERR_NGROK_219", termination.replace, edge.id, Props(min_version="2.0"))
        assert termination.replace(edge.id)._props["min_version"] is None
        termination.delete(edge.id)
        missing(termination.get, edge.id)
        self.routes(edge)
        assert c.update(edge.id, metadata="m").description == "d"
        assert edge.id in ids(c.list())
        c.delete(edge.id)
        missing(c.get, edge.id)

    def routes(self, edge):
        c = self.client.edges.https_routes
        route = c.create(
            edge.id, match_type="path_prefix", match="/", backend=Props(backend_id=self.backend.id),
            compression=Props(enabled=True))
        has(route, "edge_id", "match_type", "match", *ROUTE_MODULES)
        assert route.uri == f"{self.base}/edges/https/{edge.id}/routes/{route.id}"
        assert route.backend.backend.uri == f"{self.base}/backends/static/{self.backend.id}"
        assert route.compression.enabled is True and route.oauth is None
        refused("ERR_NGROK_7126", c.create, edge.id, match_type="exact_path", match="/")
        refused("ERR_NGROK_7130", c.create, edge.id, match_type="regex", match="/a")
        refused("ERR_NGROK_7131", c.create, edge.id, match_type="exact_path", match="a")
        kept = c.update(edge.id, route.id)
        assert (kept.match, kept.match_type) == ("/", "path_prefix"), "what the client leaves out stays"
        assert c.update(edge.id, route.id, match="/app").backend.backend.id == self.backend.id
        assert self.client.edges.https.get(edge.id).routes[0].match == "/app"
        refused("ERR_NGROK_6502", self.client.backends.static_address.delete, self.backend.id)
        self.modules(edge.id, route.id)
        c.delete(edge.id, route.id)
        refused("ERR_NGROK_7124", c.get, edge.id, route.id, status=404)

    def modules(self, edge, route):
        m = self.client.edge_modules
        policy = self.client.ip_policies.create()
        breaker = m.https_edge_route_circuit_breaker
        assert breaker.replace(edge, route, Props(error_threshold_percentage=0.2))._props == {
            "enabled": True, "error_threshold_percentage": 0.2, "tripped_duration": 0, "rolling_window": 0,
            "num_buckets": 0, "volume_threshold": 0}
        refused("ERR_NGROK_7011", breaker.replace, edge, route, Props(error_threshold_percentage=2))
        assert m.https_edge_route_compression.replace(edge, route)._props == {"enabled": True}
        headers = m.https_edge_route_response_headers.replace(edge, route, Props(add={"X-Frame-Options": "DENY"}))
        assert headers._props == {"enabled": True, "add": {"x-frame-options": "DENY"}, "remove": []}
        m.https_edge_route_request_headers.replace(edge, route, Props(remove=["Cookie"], enabled=False))
        assert m.https_edge_route_request_headers.get(edge, route)._props["enabled"] is False
        restriction = m.https_edge_route_ip_restriction.replace(edge, route, Props(ip_policy_ids=[policy.id]))
        assert [item.id for item in restriction.ip_policies] == [policy.id]
        refused("ERR_NGROK_7007", m.https_edge_route_ip_restriction.replace, edge, route,
                Props(ip_policy_ids=["ipp_" + "0" * 27]))
        refused("ERR_NGROK_1420", self.client.ip_policies.delete, policy.id)
        refused("ERR_NGROK_242", m.https_edge_route_backend.replace, edge, route, Props(backend_id="x"))
        refused("ERR_NGROK_7037", m.https_edge_route_oauth.replace, edge, route, Props(enabled=True))
        missing(m.https_edge_route_oauth.get, edge, route)
        for part in (m.https_edge_route_ip_restriction, breaker, m.https_edge_route_compression,
                     m.https_edge_route_request_headers, m.https_edge_route_response_headers,
                     m.https_edge_route_backend):
            part.delete(edge, route)
            missing(part.get, edge, route)
        self.client.ip_policies.delete(policy.id)

    def tls_edges(self):
        c = self.client.edges.tls
        edge = c.create(
            hostports=[self.domain.domain + ":443"], backend=Props(backend_id=self.backend.id),
            tls_termination=Props(terminate_at="upstream"))
        has(edge, "hostports", "backend", "ip_restriction", "mutual_tls", "tls_termination", "traffic_policy")
        assert edge.tls_termination.terminate_at == "upstream"
        termination = self.client.edge_modules.tls_edge_tls_termination
        refused("ERR_NGROK_7032", termination.replace, edge.id, Props(terminate_at="upstream", min_version="1.3"))
        refused("ERR_NGROK_224", termination.replace, edge.id, Props(terminate_at="moon"))
        assert termination.replace(edge.id)._props["terminate_at"] == "edge"
        assert edge.id in ids(c.list())
        c.delete(edge.id)
        missing(c.get, edge.id)

    def protocol(self):
        """What the client never sends."""
        get = lambda path, **headers: requests.get(self.base + path, headers=headers)
        assert get("/ip_policies").json()["error_code"] == "ERR_NGROK_218"
        assert get("/ip_policies", **{"ngrok-version": "3"}).json()["error_code"] == "ERR_NGROK_217"
        nowhere = get("/nowhere", **{"ngrok-version": "2"})
        assert nowhere.status_code == 404
        assert nowhere.json() == {"status_code": 404, "msg": "Not Found", "details": {"path": "/nowhere"}}
        assert nowhere.headers["content-type"] == "application/json"
        policy = self.client.ip_policies.create()
        headers = {"ngrok-version": "2", "if-match": '"0"'}
        assert requests.delete(policy.uri, headers=headers).status_code == 412
        headers["if-match"] = requests.get(policy.uri, headers={"ngrok-version": "2"}).headers["etag"]
        deleted = requests.delete(policy.uri, headers=headers)
        assert deleted.status_code == 204 and deleted.content == b""

    def clear(self):
        self.client.backends.static_address.delete(self.backend.id)
        self.client.reserved_domains.delete(self.domain.id)
        missing(self.client.reserved_domains.get, self.domain.id)

    def run(self, parts):
        run_parts(self.domains, self.certificates, self.addresses, self.policies, self.backends, self.https_edges,
                  self.tls_edges, self.protocol, self.clear, only=parts)


if __name__ == "__main__":
    sys.exit(drive(__doc__, lambda place: Walk(place.base).run(place.parts)))
