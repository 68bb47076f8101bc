"""Indexes of sealed segments: made by the command or by the server, gone without loss, never in the way of an answer."""

import json
import shutil

from harness import record
from harness.api import Api, native
from harness.procs import wait_until

TRAIL = "org_acme_corp"
EVENTS = 400
SEALING = "\n[ledger]\nentries = 64\n"
SEARCHES = ("resource:*0123*", "ORD-0123", "resource:*-01*", "nowhere", "-resource:*0123*", "load*3")


def documents():
    """Events about orders, one each."""
    for number in range(EVENTS):
        yield native(action={"name": f"load:{number % 7}"}, resource={"uri": f"shop://orders/ord-{number:04}"})


def done(result, code=0):
    assert result.returncode == code, result.stdout + result.stderr
    return result


def index(greffier, *more):
    return json.loads(done(greffier.run("index", *more, "--config", greffier.config, "-o", "json")).stdout)


def found(api):
    """What each search finds, and SQL. Questions leave events of their own, which are not asked for."""
    answers = [[event["id"] for event in api.search(f"{text} agent:loader")] for text in SEARCHES]
    sql = "SELECT count(*) AS n FROM events WHERE entry LIKE '%ord-0123%' AND agent_id = 'loader'"
    return answers, [row["n"] for row in api.rows(sql)]


def indexes(greffier):
    return {path.name: path.read_bytes() for path in (greffier.data / "ngrams").glob("*/*")}


def filled(greffier, people):
    with Api(greffier, people["oscar"]) as api:
        api.add(list(documents()))
    wait_until(lambda: len(record.sealed(greffier.data).get(TRAIL, [])) >= EVENTS // 64, "the trail is sealed", 60)


def test_the_command_makes_indexes_beside_a_server(install, people):
    greffier = install(more=SEALING).start()
    filled(greffier, people)
    with Api(greffier, people["audra"]) as api:
        before = found(api)
        assert [len(ids) for ids in before[0]][:4] == [1, 1, 100, 0] and before[1] == [1]
        assert indexes(greffier) == {}, "none unless asked for"
        made = index(greffier)
        assert made["made"] == made["segments"] >= EVENTS // 64 and made["entries"] >= EVENTS // 64 * 64
        assert found(api) == before
        assert index(greffier)["made"] == 0
        # What is damaged rules nothing out, and is made again.
        for path in (greffier.data / "ngrams" / TRAIL).iterdir():
            path.write_bytes(path.read_bytes()[:-20])
        assert found(api) == before
        assert index(greffier)["made"] >= EVENTS // 64
        rebuilt = index(greffier, "--rebuild")
        assert rebuilt["removed"] == rebuilt["made"] == rebuilt["segments"]
    greffier.stop()
    assert done(greffier.verify())
    # Another segment's index, said to be this one's, is none.
    names = sorted((greffier.data / "ngrams" / TRAIL).iterdir())
    shutil.copy(names[0], names[1])
    assert done(greffier.verify())
    assert index(greffier, "--remove")["removed"] == rebuilt["made"]
    assert indexes(greffier) == {} and done(greffier.verify())


def test_the_server_makes_indexes_where_it_is_asked_to(install, people):
    greffier = install(more=SEALING + "\n[query]\nngram_index = true\n").start()
    filled(greffier, people)
    wait_until(lambda: len(indexes(greffier)) >= EVENTS // 64, "the segments are indexed", 60)
    with Api(greffier, people["audra"]) as api:
        answers, rows = found(api)
        assert [len(ids) for ids in answers][:4] == [1, 1, 100, 0] and rows == [1]
    greffier.assert_calm()
    greffier.stop()
    assert done(greffier.verify())
    assert index(greffier)["made"] <= 1, "what was sealed last"
