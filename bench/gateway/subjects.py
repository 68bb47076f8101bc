"""What is compared: how each gateway is configured and started.

Each verifies tokens where it can, and none keeps less than it would by default. All listen on loopback and may use
both cores. The same token, of an ES256 key made for the run, goes to all that verify one.
"""

import datetime
import json
import pathlib
import subprocess

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER, AUDIENCE, TENANT = "https://issuer.bench", "https://gateway.bench", "org_acme_corp"


class Subject:
    """The upstream itself: nothing in between."""

    name, model, headers = "direct", "gpt-4o-mini", ()
    # Whether a caller that nobody vouches for is refused.
    verifies = False

    def folder(self, work):
        return work / "run"

    def start(self, folder, port, upstream):
        """What to run, and what to add to its environment."""
        return None, {}

    def tells(self, own, text):
        """Whether `text` is what a caller should get where the upstream's own words are `own`."""
        return text == own

    def check(self, folder, requests):
        """Whether it did its work."""


class Plain(Subject):
    name = "hyper, plain"

    def __init__(self, release):
        self.binary = release / "greffier-load"

    def start(self, folder, port, upstream):
        return [self.binary, "proxy", str(port), str(upstream)], {}


class Issuer:
    """A key and a token that it signed."""

    def __init__(self):
        key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
        self.jwks = json.dumps({"keys": [public | {"kid": "bench", "alg": "ES256", "use": "sig"}]})
        now = datetime.datetime.now(datetime.UTC)
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "org_id": TENANT, "roles": ["analyst"], "client_id": "bench",
            "iat": now, "exp": now + datetime.timedelta(hours=12),
        }
        self.token = jwt.encode(claims, key, "ES256", {"kid": "bench", "typ": "at+jwt"})


class Envoy(Subject):
    """Verifies the token and writes an access log line of JSON with the caller's name; the log is not synced."""

    verifies = True

    def __init__(self, venv, issuer, cache):
        self.name = "Envoy, JWT + log" + (", token cache" if cache else "")
        self.headers = (f"authorization: Bearer {issuer.token}",)
        self.binary, self.issuer, self.cache = venv / "bin/envoy", issuer, cache

    def start(self, folder, port, upstream):
        provider = {
            "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": {"inline_string": self.issuer.jwks},
            "payload_in_metadata": "token", "forward": False,
        }
        if self.cache:
            provider["jwt_cache_config"] = {"jwt_cache_size": 1000}
        fields = {
            "time": "%START_TIME%", "path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%", "duration": "%DURATION%",
            "sent": "%BYTES_SENT%", "request_id": "%REQ(X-REQUEST-ID)%",
            "sub": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:token:sub)%",
        }
        kind = "type.googleapis.com/envoy.extensions"
        manager = {
            "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "access_log": [{"name": "file", "typed_config": {
                "@type": f"{kind}.access_loggers.file.v3.FileAccessLog", "path": str(folder / "access.log"),
                "log_format": {"json_format": fields}}}],
            "http_filters": [
                {"name": "jwt", "typed_config": {
                    "@type": f"{kind}.filters.http.jwt_authn.v3.JwtAuthentication", "providers": {"bench": provider},
                    "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]}},
                {"name": "router", "typed_config": {"@type": f"{kind}.filters.http.router.v3.Router"}},
            ],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}]}]},
        }
        address = lambda number: {"socket_address": {"address": "127.0.0.1", "port_value": number}}
        config = {"static_resources": {
            "listeners": [{"address": address(port), "filter_chains": [{"filters": [
                {"name": "http", "typed_config": manager}]}]}],
            "clusters": [{"name": "upstream", "type": "STATIC", "load_assignment": {
                "cluster_name": "upstream", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}}],
        }}
        (folder / "envoy.json").write_text(json.dumps(config))
        return [self.binary, "-c", folder / "envoy.json", "--concurrency", "2", "--log-level", "error"], {}

    def check(self, folder, requests):
        with (folder / "access.log").open() as log:
            lines = sum('"alice"' in line for line in log)
        assert lines >= requests, (lines, requests)


class Portkey(Subject):
    """Neither verifies nor records."""

    name = "Portkey 1.15.2"
    headers = (
        "authorization: Bearer none", "x-portkey-provider: openai", "x-portkey-custom-host: http://127.0.0.1:{upstream}/v1",
    )

    def __init__(self, work):
        self.script = work / "node_modules/@portkey-ai/gateway/build/start-server.js"

    def start(self, folder, port, upstream):
        self.headers = tuple(header.format(upstream=upstream) for header in Portkey.headers)
        return ["node", self.script, f"--port={port}", "--headless"], {}


class LiteLlm(Subject):
    """One worker with its key checked, its logging off."""

    name = "LiteLLM 1.106.2"
    key = "sk-0f3c9d7e21b84a6f9c5d"
    verifies = True

    def __init__(self, venv):
        self.binary, self.headers = venv / "bin/litellm", (f"authorization: Bearer {self.key}",)

    def start(self, folder, port, upstream):
        config = {
            "model_list": [{"model_name": self.model, "litellm_params": {
                "model": f"openai/{self.model}", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}}],
            "litellm_settings": {"callbacks": [], "num_retries": 0},
            "general_settings": {"master_key": self.key},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        argv = [self.binary, "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
        return argv + ["--num_workers", "1", "--telemetry", "False"], {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Greffier(Subject):
    """Everything on: the token verified, the call decided by policy, both directions inspected, two durable records
    with encrypted contents for each call. On a file system in memory a sync costs nothing: the rest of the price.
    """

    verifies = True

    def __init__(self, release, issuer, synced):
        self.name = "Greffier" if synced else "Greffier, no disk sync"
        self.headers = (f"authorization: Bearer {issuer.token}",)
        self.binary, self.issuer, self.synced = release / "greffier", issuer, synced

    def folder(self, work):
        return work / "run" if self.synced else pathlib.Path("/dev/shm/greffier-bench")

    def start(self, folder, port, upstream):
        subprocess.run([self.binary, "init"], cwd=folder, check=True, capture_output=True)
        (folder / "jwks.json").write_text(self.issuer.jwks)
        (folder / "greffier.toml").write_text(f"""
listen = "127.0.0.1:{port}"

[[issuer]]
url = "{ISSUER}"
jwks_file = "jwks.json"
audience = "{AUDIENCE}"
tenants = ["{TENANT}"]
claims = {{ tenant = "/org_id", roles = "/roles" }}

[[upstream]]
name = "openai"
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
api_key_env = "BENCH_KEY"
models = ["*"]
""")
        return [self.binary, "serve"], {"BENCH_KEY": "none"}

    def tells(self, own, text):
        """The same words, with marks in the places of what is sensitive."""
        words, told = own.split(), text.split()
        kept = sum(word in told for word in words)
        return "@" in own and "@" not in text and kept > len(words) * 3 // 4

    def check(self, folder, requests):
        """Two entries for each call, and a content with each: verified from what lies on disk after the stop."""
        argv = [self.binary, "verify", "greffier-data", "-o", "json"]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
        report = json.loads(done.stdout)
        entries = {trail["name"]: trail["entries"] for trail in report["trails"]}
        contents = report["parts_opened"] + report["parts_unopened"]
        assert report["clean"] and not report["problems"], report
        assert entries[TENANT] >= 2 * requests and contents >= 2 * requests, (entries, contents, requests)


def all_of(work, release):
    venv, issuer = work / "venv", Issuer()
    return [
        Subject(),
        Plain(release),
        Envoy(venv, issuer, cache=True),
        Envoy(venv, issuer, cache=False),
        Portkey(work),
        LiteLlm(venv),
        Greffier(release, issuer, synced=True),
        Greffier(release, issuer, synced=False),
    ]
