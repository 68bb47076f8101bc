"""HTTP tools with a document: operations, what rules say of them, and where calls must not go."""

import pytest

DOCUMENT = """
openapi: 3.1.0
info: { title: Records, version: "1" }
paths:
  /patients/search:
    post: { operationId: searchPatients }
  /patients/{patientId}/notes:
    parameters:
      - { name: patientId, in: path, required: true }
      - { name: kind, in: query }
    get: { operationId: readNotes }
    post: {}
"""

TOOL = """
[[tool]]
name = "ehr"
base_url = "{tools}"
kind = "data"
resource = "ehr://{{path}}"
openapi = "ehr.yaml"

[[tool.rule]]
path = "/patients/{{id}}/**"
classification = ["phi"]
subject = "{{id}}"

[[tool.rule]]
operation = "searchPatients"
effect = "read"
"""

POLICY = """
@id("analysts read records")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"ehr");
@id("nobody reads patient 13")
forbid (principal, action == Action::"call_tool", resource in Server::"ehr")
when { context.parameters.hasTag("patientId") && context.parameters.getTag("patientId") == "13" };
"""


@pytest.fixture
def ehr(install, world):
    own = install(more=TOOL.format(tools=world.tools.url))
    (own.folder / "ehr.yaml").write_text(DOCUMENT)
    (own.policies / "ehr.cedar").write_text(POLICY)
    return own


def test_operations_rules_and_policies(ehr, world, sdk, alice):
    ehr.start()
    with sdk.http(ehr, alice) as http:
        before = len(world.tools.journal)
        read = http.get("/tools/ehr/patients/7/notes", params={"kind": "x", "patientId": "13"})
        assert read.status_code == 200, read.text
        search = http.post("/tools/ehr/patients/search", json={"name": "jo"})
        assert search.status_code == 200, search.text
        noted = http.post("/tools/ehr/patients/7/notes", json={"text": "well"})
        assert noted.status_code == 200 and len(world.tools.journal) == before + 3

        # The path says who it is about, whatever the query or the body says.
        for refused in (
            http.get("/tools/ehr/patients/13/notes", params={"patientId": "7"}),
            http.get("/tools/ehr/patients/%31%33/notes"),
            http.post("/tools/ehr/patients/13/notes", json={"patientId": "7"}),
        ):
            assert refused.status_code == 403, refused.text
        # What is no operation of the document goes nowhere, and is on record.
        for unknown in ("/patients/7", "/Patients/7/notes", "/patients/7/notes/", "//patients/7/notes"):
            assert http.get("/tools/ehr" + unknown).status_code == 404, unknown
        assert http.delete("/tools/ehr/patients/7/notes").status_code == 404
        assert len(world.tools.journal) == before + 3, "nothing of it reached the tool"
    ehr.stop()

    def decided(request_id):
        return next(event for event in ehr.events("org_acme_corp") if event.get("request_id") == request_id)

    event = decided(read.headers["greffier-request-id"])
    assert event["action"]["name"] == "ehr:patients:{patientId}:notes"
    assert (event["action"]["effect"], event["action"]["kind"]) == ("read", "data")
    assert event["resource"]["classification"] == ["phi"]
    assert len(event["resource"]["subjects"]) == 1 and event["resource"]["subjects"] != ["7"]
    event = decided(search.headers["greffier-request-id"])
    assert (event["action"]["name"], event["action"]["effect"]) == ("ehr:patients:search", "read")
    assert decided(refused.headers["greffier-request-id"])["type"] == "action.denied"


    # What is data is on record as an access to it or a change of it, beside what was decided and how it ended.
    for reply, told in ((read, "data.access"), (search, "data.access"), (noted, "data.modify")):
        request_id = reply.headers["greffier-request-id"]
        found = [event for event in ehr.events("org_acme_corp") if event.get("request_id") == request_id]
        assert sorted(event["type"] for event in found) == ["action.approved", "action.executed", told]
        event = next(event for event in found if event["type"] == told)
        assert event["resource"] == decided(request_id)["resource"] and event["outcome"]["status"] == "success"
        assert event["user"]["sub"] == "alice" and "parts" not in event
    listed = ehr.run("search", "type:data.modify", "--data", ehr.data, "-o", "jsonl")
    assert listed.returncode == 0 and noted.headers["greffier-request-id"] in listed.stdout, listed.stderr
    assert ehr.verify().returncode == 0


def test_the_tools_are_listed(ehr):
    listed = ehr.run("tools", "-o", "csv", "--config", ehr.config)
    assert listed.returncode == 0, listed.stderr
    assert "ehr,ehr:patients:{patientId}:notes,POST,/patients/{patientId}/notes,create," in listed.stdout
    assert "ehr,ehr:patients:search,POST,/patients/search,read,searchPatients" in listed.stdout


@pytest.mark.parametrize("bad, place", [
    ("openapi: 3.1.0\npaths:\n  /a/{b: {}\n", "/paths/~1a~1{b"),
    ("openapi: 3.1.0\npaths:\n  /a: {}\n  /a: {}\n", "line 4, column 3"),
    ("swagger: '2.0'\n", "/openapi"),
])
def test_a_bad_document_is_named_with_its_place(ehr, bad, place):
    (ehr.folder / "ehr.yaml").write_text(bad)
    checked = ehr.run("config", "check", "--config", ehr.config)
    assert checked.returncode == 1 and place in checked.stderr and "ehr.yaml" in checked.stderr


@pytest.mark.parametrize("url", [
    "http://169.254.169.254/latest", "http://127.0.0.1:80", "http://[::1]/", "http://10.0.0.1", "http://[::ffff:a9fe:a9fe]",
])
def test_a_document_leads_to_no_inner_address(ehr, world, url):
    (ehr.folder / "ehr.yaml").write_text(
        DOCUMENT + 'servers: [ { url: "{where}/v1", variables: { where: { default: "%s" } } } ]\n' % url.rstrip("/"))
    ehr.config.write_text(ehr.config.read_text().replace(
        f'name = "ehr"\nbase_url = "{world.tools.url}"', 'name = "ehr"'))
    checked = ehr.run("config", "check", "--config", ehr.config)
    assert checked.returncode == 1 and "where calls may not go" in checked.stderr, checked.stderr


def test_a_documents_name_is_checked_when_it_is_resolved(ehr, world, sdk, alice):
    port = world.tools.port
    (ehr.folder / "ehr.yaml").write_text(DOCUMENT + f'servers: [ {{ url: "http://localhost:{port}" }} ]\n')
    ehr.config.write_text(ehr.config.read_text().replace(
        f'name = "ehr"\nbase_url = "{world.tools.url}"', 'name = "ehr"'))
    ehr.start()
    before = len(world.tools.journal)
    with sdk.http(ehr, alice) as http:
        refused = http.get("/tools/ehr/patients/7/notes")
    assert refused.status_code == 502 and len(world.tools.journal) == before
    assert b"where calls may not go" in ehr.outputs()
