"""The identity provider, and the ways to get a token from it."""

import json
import re
import urllib.parse

import httpx

from .procs import Process, free_port, listening

AUDIENCE = "https://greffier.test"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class Idp:
    """oidc-provider (npm), run by `idp.mjs`."""

    def __init__(self, node, npm, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = Process("idp", [node, npm / "idp.mjs", self.port, AUDIENCE], folder, cwd=npm)
        self.process.ready(lambda: listening(self.port))
        self.http = httpx.Client(base_url=self.url, trust_env=False)

    def stop(self):
        self.http.close()
        self.process.stop()

    def _token(self, client, **form):
        reply = self.http.post("/token", auth=(client, f"{client}-secret-of-the-suite"), data=form)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def service(self, client="agent-001", scope="llm:invoke tool:crm:read tool:ehr:read"):
        """A client-credentials token: no human behind it."""
        return self._token(client, grant_type="client_credentials", scope=scope)["access_token"]

    def login(self, account, scope="openid llm:invoke tool:crm:read tool:ehr:read"):
        """Logs a person in as a browser would: authorisation code, login form, consent form. All tokens."""
        with httpx.Client(base_url=self.url, trust_env=False, follow_redirects=False) as browser:
            query = {
                "client_id": "console", "response_type": "code", "redirect_uri": "https://app.test/callback",
                "scope": scope, "state": "s", "nonce": "n", "resource": AUDIENCE,
            }
            reply = browser.get("/auth", params=query)
            for _ in range(12):
                if reply.is_redirect:
                    target = urllib.parse.urlsplit(reply.headers["location"])
                    if target.hostname == "app.test":
                        code = urllib.parse.parse_qs(target.query)["code"][0]
                        return self._token(
                            "console", grant_type="authorization_code", code=code,
                            redirect_uri="https://app.test/callback", resource=AUDIENCE,
                        )
                    reply = browser.get(reply.headers["location"])
                else:
                    assert reply.status_code == 200, reply.text
                    action = re.search(r'action="([^"]+)"', reply.text)[1]
                    prompt = re.search(r'name="prompt" value="([^"]+)"', reply.text)[1]
                    reply = browser.post(action, data={"prompt": prompt, "login": account, "password": "any"})
        raise AssertionError(f"the login of {account} did not come to an end")

    def user(self, account="alice"):
        """A person's access token."""
        return self.login(account)["access_token"]

    def exchange(self, token, client="agent-001"):
        """RFC 8693: the agent acts for the token's user."""
        return self._token(
            client, grant_type=EXCHANGE, subject_token=token,
            subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        )["access_token"]

    def sign(self, claims, header=None):
        """A token that a sound provider would not issue, signed with its key all the same."""
        reply = self.http.post("/test/sign", content=json.dumps({"header": header or {}, "claims": claims}))
        assert reply.status_code == 200, reply.text
        return reply.json()["token"]

    def rotate(self, drop=False):
        """New signing keys; the old ones go unpublished with `drop`."""
        reply = self.http.post("/test/rotate", params={"drop": 1} if drop else {})
        assert reply.status_code == 200, reply.text
        return reply.json()["kids"]

    def fetches(self):
        """How often anybody fetched the JWKS."""
        return self.http.get("/test/fetches").json()["jwks"]
