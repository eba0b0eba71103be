#!/usr/bin/env python3
"""What the official client never sends: headers, bodies, methods and queries in every raw form, with plain requests;
and each of the 23 modules by the client. Prints a line per part; the first failed expectation ends it with status 1.
"""

import sys

import ngrok
import requests

from api_client import Props, missing, refused
from connection import drive, run_parts

VERSION = {"ngrok-version": "2"}
JSON = {"content-type": "application/json"}


class Raw:
    def __init__(self, place):
        self.base = place.base
        self.session = requests.Session()
        self.session.headers["authorization"] = "Bearer " + place.key
        self.client = ngrok.Client(place.key, place.base)

    def ask(self, method, path, status, code=None, body=None, headers=None, version=True, **options):
        headers = {**(VERSION if version else {}), **(headers or {})}
        answer = self.session.request(method, self.base + path, data=body, headers=headers, timeout=20, **options)
        told = f"{method} {path} {(body or b'')[:80]!r}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code == status, told
        if status == 204:
            assert answer.content == b"", told
            return None
        assert answer.headers["content-type"] == "application/json", told
        document = answer.json()
        if status >= 400:
            assert document["status_code"] == status and document["msg"], told
            assert document.get("error_code") == (code and f"ERR_NGROK_{code}"), told
            assert all(isinstance(value, str) for value in document["details"].values()), told
        return document

    def versions(self):
        self.ask("GET", "/ip_policies", 400, 218, version=False)
        self.ask("GET", "/ip_policies", 400, 217, headers={"ngrok-version": "3"})
        self.ask("GET", "/ip_policies", 400, 217, headers={"ngrok-version": ""})
        self.ask("GET", "/selvage/revision", 200, version=False)

    def bodies(self):
        ask = self.ask
        ask("POST", "/ip_policies", 400, 216, body=b"{}", headers={"content-type": ""})
        ask("POST", "/ip_policies", 400, 210, body=b"{}", headers={"content-type": "text/plain"})
        ask("POST", "/ip_policies", 400, 210, body=b"a=b", headers={"content-type": "application/x-www-form-urlencoded"})
        made = [
            ask("POST", "/ip_policies", 201),
            ask("POST", "/ip_policies", 201, body=b"{}", headers=JSON),
            ask("POST", "/ip_policies", 201, body=b"null", headers=JSON),
            ask("POST", "/ip_policies", 201, body=b'{"description":null}', headers=JSON),
            ask("POST", "/ip_policies", 201, body=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"}),
        ]
        assert all(policy["description"] == "" == policy["metadata"] for policy in made)
        for body in (b"{", b"[]", b"1", b'"x"', b'{"description":1}', b'{"description":[]}', b"{}{}", b'{"description":"\xff"}',
                     b'{"description":"a","description":"b"}', b"[" * 5000, b"{'a':1}"):
            ask("POST", "/ip_policies", 400, 213, body=body, headers=JSON)
        ask("POST", "/ip_policies", 400, 214, body=b'{"descripton":"x"}', headers=JSON)
        ask("PATCH", "/ip_policies/" + made[0]["id"], 400, 214, body=b'{"id":"x"}', headers=JSON)
        huge = b'{"description":"' + b"x" * (40 << 20) + b'"}'
        try:
            answer = self.session.post(self.base + "/ip_policies", data=huge, headers={**VERSION, **JSON}, timeout=60)
            assert answer.status_code == 413, answer.status_code
        except requests.ConnectionError:
            pass  # Refused before all of it was sent.
        self.ask("GET", "/selvage/revision", 200)
        for policy in made:
            ask("DELETE", "/ip_policies/" + policy["id"], 204)
            ask("DELETE", "/ip_policies/" + policy["id"], 404)

    def methods(self):
        for method, path in (
                ("PUT", "/ip_policies"), ("DELETE", "/ip_policies"), ("PATCH", "/ip_policies"), ("GET", "/nowhere"),
                ("POST", "/tunnels"), ("GET", "/ip_policies/"), ("GET", "//ip_policies"), ("POST", "/ip_policies/ipp_x"),
                ("GET", "/edges/https/x/routes"), ("GET", "/bot_users")):
            answer = self.ask(method, path, 404)
            assert answer == {"status_code": 404, "msg": "Not Found", "details": {"path": path}}, (path, answer)
        answer = self.ask("GET", "/ip_policies/ipp_" + "0" * 27, 404)
        assert answer["msg"] == "Resource not found" and answer["details"]["operation_id"].startswith("op_")

    def queries(self):
        ask = self.ask
        ask("GET", "/ip_policies?colour=red", 400, 231)
        ask("GET", "/ip_policies?limit=1&limit=2", 400, 232)
        ask("POST", "/ip_policies?limit=1", 400, 231)
        ask("GET", "/selvage/revision?x=1", 400, 231)
        for limit, code in (("0", 233), ("101", 233), ("-1", 233), ("many", 244), ("1.5", 244), ("", 244)):
            ask("GET", "/ip_policies?limit=" + limit, 400, code)
        ask("GET", "/ip_policies?before_id=x", 400, 215)
        ask("GET", "/ip_policies?limit=%ff", 400, 215)
        made = [ask("POST", "/ip_policies", 201)["id"] for _ in range(3)]
        page = ask("GET", "/ip_policies?limit=1", 200)
        assert [item["id"] for item in page["ip_policies"]] == made[-1:]
        assert page["next_page_uri"] == f"{self.base}/ip_policies?before_id={made[-1]}&limit=1", page["next_page_uri"]
        assert page["uri"] == self.base + "/ip_policies"
        for id in made:
            ask("DELETE", "/ip_policies/" + id, 204)

    def modules(self):
        """Each of the 23 by the client: set, read, in its owner, removed, gone; and the bare form of PUT."""
        c = self.client
        backend = c.backends.static_address.create(address="127.0.0.1:1")
        policy = c.ip_policies.create()
        pem = requests.get(self.base + "/selvage/ca", headers=dict(self.session.headers)).text
        authority = c.certificate_authorities.create(ca_pem=pem)
        https, tls, tcp = c.edges.https.create(), c.edges.tls.create(), c.edges.tcp.create()
        route = c.edges.https_routes.create(https.id, match_type="path_prefix", match="/")
        owners = {"https_edge_route_": (https.id, route.id), "https_edge_": (https.id,), "tls_edge_": (tls.id,),
                  "tcp_edge_": (tcp.id,)}
        settings = self.settings(backend, policy, authority)
        names = [name for name in dir(c.edge_modules) if "edge_" in name]
        assert len(names) == 23, names
        served = {module["name"] for module in self.ask("GET", "/selvage/configuration", 200)["modules"]}
        served |= {"backend", "tls_termination"}
        for name in names:
            prefix = next(prefix for prefix in owners if name.startswith(prefix))
            module, service = name[len(prefix):], getattr(c.edge_modules, name)
            if module not in served:
                refused(None, service.replace, *owners[prefix], Props(enabled=True))
                print(f"{name}: not served", flush=True)
                continue
            value = settings[module]
            # An HTTPS edge's policy has other phases than a TCP or TLS edge's.
            if module == "traffic_policy" and prefix != "https_edge_route_":
                value = dict(value="on_tcp_connect: []")
            where = owners[prefix]
            missing(service.get, *where)
            service.delete(*where)
            made = service.replace(*where, Props(**value))
            assert made.enabled is True, name
            off = service.replace(*where, Props(**value, enabled=False))
            assert off.enabled is False and service.get(*where)._props["enabled"] is False, name
            owner = {"https_edge_route_": c.edges.https_routes, "https_edge_": c.edges.https, "tls_edge_": c.edges.tls,
                     "tcp_edge_": c.edges.tcp}[prefix]
            kept = owner.update(*where, metadata=name)
            assert kept._props[module] is not None and kept.metadata == name, "a module that is not named stays"
            path = f"/edges/{prefix.split('_')[0]}/{where[0]}" + (f"/routes/{where[1]}" if len(where) > 1 else "")
            self.ask("PUT", f"{path}/{module}", 400, 214, body=b'{"module":{"enabled":true}}', headers=JSON)
            self.ask("PUT", f"{path}/{module}", 400, 214, body=b'{"colour":null}', headers=JSON)
            service.delete(*where)
            missing(service.get, *where)
            assert owner.get(*where)._props[module] is None, name
        for item, service in ((https, c.edges.https), (tls, c.edges.tls), (tcp, c.edges.tcp),
                              (authority, c.certificate_authorities), (policy, c.ip_policies),
                              (backend, c.backends.static_address)):
            service.delete(item.id)

    def settings(self, backend, policy, authority):
        metadata = (
            '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example/saml">'
            '<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            'Location="https://idp.example/sso"/></IDPSSODescriptor></EntityDescriptor>')
        return {
            "backend": dict(backend_id=backend.id), "ip_restriction": dict(ip_policy_ids=[policy.id]),
            "mutual_tls": dict(certificate_authority_ids=[authority.id]), "tls_termination": dict(min_version="1.3"),
            "circuit_breaker": dict(error_threshold_percentage=0.5), "compression": {},
            "request_headers": dict(add={"x-a": "b"}), "response_headers": dict(remove=["x-b"]),
            "webhook_verification": dict(provider="github", secret="s"), "websocket_tcp_converter": {},
            "user_agent_filter": dict(deny=["(?i)bot"]),
            "oauth": dict(provider={"google": {"client_id": "a", "client_secret": "b", "scopes": ["email"]}}),
            "oidc": dict(issuer="https://idp.example", client_id="a", client_secret="b"),
            "saml": dict(idp_metadata=metadata), "traffic_policy": dict(value="on_http_request: []"),
        }

    def run(self, parts):
        run_parts(self.versions, self.bodies, self.methods, self.queries, self.modules, only=parts)


if __name__ == "__main__":
    sys.exit(drive(__doc__, lambda place: Raw(place).run(place.parts)))
