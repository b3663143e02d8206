"""``models list | compare | promote | rollback``, and what a session takes then."""

from __future__ import annotations

import msgspec
import pytest

from forecasters import logistic_weights
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Score, Span
from litehedge.shelf.models import choose_model, find_model
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from networks import card

FIVE_NS = 5 * NS_PER_MINUTE
SHIPPED = "ltc-5m-logistic"


@pytest.fixture
def own(litehedge, tmp_path):
    """Make a model of one's own for frames of five minutes."""

    def make(name, seed=0, frame_s=300, **changes):
        facts = {"name": name, "kind": "logistic", "format": artefact.FORMAT, "frame_s": frame_s,
                 "feature_schema": FeatureSchema(frame_s * NS_PER_SECOND).hash}  # fmt: skip
        folder = tmp_path / "made" / name
        artefact.save(folder, card(**(facts | changes)), logistic_weights(seed))
        return folder

    return make


def chosen():
    return choose_model("auto", FIVE_NS).card.name


def roles(litehedge):
    found = litehedge("models", "list", "--json").json["registry"]["roles"]
    return {one["role"]: one["model"] for one in found}


def test_a_challenger_changes_nothing_until_it_is_promoted_and_can_be_rolled_back(litehedge, own):
    assert litehedge("models", "promote", SHIPPED).code == 0
    told = litehedge("models", "register", own("deep"), "--name", "deep", "--json").json
    assert told["version"] == "deep@1"
    assert roles(litehedge) == {"champion": f"{SHIPPED}@1", "challenger": "deep@1"}
    assert chosen() == SHIPPED
    done = litehedge("models", "promote", "deep@1", "--why", "it is better", "--json").json
    assert (done["champion"], done["before"]) == ("deep@1", f"{SHIPPED}@1")
    assert chosen() == "deep"
    out = litehedge("models", "list").out
    assert "it is better" in out
    assert "champion" in out
    assert (
        f"{SHIPPED}@1 is the champion for frames of 5m again" in litehedge("models", "rollback").out
    )
    assert chosen() == SHIPPED
    again = litehedge("models", "rollback")
    assert again.code == 2
    assert "there is no previous champion for frames of 5m" in again.err


def test_what_served_without_a_champion_comes_back(litehedge):
    assert litehedge("models", "promote", "ltc-5m").code == 0
    assert roles(litehedge) == {"champion": "ltc-5m@1", "previous": f"{SHIPPED}@1"}
    assert chosen() == "ltc-5m"
    assert choose_model("auto", NS_PER_MINUTE).card.name == "ltc-1m-logistic"
    litehedge("models", "rollback")
    assert chosen() == SHIPPED


def test_versions_are_found_by_name_and_number(litehedge, own):
    litehedge("models", "register", own("a", seed=1), "--name", "deep")
    litehedge("models", "register", own("b", seed=2), "--name", "deep", "--replace")
    first = choose_model("deep@1", FIVE_NS)
    assert first.forecaster.id != choose_model("deep@2", FIVE_NS).forecaster.id
    assert find_model("deep@1").name == "deep"
    assert litehedge("models", "show", "deep@2").code == 0
    assert litehedge("models", "show", "deep@3").code == 2


def test_lineage_is_kept(litehedge, own):
    span = Span("ltc_gone", "2024-01-01", "2024-02-01", 5)
    folder = own("deep", trained_on=[span, Span("world 3", "2021", "2022", 9)])
    litehedge("models", "register", folder, "--name", "deep", "--parent", "ltc-5m@1")
    [version] = litehedge("models", "list", "--json").json["registry"]["versions"]
    assert version["lineage"]["data"] == {"ltc_gone": ""}
    assert version["lineage"]["parent"] == "ltc-5m@1"
    assert version["lineage"]["label_spec"] == artefact.load_card(folder).label_spec


def test_cards_are_compared_and_it_is_said_when_scores_cannot_be(litehedge, own):
    span = [Span("ltc", "2024-01-01", "2024-02-01", 5)]
    one = own("one", validated_on=span, scores={"auc_30_long": Score(0.8, 0.7, 0.85)})
    better = {"auc_30_long": Score(0.9, 0.86, 0.95), "ap_30_long": Score(0.1, 0.05, 0.2)}
    two = own("two", 1, validated_on=span, scores=better)
    told = litehedge("models", "compare", one, two, "--json").json
    assert told["comparable"]
    assert told["scores"]["auc_30_long"]["overlap"] is False
    assert told["scores"]["ap_30_long"]["one"] is None
    out = litehedge("models", "compare", one, two).out
    assert "0.800  [0.700, 0.850]" in out
    assert "apart" in out
    other = own("other", 2, validated_on=[Span("ltc", "2024-03-01", "2024-04-01", 5)])
    result = litehedge("models", "compare", one, other)
    assert "measured on other days, so they are not comparable" in result.err
    assert not litehedge("models", "compare", one, other, "--json").json["comparable"]
    assert "frames are not of one length" in litehedge("models", "compare", "ltc-5m", "ltc-1m").err


def test_a_card_that_is_too_old_is_not_promoted(litehedge, own):
    old = own("old", trained_on=[Span("ltc", "2024-01-01", "2024-02-01", 5)])
    litehedge("models", "register", old, "--name", "old", "--expires-days", "45")
    result = litehedge("models", "promote", "old")
    assert result.code == 2
    assert "expired on 2024-03-17: it would say nothing" in result.err
    assert roles(litehedge) == {"challenger": "old@1"}
    assert chosen() == "old"  # a model of one's own, as long as there is no champion


def test_what_cannot_be_used_is_said_and_changes_nothing(litehedge, own, tmp_path):
    litehedge("models", "promote", "ltc-5m")
    for name, words in (("nope", "there is no model 'nope'"), ("ltc-5m", "the champion already")):
        result = litehedge("models", "promote", name)
        assert result.code == 2
        assert words in result.err
    litehedge("models", "register", own("deep"), "--name", "deep")
    kept = tmp_path / "home" / "registry" / "artefacts"
    [weights] = (f for f in kept.glob("*/deep/weights-*"))
    weights.write_bytes(b"{}")
    result = litehedge("models", "promote", "deep@1")
    assert result.code == 2
    assert "not what was registered" in result.err
    assert chosen() == "ltc-5m"
    for file in kept.glob("*/ltc-5m/model-*"):
        file.unlink()
    assert chosen() == SHIPPED  # not a challenger that nobody promoted
    before = artefact.load(find_model("deep"), FIVE_NS)
    assert choose_model("auto", FIVE_NS, str(find_model("deep"))).forecaster.id == before.id


def test_another_schema_is_not_registered(litehedge, own):
    folder = own("odd")
    changed = msgspec.structs.replace(artefact.load_card(folder), feature_schema="other")
    (folder / artefact.CARD).write_bytes(msgspec.json.encode(changed))
    result = litehedge("models", "register", folder, "--name", "odd")
    assert result.code == 2
    assert "trained with feature schema other" in result.err
    assert litehedge("models", "list", "--json").json["registry"]["versions"] == []


def test_a_registry_that_cannot_be_read_stops_no_session(litehedge, tmp_path):
    litehedge("models", "promote", "ltc-5m")
    (tmp_path / "home" / "registry" / "registry.sqlite").write_bytes(b"x" * 5000)
    assert chosen() == SHIPPED
    listed = litehedge("models", "list")
    assert listed.code == 0
    assert "sessions go on with the model that they have" in " ".join(listed.err.split())
    for command in (("promote", "ltc-5m"), ("rollback",)):
        result = litehedge("models", *command)
        assert result.code == 1
        assert "sessions go on with the model that they have" in result.err


def test_without_a_registry_commands_say_what_to_do(litehedge, tmp_path):
    assert "no champion in the registry yet" in litehedge("models", "rollback").err
    assert "no champion in the registry yet" in litehedge("models", "compare").err
    assert not (tmp_path / "home" / "registry").exists()
