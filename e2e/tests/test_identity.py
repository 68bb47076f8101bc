"""Whose word counts: tokens that are refused, and keys that change in the middle of use."""

import base64
import concurrent.futures as futures
import dataclasses
import json
import time

import openai
import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization

from conftest import HERE, NODE
from harness.greffier import Greffier
from harness.idp import AUDIENCE, Idp


def b64(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(world, **changes):
    now = int(time.time())
    sound = {
        "iss": world.idp.url, "aud": AUDIENCE, "sub": "alice", "client_id": "console", "jti": "j",
        "iat": now, "exp": now + 600, "org_id": "org_acme_corp", "roles": ["analyst"], "scope": "llm:invoke",
    }
    return {name: value for name, value in (sound | changes).items() if value is not None}


def unsigned(world):
    return f"{b64({'alg': 'none', 'typ': 'at+jwt'})}.{b64(claims(world))}."


def hs256(world):
    """The old confusion: the public key as the secret of an HMAC."""
    public = json.dumps(world.idp.http.get("/jwks").json()["keys"][0]).encode()
    kid = world.idp.http.get("/jwks").json()["keys"][0]["kid"]
    signed = f"{b64({'alg': 'HS256', 'typ': 'at+jwt', 'kid': kid})}.{b64(claims(world))}"
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(signed.encode())
    return f"{signed}.{b64(mac.finalize())}"


def forged(world):
    """A sound token whose claims were changed afterwards."""
    header, _, signature = world.idp.sign(claims(world, roles=["visitor"])).split(".")
    return f"{header}.{b64(claims(world))}.{signature}"


def own_key(world):
    """Signed with a key that the token itself brings along."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:]), "alg": "ES256", "kid": "mine"}
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "mine", "jwk": jwk, "jku": f"{world.tools.url}/jwks"}
    signed = f"{b64(header)}.{b64(claims(world))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


REFUSED = {
    "missing": lambda world: None,
    "not a token": lambda world: "sk-not-a-token-at-all",
    "alg none": unsigned,
    "alg HS256": hs256,
    "forged claims": forged,
    "a key of its own": own_key,
    "wrong audience": lambda world: world.idp.sign(claims(world, aud="https://elsewhere.test")),
    "wrong issuer": lambda world: world.idp.sign(claims(world, iss="https://elsewhere.test")),
    "expired": lambda world: world.idp.sign(claims(world, exp=int(time.time()) - 61)),
    "not yet valid": lambda world: world.idp.sign(claims(world, nbf=int(time.time()) + 120)),
    "no expiry": lambda world: world.idp.sign(claims(world, exp=None)),
    "crit": lambda world: world.idp.sign(claims(world), {"crit": ["b65"], "b65": True}),
    "an ID token": lambda world: world.idp.login("alice")["id_token"],
    "an ID token for us": lambda world: world.idp.sign(
        claims(world, client_id=None, scope=None, nonce="n", at_hash="h"), {"typ": "JWT"}),
    "foreign tenant": lambda world: world.idp.user("mallory"),
    "the reserved tenant": lambda world: world.idp.sign(claims(world, org_id="greffier")),
    "over 16 KiB": lambda world: world.idp.sign(claims(world, roles=["analyst"] + ["r" * 100] * 170)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(why, greffier, world, sdk):
    token = REFUSED[why](world)
    before = (world.reached(), len(world.tools.journal))
    with sdk.http(greffier, token) as http:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "say hello"}]}
        openai_says = http.post("/v1/chat/completions", json=body)
        anthropic_says = http.post("/v1/messages", json=body | {"max_tokens": 9})
        tool_says = http.get("/tools/crm/contacts")
    assert [reply.status_code for reply in (openai_says, anthropic_says, tool_says)] == [401] * 3
    assert openai_says.json()["error"]["code"] == "invalid_api_key"
    assert anthropic_says.json()["type"] == "error"
    assert anthropic_says.json()["error"]["type"] == "authentication_error"
    assert tool_says.json()["error"]["code"]
    assert (world.reached(), len(world.tools.journal)) == before, "a refused caller reached an upstream"
    for reply in (openai_says, anthropic_says, tool_says):
        assert not token or token not in reply.text
    asked = [reply.headers["greffier-request-id"] for reply in (openai_says, anthropic_says, tool_says)]
    told = [event for event in greffier.events("greffier") if event.get("request_id") in asked]
    assert [event["type"] for event in told] == ["permission.denied"] * 3, f"{why}: {told}"
    assert all(event["policy"]["reason"] for event in told)
    assert len({event["outcome"]["error"] for event in told}) == 1


@pytest.fixture
def own(install):
    return install().start()


def works(sdk, greffier, token):
    try:
        sdk.openai(greffier, token).chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "say hello"}],
        )
    except openai.AuthenticationError:
        return False
    return True


@pytest.fixture
def turning(world, tmp_path):
    """A world with a provider of its own, whose keys this test may turn over."""
    idp = Idp(NODE, HERE, tmp_path)
    yield dataclasses.replace(world, idp=idp)
    idp.stop()


def test_keys_rotate_in_the_middle_of_use(binary, turning, tmp_path, sdk):
    world, own = turning, Greffier(binary, turning, tmp_path / "greffier").start()
    try:
        rotate_in_use(own, world, sdk)
        own.assert_calm()
    finally:
        own.stop()


def rotate_in_use(own, world, sdk):
    old = world.idp.user("alice")
    assert works(sdk, own, old)
    world.idp.rotate()
    new = world.idp.user("alice")
    # Many callers come with the new key at once: one of them fetches, nobody is turned away.
    before = world.idp.fetches()
    with futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: works(sdk, own, new), range(8)))
    assert world.idp.fetches() - before == 1, "not a single flight"
    assert works(sdk, own, old), "the old key is still published"

    world.idp.rotate(drop=True)
    newest = world.idp.service("agent-002")
    assert works(sdk, own, newest), "an RS256 token of the newest key"
    assert not works(sdk, own, old), "the key of this token is gone"
    assert not works(sdk, own, new), "the key of this token is gone"


def test_unknown_kids_do_not_hammer_the_provider(own, world, sdk):
    assert works(sdk, own, world.idp.user("alice"))
    before = world.idp.fetches()
    for number in range(10):
        token = world.idp.sign(claims(world), {"kid": f"invented-{number}"})
        assert not works(sdk, own, token)
    assert world.idp.fetches() - before <= 1


def test_the_development_issuer_serves_without_configuration(binary, world, tmp_path, sdk):
    """`init`, `serve`, `token`, and nothing else: the first five minutes."""
    greffier = Greffier(binary, world, tmp_path / "dev")
    text = greffier.config.read_text()
    start, end = text.index("[[issuer]]"), text.index("[[upstream]]")
    greffier.config.write_text(text[:start] + text[end:])
    greffier.start()
    try:
        done = greffier.run("token", "--config", greffier.config, "--sub", "dora", "--role", "analyst",
                            "--scope", "llm:invoke")
        assert done.returncode == 0, done.stderr
        reply = sdk.openai(greffier, done.stdout.strip()).chat.completions.with_raw_response.create(
            model="gpt-4o", messages=[{"role": "user", "content": "say hello"}],
        )
        request_id = reply.headers["greffier-request-id"]
        decision = next(event for event in greffier.events() if event.get("request_id") == request_id)
        assert decision["user"]["sub"] == "dora" and "verified" not in decision["user"]
    finally:
        greffier.stop()
