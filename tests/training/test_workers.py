"""Work in several processes: in order, and an error instead of a wait when one is killed."""

import multiprocessing
import os

import pytest

from dying import dies
from litehedge.errors import UsageError
from litehedge.training.workers import in_processes

_given = {}


def begins(*given):
    _given["at"] = given


def told(number):
    return number, os.getpid(), _given["at"]


def halves(number):
    if number == 3:
        raise ValueError("three is odd")
    return number // 2


def lives(number):
    if number == 1:
        dies()
    return number


def test_results_are_in_order_and_each_is_told_as_it_comes():
    heard = []
    found = in_processes(
        told, [3, 1, 2], "counts", processes=2, begin=begins, given=("a", 1), done=heard.append
    )
    assert [number for number, _, _ in found] == [3, 1, 2]
    assert sorted(heard) == sorted(found)
    assert {given for _, _, given in found} == {("a", 1)}
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert in_processes(told, [], "counts") == []


def test_one_that_is_killed_is_an_error_and_the_others_end():
    with pytest.raises(UsageError, match="a process that counts died; memory") as error:
        in_processes(lives, range(4), "counts", processes=2)
    assert "--processes 1" in error.value.remedy
    assert not multiprocessing.active_children()


def test_an_error_in_a_process_is_raised_here():
    with pytest.raises(ValueError, match="three is odd"):
        in_processes(halves, [2, 3, 4], "halves", processes=1)
    assert not multiprocessing.active_children()
