"""The sieve: nothing is lost or hidden, and nobody is flooded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litehedge.notify.sieve import BURST, EVERY_S, HELD, LEVELS, Note, Rules, Sieve

DAY = 86_400.0
WALL = 20_000 * DAY  # midnight

notes = st.tuples(
    st.floats(0, 400),
    st.sampled_from(LEVELS),
    st.sampled_from(["", "price", "books"]),
    st.booleans(),
    st.sampled_from(["a", "b", "c"]),
)


def play(rules, told, *, end_s=40 * 3600.0, room=500):
    """Give the notes, ask for messages whenever the sieve says so; return (time, lines)."""
    sieve, sent, now = Sieve(rules), [], 0.0

    def drain(until):
        nonlocal now
        while True:
            if lines := sieve.next(now, WALL + now, room):
                sent.append((now, lines))
                continue
            wait = sieve.wait_s(now, WALL + now)
            if now + wait > until:
                now = until
                return
            now += max(wait, 1e-3)

    for wait, level, key, clears, text in told:
        drain(now + wait)
        clears = clears and bool(key)
        sieve.take(Note(WALL + now, level, text, key, clears), now)
    drain(end_s + now)
    return sieve, sent


@given(st.lists(notes, max_size=40))
def test_every_alert_is_told_or_counted_in_one_that_is(told):
    sieve, sent = play(Rules(), told)
    stood_for = sum(1 + line.more for _, lines in sent for line in lines)
    assert stood_for + sieve.lost == len(told)
    assert sieve.lines == []


@given(st.lists(notes, max_size=40))
def test_in_the_end_people_know_how_it_stands(told):
    _, sent = play(Rules(), told)
    lines = sorted((line for _, lines in sent for line in lines), key=lambda line: line.number)
    for key in {note[2] for note in told if note[2]}:
        last = [note for note in told if note[2] == key][-1]
        heard = [line.note for line in lines if line.note.key == key][-1]
        assert (heard.clears, heard.text) == (last[3], last[4])


@given(st.lists(notes, max_size=60), st.sampled_from([(22, 6), (3, 9), None]))
def test_messages_leave_at_a_limited_rate_however_much_comes(told, quiet):
    _, sent = play(Rules(quiet=quiet), told)
    times = [at for at, _ in sent]
    for first, at in enumerate(times):
        within = sum(at <= other < at + 10 * EVERY_S for other in times[first:])
        assert within <= BURST + 10 + 1


@given(st.lists(notes, max_size=30), st.sampled_from([(22, 6), (0, 1)]))
def test_in_quiet_hours_only_the_urgent_is_told(told, quiet):
    _, sent = play(Rules(quiet=quiet, digest_hour=12), told)
    begin, end = quiet
    for at, lines in sent:
        hour = (WALL + at) % DAY / 3600.0
        if (hour - begin) % 24 < (end - begin) % 24 - 1e-6:
            assert all(line.rank != 1 for line in lines)


@given(st.lists(notes, max_size=30), st.sampled_from(LEVELS))
def test_a_stricter_level_tells_no_more(told, least):
    _, everything = play(Rules(), told)
    _, some = play(Rules(least=least), told)
    count = [sum(1 + line.more for _, ls in sent for line in ls) for sent in (everything, some)]
    assert count[1] <= count[0]
    assert all(line.rank <= LEVELS.index(least) for _, lines in some for line in lines)


def note(text, level="act_now", key="", *, clears=False, at=0.0):
    return Note(WALL + at, level, text, key, clears)


def texts(lines):
    return [line.text(WALL) for line in lines]


def test_the_same_again_is_counted_and_told_when_the_window_ends():
    sieve = Sieve(Rules(window_s=600.0))
    sieve.take(note("refused: no margin", key="orders"), 0.0)
    assert texts(sieve.next(0.0, WALL, 500)) == ["00:00:00 UTC refused: no margin"]
    for i in range(1, 5):
        sieve.take(note(f"refused: try {i}", key="orders", at=i), float(i))
    assert sieve.next(10.0, WALL + 10, 500) == []
    assert sieve.wait_s(10.0, WALL + 10) == 590.0
    said = sieve.next(600.0, WALL + 600, 500)
    assert texts(said) == ["00:00:04 UTC refused: try 4 (3 more times)"]
    assert said[0].rank == 0


def test_a_recovery_is_told_at_once_and_to_whom_the_wrong_was_told():
    sieve = Sieve(Rules(least="act_now"))
    sieve.take(note("no price", key="price"), 0.0)
    sieve.take(note("the price is back", "done", "price", clears=True, at=5.0), 5.0)
    assert [line.note.text for line in sieve.next(5.0, WALL + 5, 500)] == [
        "no price", "the price is back",
    ]  # fmt: skip
    sieve.take(note("something else is well", "done", "other", clears=True), 6.0)
    assert sieve.next(6.0, WALL + 6, 500) == []


def test_a_recovery_long_after_the_window_still_goes_to_them():
    sieve = Sieve(Rules(least="act_now", window_s=60.0))
    sieve.take(note("no price", key="price"), 0.0)
    assert sieve.next(0.0, WALL, 500)
    sieve.next(9000.0, WALL + 9000, 500)
    sieve.take(note("back", "done", "price", clears=True, at=9001.0), 9001.0)
    assert [line.note.text for line in sieve.next(9001.0, WALL + 9001, 500)] == ["back"]


def test_what_goes_to_and_fro_is_told_a_few_times_and_then_as_it_stands():
    sieve, heard = Sieve(Rules()), []
    for i in range(50):
        clears = bool(i % 2)
        sieve.take(note("back" if clears else "gone", key="price", clears=clears, at=i), float(i))
        heard += sieve.next(float(i), WALL + i, 500)
    assert len(heard) <= 6
    heard += sieve.next(200.0, WALL + 200, 500)
    assert heard[-1].note.text == "back"


def test_the_urgent_comes_first_and_a_message_has_room_for_one_line_at_least():
    sieve = Sieve(Rules())
    sieve.take(note("b" * 90, "done"), 0.0)
    sieve.take(note("a" * 90), 0.0)
    assert [line.rank for line in sieve.next(0.0, WALL, 50)] == [0]
    assert [line.rank for line in sieve.next(0.0, WALL, 50)] == [1]


def test_a_digest_waits_for_its_hour():
    sieve = Sieve(Rules(digest_hour=7))
    sieve.take(note("yesterday", "digest"), 0.0)
    assert sieve.next(0.0, WALL, 500) == []
    assert sieve.wait_s(0.0, WALL) == 7 * 3600.0
    assert sieve.next(7 * 3600.0, WALL + 7 * 3600, 500)
    sieve.take(note("in the hour itself", "digest", at=7.5 * 3600), 7.5 * 3600)
    assert sieve.next(7.5 * 3600, WALL + 7.5 * 3600, 500)


def test_when_nobody_can_be_reached_the_least_urgent_is_forgotten_first_and_counted():
    sieve = Sieve(Rules())
    for i in range(HELD + 50):
        sieve.take(note(f"{i}", "act_now" if i % 10 == 0 else "done"), 0.0)
    assert len(sieve.lines) == HELD
    assert sieve.lost == 50
    assert sum(line.rank == 0 for line in sieve.lines) == (HELD + 50) // 10


def test_what_was_not_delivered_comes_again_before_what_came_later():
    sieve = Sieve(Rules())
    sieve.take(note("first"), 0.0)
    lines = sieve.next(0.0, WALL, 500)
    sieve.take(note("second"), 1.0)
    sieve.put_back(lines)
    assert [line.note.text for line in sieve.next(1.0, WALL + 1, 500)] == ["first", "second"]
    sieve.take(note("third"), 2.0)
    assert [line.note.text for line in sieve.rest(WALL + 2, 500)] == ["third"]
