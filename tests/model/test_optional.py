"""Libraries of the train extra: there, or a message that says how to get them."""

import pytest

from litehedge.errors import UsageError
from litehedge.model.optional import train_module


def test_a_library_that_is_there_is_imported():
    assert train_module("scipy.optimize").__name__ == "scipy.optimize"


def test_a_missing_library_is_named_with_the_way_to_get_it():
    with pytest.raises(UsageError, match="training needs no_such_library") as refused:
        train_module("no_such_library.part")
    assert "pip install 'litehedge[train]'" in str(refused.value)
