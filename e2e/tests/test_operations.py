"""Policies that change while it serves, a restart, and what an operator looks at."""

import openai
import pytest

from harness.procs import wait_until

MESSAGES = [{"role": "user", "content": "say hello"}]


@pytest.fixture
def own(install):
    return install().start()


def allowed(sdk, greffier, token):
    try:
        sdk.openai(greffier, token).chat.completions.create(model="gpt-4o", messages=MESSAGES)
    except openai.PermissionDeniedError:
        return False
    return True


def policy_events(greffier):
    return [
        event for event in greffier.events("greffier")
        if event.get("resource", {}).get("uri", "").startswith("policy://")
    ]


def test_policies_change_live(own, world, sdk, alice):
    bob = world.idp.user("bob")
    assert not allowed(sdk, own, bob)
    known = len(policy_events(own))

    more = own.policies / "more.cedar"
    more.write_text('@id("role:visitor may ask any model")\n'
                    'permit (principal in Role::"visitor", action == Action::"invoke_model", resource);\n')
    wait_until(lambda: allowed(sdk, own, bob), "the new policy is in force")
    assert len(policy_events(own)) > known, "a change of policy is an event"

    # A bad file leaves the old set in force, and is an event too.
    for bad in ("permit (principal, action", '@id("x") permit (principal == Robot::"r", action, resource);',
                "permit (principal, action, resource);"):
        known = len(policy_events(own))
        more.write_text(bad)
        wait_until(lambda known=known: len(policy_events(own)) > known, f"the refusal of {bad!r} is on record")
        assert allowed(sdk, own, bob) and allowed(sdk, own, alice), "the old set is in force"
        assert own.get("/healthz") == 200

    more.unlink()
    wait_until(lambda: not allowed(sdk, own, bob), "the policy is gone")


def test_policy_check(own):
    assert own.run("policy", "check", own.policies).returncode == 0
    (own.policies / "bad.cedar").write_text('@id("b") permit (principal, action == Action::"no_such", resource);')
    bad = own.run("policy", "check", own.policies)
    assert bad.returncode == 1 and "bad.cedar" in bad.stderr + bad.stdout


def test_config_check(own):
    assert own.run("config", "check", "--config", own.config).returncode == 0
    text = own.config.read_text()
    for wrong, hint in (('lisen = "127.0.0.1:1"\n', "listen"), ('[mcp]\nname = "x"\n', "mcp"), ("[[limit]]\n", "limit")):
        own.config.write_text(wrong + text if wrong.startswith("l") else text + wrong)
        done = own.run("config", "check", "--config", own.config)
        assert done.returncode == 1 and hint in done.stdout, f"{wrong!r}: {done.stdout}"
        assert own.run("serve", "--config", own.config, timeout=20).returncode == 1
    own.config.write_text(text)


def test_a_clean_restart_goes_on(own, sdk, alice):
    assert allowed(sdk, own, alice)
    before = own.events()
    own.stop()
    own.start()
    assert allowed(sdk, own, alice)
    own.stop()
    after = own.events()
    assert after[:len(before)] == before
    node = [event["type"] for event in own.events("greffier") if event["type"] in ("agent.start", "agent.stop")]
    assert node == ["agent.start", "agent.stop"] * 2
    assert own.verify().returncode == 0


def test_ready_means_that_the_start_is_on_record(own, sdk, alice):
    """What a kill left open is closed, and the start is an event, before the first call can come."""
    for kills in range(1, 6):
        allowed(sdk, own, alice)
        own.kill()
        own.start()
        node = [event["action"]["name"] for event in own.events("greffier")]
        assert (node.count("node:start"), node.count("node:unclean_stop")) == (kills + 1, kills), node
    # And a stop right behind it loses nothing of that.
    own.stop()
    node = [event["action"]["name"] for event in own.events("greffier")]
    assert node[-1] == "node:stop" and node.count("node:start") == 6


def test_two_do_not_share_one_directory(own):
    done = own.run("serve", "--config", own.config, timeout=30)
    assert done.returncode == 1 and done.stderr
    own.assert_calm()


def test_what_an_operator_looks_at(own, sdk, alice):
    assert allowed(sdk, own, alice)
    with sdk.http(own) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 200
        metrics = http.get("/metrics")
    assert metrics.status_code == 200
    lines = [line for line in metrics.text.splitlines() if line and not line.startswith("#")]
    assert lines and all(line.startswith("greffier_") for line in lines), metrics.text
    assert alice not in metrics.text


def test_the_provider_goes_away(own, world, sdk, alice):
    """Known keys serve on; that is what caches are for."""
    assert allowed(sdk, own, alice)
    assert own.get("/readyz") == 200


def test_scan(own):
    import subprocess

    lines = '{"id":"a","text":"my number is 536-90-4399"}\n{"id":"b","text":"nothing here"}\n'
    done = subprocess.run([own.binary, "scan"], input=lines, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    import json

    spans = [json.loads(line) for line in done.stdout.splitlines()]
    assert [span["id"] for span in spans] == ["a", "b"]
    assert "US_SSN" in done.stdout and "536-90-4399" not in done.stdout
