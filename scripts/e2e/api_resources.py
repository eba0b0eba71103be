#!/usr/bin/env python3
"""Drives tunnel groups, certificate authorities, agent ingresses, events and application users through the official
client (`pip install ngrok-api`).

Prints a line per part; the first failed expectation ends it with status 1.
"""

import subprocess
import sys
import tempfile

import ngrok

from api_client import PREFIX, Props, has, ids, missing, refused
from connection import drive, run_parts

NOWHERE = "_" + "0" * 27
ROLE = {"role": {"role_arn": "arn:aws:iam::123456789012:role/example"}}
STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"


def pages(service, made, **options):
    """What was made is listed newest first, over pages of two, and found again by what is older."""
    assert [i for i in ids(service.list(limit="2", **options)) if i in made] == made[::-1], "newest first, over pages"
    page = service.list(before_id=made[1], limit="1", **options)
    assert page.next_page_uri is None or page.next_page_uri.startswith("http"), page.next_page_uri
    assert next(iter(page)).id == made[0]
    refused("ERR_NGROK_233", service.list, limit="101")
    refused("ERR_NGROK_215", service.list, before_id="nothing")


def authority(folder, *extensions):
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=Clients/O=Acme", "-keyout", f"{folder}/key", "-out", f"{folder}/cert"]
        + [part for extension in extensions for part in ("-addext", extension)], check=True, capture_output=True)
    return open(f"{folder}/cert").read(), open(f"{folder}/key").read()


class Resources:
    def __init__(self, base):
        self.base = base
        self.client = ngrok.Client("no-key-needed", base)

    def tunnel_groups(self):
        c = self.client.backends.tunnel_group
        group = c.create(labels={"app": PREFIX, "version": "1"}, description="d")
        has(group, "labels", "tunnels")
        assert group.id.startswith("bkdtg_") and group.labels == {"app": PREFIX, "version": "1"} and group.tunnels == []
        assert group.uri == f"{self.base}/backends/tunnel_group/{group.id}"
        kept = c.update(group.id, metadata="m")
        assert (kept.labels, kept.metadata, kept.description) == (group.labels, "m", "d"), "absent labels stay"
        assert c.update(group.id, labels={"app": "b"}, description="").labels == {"app": "b"}
        assert c.get(group.id).description == ""
        assert c.create().labels == {}
        for labels, code in (
                ({"a=b": "c"}, 6531), ({"a": "b=c"}, 6531), ({"": "x"}, 6509), ({"k" * 256: "v"}, 6509),
                ({"k": "v" * 256}, 6510), ({f"k{n}": "v" for n in range(33)}, 6508)):
            refused(f"ERR_NGROK_{code}", c.create, labels=labels)
        page = self.client.backends.http_response.create(body="nobody is here", status_code=503)
        failover = self.client.backends.failover.create(backends=[group.id, page.id])
        refused("ERR_NGROK_6502", c.delete, group.id)
        self.client.backends.failover.delete(failover.id)
        self.client.backends.http_response.delete(page.id)
        pages(c, [c.create(labels={"n": str(n)}).id for n in range(3)])
        for item in list(c.list()):
            if item.id == group.id or item.labels in ({}, {"n": "0"}, {"n": "1"}, {"n": "2"}):
                c.delete(item.id)
        missing(c.get, group.id)
        missing(c.delete, group.id)

    def certificate_authorities(self):
        c = self.client.certificate_authorities
        with tempfile.TemporaryDirectory() as folder:
            pem, key = authority(folder, "keyUsage=critical,keyCertSign,cRLSign")
            leaf = authority(folder, "basicConstraints=critical,CA:FALSE")[0]
        ca = c.create(ca_pem=pem, description="clients", metadata="m")
        has(ca, "ca_pem", "subject_common_name", "not_before", "not_after", "key_usages", "extended_key_usages")
        assert ca.ca_pem == pem and ca.subject_common_name == "Clients"
        assert ca.key_usages == ["keyCertSign", "cRLSign"] and ca.extended_key_usages == []
        assert ca.not_before < ca.not_after and ca.uri == f"{self.base}/certificate_authorities/{ca.id}"
        for text, code in (
                ("", 1919), ("nothing", 1922), (key, 1911), (pem + pem, 1912), (leaf, 1913),
                ("-----BEGIN CERTIFICATE-----\n", 1920), (pem + "\n" * 65536, 1921)):
            refused(f"ERR_NGROK_{code}", c.create, ca_pem=text)
        refused("ERR_NGROK_1916", c.update, ca.id, description="x" * 256)
        refused("ERR_NGROK_1917", c.update, ca.id, metadata="x" * 4097)
        assert c.update(ca.id, description="").metadata == "m"
        assert c.get(ca.id).description == ""
        made = [ca.id] + [c.create(ca_pem=pem).id for _ in range(2)]
        pages(c, made)
        assert ids(c.list(filter=f'obj.metadata == "m" && obj.id == "{ca.id}"')) == [ca.id]
        for id in made:
            c.delete(id)
        missing(c.get, ca.id)

    def agent_ingresses(self):
        c = self.client.agent_ingresses
        domain = f"connect.{PREFIX}.example.com"
        ingress = c.create(domain=domain.upper(), description="d")
        has(ingress, "domain", "ns_targets", "region_domains", "certificate_management_policy",
            "certificate_management_status")
        assert ingress.domain == domain and ingress.region_domains
        for name in ingress.region_domains:
            assert name.startswith("tunnel.") and name.endswith("." + domain), name
        assert ingress.ns_targets == [] and ingress.certificate_management_policy is None
        assert ingress.certificate_management_status is None
        assert ingress.uri == f"{self.base}/agent_ingresses/{ingress.id}"
        managed = c.update(ingress.id, certificate_management_policy=Props(authority="letsencrypt"))
        assert managed.certificate_management_policy.private_key_type == "rsa" and managed.description == "d"
        assert c.update(ingress.id, metadata="m").certificate_management_policy.authority == "letsencrypt"
        refused("ERR_NGROK_6706", c.create, domain=domain)
        refused("ERR_NGROK_6704", c.create, domain="not a domain")
        refused("ERR_NGROK_6704", c.create, domain="*.example.com")
        refused("ERR_NGROK_6700", c.update, ingress.id, description="x" * 256)
        refused("ERR_NGROK_6701", c.update, ingress.id, metadata="x" * 4097)
        refused("ERR_NGROK_1908", c.update, ingress.id, certificate_management_policy=Props(authority="me"))
        refused("ERR_NGROK_1909", c.update, ingress.id, certificate_management_policy=Props(private_key_type="dsa"))
        refused("ERR_NGROK_413", self.client.reserved_domains.create, domain=domain)
        made = [ingress.id] + [c.create(domain=f"n{n}.{domain}").id for n in range(2)]
        pages(c, made)
        assert ids(c.list(filter=f'obj.domain == "{domain}"')) == [ingress.id]
        for id in made:
            c.delete(id)
        missing(c.get, ingress.id)

    def event_destinations(self):
        c = self.client.event_destinations
        kinesis = lambda auth, name=STREAM: Props(kinesis={"auth": auth, "stream_arn": name})
        one = c.create(format="json", target=kinesis(ROLE), description="d")
        has(one, "format", "target")
        assert set(one.target._props) == {"kinesis", "firehose", "cloudwatch_logs", "datadog", "azure_logs_ingestion"}
        assert one.target.kinesis.stream_arn == STREAM and one.target.datadog is None and one.format == "json"
        assert one.target.kinesis.auth.role.role_arn == ROLE["role"]["role_arn"]
        assert one.target.kinesis.auth.creds is None
        assert c.update(one.id, metadata="m").target.kinesis.stream_arn == STREAM
        assert c.update(one.id, target=kinesis(ROLE, STREAM + "2")).target.kinesis.stream_arn == STREAM + "2"
        assert c.get(one.id).description == "d"
        creds = {"creds": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hidden"}}
        others = [
            c.create(format="JSON", target=Props(firehose={
                "auth": creds, "delivery_stream_arn": "arn:aws:firehose:us-east-1:1:deliverystream/x"})),
            c.create(format="json", target=Props(cloudwatch_logs={
                "auth": creds, "log_group_arn": "arn:aws:logs:us-east-1:1:log-group:x:*"})),
            c.create(format="json", target=Props(datadog={"api_key": "hidden", "ddsite": "datadoghq.eu"})),
            c.create(format="json", target=Props(azure_logs_ingestion={
                "tenant_id": "t", "client_id": "c", "client_secret": "hidden", "logs_ingestion_uri": "https://x.example",
                "data_collection_rule_id": "r", "data_collection_stream_name": "s"})),
        ]
        assert others[0].target.firehose.auth.creds.aws_access_key_id == "AKIA"
        assert others[0].target.firehose.auth.creds.aws_secret_access_key == ""
        assert others[2].target.datadog.api_key == "" and others[2].target.datadog.ddtags == ""
        assert others[3].target.azure_logs_ingestion.client_secret == ""
        good = kinesis(ROLE)
        both = Props(kinesis=good._props["kinesis"], datadog={"api_key": "k"})
        for target, code in (
                (None, 5100), (Props(), 5100), (both, 5115), (kinesis(None), 5106), (kinesis({}), 5107),
                (kinesis({**ROLE, **creds}), 5116), (kinesis({"role": {"role_arn": "x"}}), 5104),
                (kinesis({"creds": {"aws_access_key_id": "a"}}), 240), (kinesis(ROLE, "x"), 5120),
                (kinesis(ROLE, STREAM.replace("aws", "moon")), 5118), (Props(datadog={}), 236),
                (kinesis(ROLE, STREAM.replace("kinesis", "s3")), 5119),
                (kinesis(ROLE, STREAM.replace("stream/", "table/")), 5130)):
            refused(f"ERR_NGROK_{code}", c.create, format="json", target=target)
        refused("ERR_NGROK_235", c.create, target=good)
        refused("ERR_NGROK_235", c.update, one.id, format="xml")
        refused("ERR_NGROK_5108", c.update, one.id, target=Props(datadog={"api_key": "k"}))
        refused(None, c.update, one.id, description="x" * 256)
        made = [one.id] + [item.id for item in others]
        pages(c, made)
        assert ids(c.list(filter=f'obj.metadata == "m" && obj.description == "d" && obj.id == "{one.id}"')) == [one.id]
        for id in made:
            c.delete(id)
        missing(c.get, one.id)

    def event_subscriptions(self):
        c, sources = self.client.event_subscriptions, self.client.event_sources
        destinations = self.client.event_destinations
        target = destinations.create(format="json", target=Props(datadog={"api_key": "k"}))
        one = c.create(sources=[Props(type="ip_policy_created.v0")], destination_ids=[target.id], description="d")
        has(one, "sources", "destinations")
        uri = f"{self.base}/event_subscriptions/{one.id}"
        assert one.uri == uri and [(d.id, d.uri) for d in one.destinations] == [(target.id, target.uri)]
        assert [(s.type, s.uri) for s in one.sources] == [
            ("ip_policy_created.v0", uri + "/sources/ip_policy_created.v0")]
        kept = c.update(one.id, metadata="m")
        assert [s.type for s in kept.sources] == ["ip_policy_created.v0"] and kept.destinations[0].id == target.id
        refused("ERR_NGROK_5112", destinations.delete, target.id)
        refused("ERR_NGROK_5103", c.create, destination_ids=["ed" + NOWHERE])
        refused("ERR_NGROK_5126", c.create, destination_ids=[target.id] * 17)
        refused("ERR_NGROK_238", c.create, sources=[Props(type="edge_created.v0")])
        refused("ERR_NGROK_5127", c.update, one.id, sources=[Props(type="domain_deleted.v0")] * 2)
        refused(None, c.update, one.id, description="x" * 256)
        added = sources.create(one.id, "tcp_connection_closed.v0")
        assert added._props == {"type": added.type, "uri": f"{uri}/sources/{added.type}"}
        listed = sources.list(one.id)
        assert [s.type for s in listed.sources] == ["ip_policy_created.v0", "tcp_connection_closed.v0"]
        assert listed.uri == uri + "/sources" and set(listed._props) == {"sources", "uri"}
        assert sources.get(one.id, added.type).uri == sources.update(one.id, added.type).uri == added.uri
        refused("ERR_NGROK_5127", sources.create, one.id, added.type)
        refused("ERR_NGROK_238", sources.create, one.id)
        sources.delete(one.id, added.type)
        refused("ERR_NGROK_5125", sources.get, one.id, added.type, status=404)
        refused("ERR_NGROK_5125", sources.delete, one.id, added.type, status=404)
        refused("ERR_NGROK_5123", sources.list, "esb" + NOWHERE, status=404)
        assert [s.type for s in c.update(one.id, sources=[Props(type="domain_deleted.v0")]).sources] == [
            "domain_deleted.v0"]
        made = [one.id] + [c.create().id for _ in range(2)]
        pages(c, made)
        assert ids(c.list(filter=f'obj.metadata == "m" && obj.id == "{one.id}"')) == [one.id]
        for id in made:
            c.delete(id)
        missing(c.get, one.id)
        destinations.delete(target.id)

    def application_users(self):
        for service, prefix in ((self.client.application_users, "appusr"), (self.client.application_sessions, "appses")):
            assert ids(service.list()) == [] == ids(service.list(limit="1"))
            missing(service.get, prefix + NOWHERE)
            missing(service.delete, prefix + NOWHERE)

    def run(self, parts):
        run_parts(self.tunnel_groups, self.certificate_authorities, self.agent_ingresses, self.event_destinations,
                  self.event_subscriptions, self.application_users, only=parts)


if __name__ == "__main__":
    sys.exit(drive(__doc__, lambda place: Resources(place.base).run(place.parts)))
