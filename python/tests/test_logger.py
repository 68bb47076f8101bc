"""What is logged is written, in order; what is not is said, and raises into nobody who did not ask for it."""

import asyncio
import logging
import threading

import pytest

from greffier import AsyncAuditLogger, AuditEvent, NotFlushed, NotLogged, NotWritten, Rejected

WAYS = [{"overflow": "block"}, {"overflow": "refuse"}, {"overflow": "write_through"}, {"spool": True}]


def options(way, tmp_path):
    return {**way, **({"spool": tmp_path / "spool"} if "spool" in way else {})}


def named(number):
    return AuditEvent(action=str(number))


def actions(backend):
    return [event.action for event in backend.query({})]


@pytest.mark.parametrize("way", WAYS)
def test_everything_arrives_in_order_and_numbered(way, tmp_path, backend, long):
    with AsyncAuditLogger(backend, **options(way, tmp_path)) as logger:
        for number in range(500):
            logger.log(named(number))
        assert logger.flush(long)
        events = backend.query()
        assert [event.action for event in events] == [str(number) for number in range(500)]
        assert [event.sequence for event in events] == list(range(500))
        assert {event.producer for event in events} == {logger.producer}
        metrics = logger.metrics
        assert (metrics.logged, metrics.written, metrics.waiting, metrics.refused) == (500, 500, 0, 0)


@pytest.mark.parametrize("way", WAYS)
def test_a_backend_of_the_program_gets_each_event_once(way, tmp_path, memory, long):
    memory.fails = 3
    logger = AsyncAuditLogger(memory, **options(way, tmp_path))
    for number in range(20):
        logger.log(named(number))
    while not logger.flush(long):
        pass
    assert logger.shutdown(long)
    lost = logger.metrics.refused
    # Written through, an attempt that fails is an event that is not on record; otherwise it is tried again.
    assert lost == (3 if way.get("overflow") == "write_through" else 0)
    assert actions(memory) == [str(number) for number in range(lost, 20)]


def test_what_a_backend_gives_up_is_told(memory, long):
    told = []
    memory.write = lambda event: (_ for _ in ()).throw(Rejected("never")) if event.action == "bad" else None
    logger = AsyncAuditLogger(memory, on_rejected=lambda line, reason: told.append((line, reason)))
    for action in ("good", "bad", "good"):
        logger.log(AuditEvent(action=action, parameters={"password": "p"}))
    assert logger.flush(long)
    assert logger.metrics.rejected == 1
    [(line, reason)] = told
    assert reason == "never" and '"name":"bad"' in line and "[REDACTED]" in line
    logger.shutdown()


def test_nothing_is_raised_into_the_agent(away, caplog):
    logger = AsyncAuditLogger(away, buffer_size=2, overflow="refuse")
    for number in range(5):
        logger.log(named(number))
    logger.log("no event at all")
    logger.log(AuditEvent(event_id="evt\n1"))
    assert not logger.flush(0.1)
    assert not logger.shutdown(0.1)
    assert logger.metrics.refused == 5
    assert [event.action for event in logger.unwritten] == ["0", "1"]
    # Once a minute at most, and with no line's end of its own.
    warnings = [record.getMessage() for record in caplog.records if record.name == "greffier"]
    assert warnings == ["the event was not logged: no room: the backend does not keep up, or is away"]


def test_who_fails_closed_hears_everything(away):
    logger = AsyncAuditLogger(away, buffer_size=1, overflow="block", patience=0.01, fail_closed=True)
    logger.log(named(0))
    with pytest.raises(NotLogged, match="no room"):
        logger.log(named(1))
    with pytest.raises(NotLogged, match="event_id must be a UUID"):
        logger.log(AuditEvent(event_id="evt-1"))
    with pytest.raises(NotFlushed, match="nobody is there") as raised:
        logger.flush(0.2)
    assert (raised.value.waiting, raised.value.spooled) == (1, False)
    with pytest.raises(NotWritten) as raised:
        logger.shutdown(0.1)
    assert [event.action for event in raised.value.events] == ["0"]
    with pytest.raises(NotLogged, match="shut down"):
        logger.log(named(2))


def test_what_a_spool_holds_is_sent_by_the_next_start(tmp_path, away, memory, long):
    first = AsyncAuditLogger(away, spool=tmp_path / "spool", fail_closed=True)
    for number in range(10):
        first.log(named(number))
    with pytest.raises(NotFlushed) as raised:
        first.flush(0.2)
    assert raised.value.spooled
    first.shutdown(0.1)
    del first
    second = AsyncAuditLogger(memory, spool=tmp_path / "spool")
    second.log(named(10))
    assert second.flush(long)
    assert actions(memory) == [str(number) for number in range(11)]
    second.shutdown()


def test_options_that_make_no_sense_are_errors(backend, tmp_path):
    for wrong, said in [
        ({"overflow": "drop"}, "must be `block`"),
        ({"overflow": "spool"}, "needs the folder"),
        ({"overflow": "block", "spool": tmp_path}, "only with overflow `spool`"),
        ({"interval": -1.0}, "number of seconds"),
    ]:
        with pytest.raises(ValueError, match=said):
            AsyncAuditLogger(backend, **wrong)


def test_coroutines_do_not_wait_on_their_loop(memory, long):
    """While one coroutine waits for room, others go on: they make the room."""
    gate = threading.Event()
    write = memory.write
    memory.write = lambda event: (gate.wait(long), write(event))

    async def main():
        async with AsyncAuditLogger(memory, buffer_size=1, patience=long) as logger:
            await logger.alog(named(0))
            waiting = asyncio.ensure_future(logger.alog(named(1)))
            await asyncio.sleep(0)
            assert not waiting.done()
            gate.set()
            await waiting
            assert await logger.aflush(long)

    asyncio.run(main())
    assert actions(memory) == ["0", "1"]


@pytest.mark.parametrize("way", WAYS)
def test_threads_share_a_logger(way, tmp_path, backend, long):
    logger = AsyncAuditLogger(backend, buffer_size=16, **options(way, tmp_path), fail_closed=way != WAYS[1])

    def work(name):
        for number in range(200):
            logger.log(AuditEvent(agent_id=name, action=str(number)))

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert logger.shutdown(long)
    metrics = logger.metrics
    assert metrics.written + metrics.refused == 800
    assert metrics.refused == 0 or way == WAYS[1]
    for name in {f"t{number}" for number in range(4)}:
        numbers = [int(event.action) for event in backend.query({"agent_id": name})]
        assert numbers == sorted(numbers)


def test_a_logger_that_nobody_holds_ends(memory):
    logger = AsyncAuditLogger(memory, interval=100.0)
    logger.log(named(0))
    del logger
    assert actions(memory) == ["0"]


def test_its_own_warnings_do_not_come_back(backend, away, agent, recorded):
    from greffier import AuditHandler

    log = logging.getLogger("greffier")
    handler = AuditHandler(agent)
    log.addHandler(handler)
    try:
        AsyncAuditLogger(away, overflow="write_through").log(named(0))
    finally:
        log.removeHandler(handler)
    assert recorded() == []
