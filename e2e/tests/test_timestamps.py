"""Time stamps of an authority outside: kept beside the checkpoints that they are of, and believed by `openssl ts`."""

import shutil

import pytest

from harness import trail
from harness.api import Api, native
from harness.procs import free_port, wait_until
from harness.tsa import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

TENANT = "org_acme_corp"


def stamped(greffier, of=TENANT):
    """Sizes of a trail's stamped checkpoints, in order."""
    folder = greffier.data / "trails" / of / "timestamps"
    return sorted(int(file.stem) for file in folder.glob("*.tsr"))


@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path / "authority")
    yield made
    made.stop()


def settings(url):
    return f'\n[timestamp]\nurl = "{url}"\nevery = "1s"\n'


def test_checkpoints_are_stamped(install, people, authority):
    greffier = install(more=settings(authority.url)).start()
    with Api(greffier, people["oscar"]) as api:
        api.add([native() for _ in range(3)])
        wait_until(lambda: stamped(greffier), "the trail is stamped", 20)
        (first,) = stamped(greffier)[:1]
        api.add([native() for _ in range(3)])
        wait_until(lambda: stamped(greffier)[-1] > first, "it grew, and is stamped again", 20)
        wait_until(lambda: stamped(greffier, "greffier"), "so is the node's trail", 20)
    greffier.stop()

    folder = greffier.data / "trails" / TENANT / "timestamps"
    sizes = stamped(greffier)
    for size in sizes:
        note = folder / f"{size}.checkpoint"
        assert authority.accepts(folder / f"{size}.tsr", note)
        assert note.read_text().split("\n")[1] == str(size)
    # Of another checkpoint, and of one changed by a byte, it says nothing.
    note = folder / f"{sizes[0]}.checkpoint"
    assert not authority.accepts(folder / f"{sizes[0]}.tsr", folder / f"{sizes[-1]}.checkpoint")
    changed = greffier.folder / "changed"
    changed.write_bytes(note.read_bytes() + b" ")
    assert not authority.accepts(folder / f"{sizes[0]}.tsr", changed)

    # What was stamped is the trail as it is: the tree had that root at that size.
    leaves = trail.leaves(greffier.data / "trails" / TENANT, max(sizes))
    for size in sizes:
        (copy := greffier.folder / f"at-{size}").mkdir()
        shutil.copy(folder / f"{size}.checkpoint", copy / "checkpoint")
        assert trail.checkpoint(copy)[1:3] == (size, trail.tree_root(leaves[:size]))
    checked = greffier.verify()
    assert checked.returncode == 0 and "time stamps: " in checked.stdout, checked.stdout
    # A stamp under another checkpoint's name is found.
    shutil.copy(folder / f"{sizes[-1]}.tsr", folder / f"{sizes[0]}.tsr")
    checked = greffier.verify()
    assert checked.returncode == 5 and f"timestamps/{sizes[0]}.tsr" in checked.stdout, checked.stdout


def test_an_authority_that_is_not_there_delays_nothing(install, people, tmp_path):
    port = free_port()
    greffier = install(more=settings(f"http://127.0.0.1:{port}/tsr")).start()
    with Api(greffier, people["oscar"]) as api:
        api.add([native()])
        checkpoint = greffier.data / "trails" / TENANT / "checkpoint"
        wait_until(checkpoint.exists, "the checkpoint comes all the same", 10)
        assert greffier.get("/readyz") == 200 and stamped(greffier) == []
        # When it comes up, what waited is stamped.
        authority = Authority(tmp_path / "authority", port)
        try:
            wait_until(lambda: stamped(greffier), "the trail is stamped", 30)
            # An answer that is none, and one to another request, are not kept.
            old = (authority.folder / "1.tsr").read_bytes()
            for answer, known in ((b"no response", None), (old, None)):
                authority.broken = lambda _, answer=answer: answer
                known, asked = stamped(greffier), authority.asked
                api.add([native()])
                wait_until(lambda: authority.asked >= asked + 2, "it was asked", 30)
                assert stamped(greffier) == known
        finally:
            authority.stop()
    greffier.assert_calm()
    greffier.stop()
    assert greffier.verify().returncode == 0
