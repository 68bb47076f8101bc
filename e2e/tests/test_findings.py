"""Findings: recorded once each, whatever happens to the server; judged by people; told to receivers."""

import json
import time

import pytest

from harness.api import Api, native
from harness.procs import wait_until
from harness.receiver import Receiver, signed

TENANT = "org_acme_corp"
SECRET = b"a secret of the suite"
RECORDED = "tool:finding:raise"


def denials(agent, count=6):
    return [native(type="permission.denied", agent={"id": agent}) for _ in range(count)]


def burst(agent):
    moment = "2026-03-06T14:32:07.{:06}Z"
    return [native(agent={"id": agent}, time=moment.format(n * 50_000)) for n in range(12)]


@pytest.fixture
def receivers():
    made = [Receiver([503, 429]), Receiver()]
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def place(install, receivers, tmp_path, people):
    """An installation that tells two receivers, an operator and an auditor of it."""
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    (tmp_path / "slack").write_text(receivers[1].url)
    more = f"""
[[webhook]]
name = "soc"
url = "{receivers[0].url}"
secret_file = "{tmp_path}/secret"

[[webhook]]
name = "slack"
url_file = "{tmp_path}/slack"
format = "slack"
min_severity = "high"
"""
    greffier = install(findings=True, more=more)
    with Api(greffier, people["oscar"]) as oscar, Api(greffier, people["audra"]) as audra:
        yield greffier.start(), oscar, audra


def recorded(audra, count):
    """So many findings are on the trail, each once."""
    wait_until(lambda: len(audra.search(RECORDED)) >= count, f"{count} findings are recorded")
    events = audra.search(RECORDED)
    places = [event["resource"]["uri"] for event in events]
    assert len(places) == len(set(places)) == count, places
    assert all(event["agent"]["id"] == "greffier" for event in events)
    return events


def judge(api, finding, word, reason="a load test of ours"):
    return api.http.post(f"/api/v1/findings/{finding}/{word}", json={"reason": reason})


def by_agent(audra):
    return {one["agent_id"]: one for one in audra.told("/api/v1/findings")["findings"] if "agent_id" in one}


def test_each_is_recorded_once_and_told(place, receivers):
    greffier, oscar, audra = place
    oscar.add(burst("loader") + denials("etl"))
    events = recorded(audra, 2)
    rules = sorted(event["resource"]["uri"].split("/")[-2] for event in events)
    assert rules == ["permission_issues", "rapid_actions"]
    # What is listed is what was recorded, with where.
    listed = by_agent(audra)
    assert listed["loader"]["count"] == 12 and listed["etl"]["count"] == 6
    assert len(listed["loader"]["event_ids"]) == 12
    assert all(one["recorded"] is not None and one["state"] == "new" for one in listed.values())
    # The receiver fails twice, and is told all the same; what it is told is signed.
    soc, slack = receivers
    wait_until(lambda: len(soc.told) == 2 and len(slack.told) == 1, "both are told")
    assert all(signed(headers, body, SECRET) for headers, body in soc.told)
    assert not signed(soc.told[0][0], soc.told[0][1] + b" ", SECRET)
    assert sorted(body["finding"]["id"] for body in soc.bodies()) == sorted(one["id"] for one in listed.values())
    assert "permission_issues" in slack.bodies()[0]["text"]
    # A clean stop, a kill: nothing is repeated, and what comes next is found.
    greffier.stop()
    greffier.start()
    oscar.add(denials("etl") + denials("crm", 7))
    recorded(audra, 3)
    greffier.kill()
    greffier.start()
    oscar.add(denials("loader", 8))
    recorded(audra, 4)
    assert {agent: one["count"] for agent, one in by_agent(audra).items()} == {"etl": 12, "crm": 7, "loader": 8}
    wait_until(lambda: len(soc.told) >= 4 and len(slack.told) >= 3, "both are told of what is new")
    ids = [body["finding"]["id"] for body in soc.bodies()]
    assert len(set(ids)) == 4 and len(ids) <= 5, "a kill repeats one delivery at most"
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert SECRET not in greffier.outputs()


def test_people_judge_with_a_reason(place, people, tmp_path):
    greffier, oscar, audra = place
    oscar.add(denials("etl") + denials("crm"))
    recorded(audra, 2)
    etl, crm = by_agent(audra)["etl"]["id"], by_agent(audra)["crm"]["id"]
    where = ("--data", greffier.data, "--tenant", TENANT)
    assert greffier.run("findings", *where, "--fail-on", "high").returncode == 6
    assert greffier.run("findings", *where, "--fail-on", "rapid_actions").returncode == 0
    assert greffier.run("findings", *where, "--fail-on", "rapid").returncode == 2
    # Who may read may not judge; a word without a reason is none; what there is not cannot be judged.
    assert judge(audra, etl, "acknowledge").status_code == 403
    assert judge(oscar, etl, "acknowledge", " ").status_code == 400
    assert judge(oscar, "00000000-0000-8000-8000-000000000000", "mute").status_code == 404
    assert by_agent(audra)["etl"]["state"] == "new"
    answer = judge(oscar, etl, "acknowledge")
    assert answer.status_code == 200 and answer.json()["state"] == "acknowledged", answer.text
    token = tmp_path / "token"
    token.write_text(people["oscar"])
    muted = greffier.run(
        "findings", "mute", crm, "--reason", "known since monday", "--server", greffier.url, "--token-file", token, "-o", "json",
    )
    assert muted.returncode == 0, muted.stderr
    assert json.loads(muted.stdout)[0]["state"] == "muted"
    assert greffier.run("findings", *where, "--fail-on", "any").returncode == 0
    # Each word is an event, with who said it and why.
    (word,) = audra.search("tool:finding:mute type:action.executed")
    assert word["user"]["sub"] and word["resource"]["uri"].endswith(f"/permission_issues/{crm}")
    shown = audra.told(f"/api/v1/events/{word['id']}")
    assert "known since monday" in json.dumps(shown)
    assert len(audra.search("tool:finding:acknowledge type:permission.denied")) == 1
    # The rule says nothing of this agent from then on, until it is unmuted.
    day = "2026-03-{:02}T10:00:00.{:06}Z"
    oscar.add([native(type="permission.denied", agent={"id": "crm"}, time=day.format(3, n)) for n in range(6)])
    recorded(audra, 3)
    assert by_agent(audra)["crm"]["state"] == "muted"
    assert judge(oscar, crm, "unmute").json()["state"] == "new"


def test_findings_and_listing_agree_whoever_asks(place, people, tmp_path):
    greffier, oscar, audra = place
    oscar.add(burst("loader") + denials("etl"))
    recorded(audra, 2)
    token = tmp_path / "token"
    token.write_text(people["audra"])
    asked = greffier.run("findings", "--server", greffier.url, "--token-file", token, "-o", "json")
    files = greffier.run("findings", "--data", greffier.data, "--tenant", TENANT, "-o", "json")
    assert asked.returncode == files.returncode == 0, asked.stderr + files.stderr
    assert json.loads(asked.stdout) == json.loads(files.stdout) != []
    one = greffier.run(
        "findings", "--data", greffier.data, "--tenant", TENANT, "--agent", "etl", "--since", "1d", "-o", "json")
    assert [finding["agent_id"] for finding in json.loads(one.stdout)] == ["etl"]
    none = greffier.run(
        "findings", "--data", greffier.data, "--tenant", TENANT, "--until", "2026-03-01", "-o", "json")
    assert none.stdout.strip() == "[]"


def heartbeats(greffier):
    return [event for event in greffier.events("greffier") if event["action"]["name"] == "finding:heartbeat"]


def test_the_detectors_say_that_they_looked(place):
    greffier, oscar, audra = place
    oscar.add(denials("etl"))
    recorded(audra, 1)
    wait_until(lambda: heartbeats(greffier), "the detectors' heartbeat is on the node's trail")
    # A start has one of its own, so that no hour in which somebody looked is without.
    greffier.stop()
    greffier.start()
    wait_until(lambda: len(heartbeats(greffier)) > 1, "a heartbeat after the start")
    newest = heartbeats(greffier)[-1]
    assert newest["outcome"]["status"] == "success" and newest["agent"] == {"id": "greffier", "verified": True}
    assert newest["resource"]["uri"] == "audit://greffier/findings"
    shown = oscar.http.get(f"/api/v1/events/{newest['id']}", params={"tenant": "greffier"}).json()
    told = shown["parts"][0]["json"]
    assert told["looked_at"][TENANT] >= 7 and (told["recorded"], told["failed"], told["left_out"]) == (0, 0, 0), told


def test_of_a_receiver_that_is_away_nothing_waits(install, people, tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    away = Receiver()
    away.stop()
    more = f'\n[[webhook]]\nname = "away"\nurl = "{away.url}"\nsecret_file = "{tmp_path}/secret"\n'
    greffier = install(findings=True, more=more).start()
    with Api(greffier, people["oscar"]) as oscar, Api(greffier, people["audra"]) as audra:
        oscar.add(denials("etl"))
        recorded(audra, 1)
        begun = time.monotonic()
        greffier.stop()
        assert time.monotonic() - begun < 20
    assert away.url.encode() not in greffier.outputs()


def test_what_a_receiver_did_not_take_in_time_is_given_up_on_record(install, people, tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    away = Receiver()
    away.stop()
    port = away.server.server_address[1]
    more = f'\n[[webhook]]\nname = "away"\nurl = "{away.url}"\nsecret_file = "{tmp_path}/secret"\ngive_up_after = "2s"\n'
    greffier = install(findings=True, more=more).start()
    token = tmp_path / "token"
    token.write_text(people["audra"])
    with Api(greffier, people["oscar"]) as oscar, Api(greffier, people["audra"]) as audra:
        oscar.add(denials("etl"))
        recorded(audra, 1)
        wait_until(lambda: audra.told("/api/v1/findings")["receivers"][0].get("reason"), "it is said that it fails")
        wait_until(lambda: audra.search("tool:finding:untold"), "what was given up is on record", 30)
        (given_up,) = audra.search("tool:finding:untold")
        assert given_up["type"] == "action.failed" and given_up["outcome"]["error"] == "receiver_unreachable"
        assert given_up["resource"]["uri"] == audra.search(RECORDED)[0]["resource"]["uri"]
        told = audra.told(f"/api/v1/events/{given_up['id']}")["parts"][0]["json"]
        assert told["receiver"] == "away" and told["reason"] == "no connection" and told["tries"] > 1, told
        metrics = audra.http.get("/metrics").text
        assert 'greffier_webhook_given_up_total{name="away"} 1' in metrics and 'greffier_webhook_failing{name="away"} 1' in metrics
        assert any("webhook `away`: no connection" in warning for warning in audra.http.get("/readyz").json()["warnings"])
        listed = greffier.run("findings", "--server", greffier.url, "--token-file", token, "-o", "json")
        assert listed.returncode == 0 and "webhook away: 0 findings wait; it takes none since" in listed.stderr, listed.stderr
        # Back again, it is told what comes, and what was given up is not repeated.
        back = Receiver([503], port=port)
        try:
            oscar.add(denials("crm", 7))
            recorded(audra, 2)
            wait_until(lambda: back.told, "it is told of what is new", 30)
            assert [body["finding"]["agent_id"] for body in back.bodies()] == ["crm"]
            wait_until(lambda: 'greffier_webhook_failing{name="away"} 0' in audra.http.get("/metrics").text, "all is well")
            # What it refuses for good is given up at once.
            back.failures.append(410)
            oscar.add(denials("loader", 8))
            wait_until(lambda: len(audra.search("tool:finding:untold")) == 2, "the refusal is on record", 30)
            assert audra.search("tool:finding:untold")[0]["outcome"]["error"] == "receiver_refused"
        finally:
            back.stop()
    assert away.url.encode() not in greffier.outputs()
    greffier.assert_calm()


def test_a_webhook_without_a_signature_is_refused(install):
    greffier = install(findings=True, more='\n[[webhook]]\nname = "soc"\nurl = "http://127.0.0.1:1/"\n')
    checked = greffier.run("config", "check", "--config", greffier.config)
    assert checked.returncode != 0 and "secret_file" in checked.stdout
