"""The loss, part by part, against plain NumPy and the survival mathematics of `squeeze.hazard`."""

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Bool, Float, Int, jaxtyped
from torch import Tensor

from litehedge.model import layout as ly
from litehedge.model import loss as ls
from litehedge.model.loss import PARTS, SCORED, Asked
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_ONSET, N_PEAK, incidence, log_likelihood

SEEDS = st.integers(0, 10_000)


@jaxtyped(typechecker=beartype)
def competing(
    logits: Float[Tensor, "*at 2 bin"], last: Int[Tensor, "*at"], cause: Int[Tensor, "*at"]
) -> Float[Tensor, "*at"]:
    return ls.competing(logits, last, cause)


@jaxtyped(typechecker=beartype)
def hazard(
    logits: Float[Tensor, "*at bin"], last: Int[Tensor, "*at"], hit: Bool[Tensor, "*at"]
) -> Float[Tensor, "*at"]:
    return ls.hazard(logits, last, hit)


@jaxtyped(typechecker=beartype)
def pinball(
    steps: Float[Tensor, "*at 10"], log_bps: Float[Tensor, "*at 2"]
) -> Float[Tensor, "*at 2"]:
    return ls.pinball(steps, log_bps)


@jaxtyped(typechecker=beartype)
def of_pmf(logits: Float[Tensor, "*at 2 bin"]) -> Float[Tensor, "*at 2 bin"]:
    return ls.hazard_logits_of_pmf(logits)


@jaxtyped(typechecker=beartype)
def passage_of_pmf(logits: Float[Tensor, "*at bin"]) -> Float[Tensor, "*at bin"]:
    return ls.passage_logits_of_pmf(logits)


def drawn(seed, *shape, scale=2.0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(scale * rng.standard_normal(shape))


def hazards_of(logits):
    """Competing hazards of logits ``(2, bin)``."""
    e = np.exp(logits)
    return np.ascontiguousarray(e / (1.0 + e.sum(axis=0)))


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


@given(SEEDS)
def test_competing_is_the_right_censored_log_likelihood(seed):
    """Every bin with either cause; censored before the first and after the last."""
    logits = drawn(seed, 2, N_ONSET)
    h = hazards_of(logits.numpy())
    cases = [(k, cause) for k in range(N_ONSET) for cause in (-1, 0, 1)] + [(N_ONSET, -1)]
    last, cause = (torch.tensor(c) for c in zip(*cases, strict=True))
    found = competing(logits.expand(len(cases), 2, N_ONSET), last, cause)
    np.testing.assert_allclose(found, [-log_likelihood(h, k, c) for k, c in cases], rtol=1e-9)


@given(SEEDS, st.sampled_from([N_ONSET, N_PEAK]))
def test_hazard_is_the_right_censored_log_likelihood_of_one_cause(seed, bins):
    logits = drawn(seed, bins)
    h = sigmoid(logits.numpy())[np.newaxis]
    cases = [(k, hit) for k in range(bins) for hit in (False, True)] + [(bins, False)]
    last, hit = (torch.tensor(c) for c in zip(*cases, strict=True))
    found = hazard(logits.expand(len(cases), bins), last, hit)
    expected = [-log_likelihood(h, k, 0 if own else -1) for k, own in cases]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(SEEDS)
def test_a_pmf_is_a_distribution_and_its_likelihood_that_of_its_hazards(seed):
    logits = drawn(seed, 2, N_ONSET)
    weight = np.append(np.exp(logits.numpy()).ravel(), 1.0)  # the last: never
    p = (weight / weight.sum())[:-1].reshape(2, N_ONSET)
    as_hazards = of_pmf(logits)
    h = hazards_of(as_hazards.numpy())
    assert (h > 0.0).all()
    assert (h.sum(axis=0) < 1.0).all()
    cif = np.empty_like(h)
    incidence(h, cif)
    np.testing.assert_allclose(cif, p.cumsum(axis=1), rtol=1e-9)
    for side in range(2):
        for k in range(N_ONSET):
            cost = competing(as_hazards, torch.tensor(k), torch.tensor(side))
            assert cost.item() == pytest.approx(-np.log(p[side, k]), rel=1e-9)
    never = competing(as_hazards, torch.tensor(N_ONSET), torch.tensor(-1))
    assert never.item() == pytest.approx(-np.log(1.0 - p.sum()), rel=1e-9)


@given(SEEDS)
def test_a_pmf_of_one_event_likewise(seed):
    logits = drawn(seed, N_ONSET)
    weight = np.append(np.exp(logits.numpy()), 1.0)
    p = weight / weight.sum()
    as_hazards = passage_of_pmf(logits)
    for k in range(N_ONSET):
        cost = hazard(as_hazards, torch.tensor(k), torch.tensor(True))
        assert cost.item() == pytest.approx(-np.log(p[k]), rel=1e-9)
    never = hazard(as_hazards, torch.tensor(N_ONSET), torch.tensor(False))
    assert never.item() == pytest.approx(-np.log(p[-1]), rel=1e-9)


@given(SEEDS)
def test_pinball_is_the_quantile_loss_of_levels_that_rise(seed):
    steps, log_bps = drawn(seed, 10), drawn(seed + 1, 2) + 5.0
    found = pinball(steps, log_bps)
    for side in range(2):
        mine = steps[5 * side : 5 * side + 5].numpy()
        levels = mine[0] + np.append(0.0, np.cumsum(np.log1p(np.exp(mine[1:]))))
        assert (np.diff(levels) > 0.0).all()
        missed = log_bps[side].item() - levels
        expected = np.where(missed > 0.0, SEVERITY_LEVELS, SEVERITY_LEVELS - 1.0) * missed
        assert found[side].item() == pytest.approx(expected.sum(), rel=1e-9)


# --- all parts together


def asked_at_random(seed, *at):
    """Every kind of answer, some of them not asked."""
    rng = np.random.default_rng(seed)

    def bins(count, *shape):
        last = rng.integers(-1, count + 1, (*at, *shape))
        return torch.from_numpy(last), torch.from_numpy(
            (rng.random(last.shape) < 0.5) & (last >= 0) & (last < count)
        )

    def numbers(*shape):
        values = rng.normal(5.0, 1.0, (*at, *shape))
        values[rng.random(values.shape) < 0.3] = np.nan
        return torch.from_numpy(values.astype(np.float32))

    onset, came = bins(N_ONSET)
    cause = torch.where(came, torch.from_numpy(rng.integers(0, 2, at)), -1)
    risk = torch.from_numpy(rng.random((*at, 2)) < 0.8)
    for side in range(2):  # what happens to a side that is inside its own squeeze is not an onset
        risk[..., side] |= cause == side
    return Asked(
        onset, cause, risk, *bins(N_ONSET, 2, 2), *bins(N_PEAK, 2), numbers(2),
        torch.from_numpy(rng.integers(-1, 4, at)), numbers(3),
        torch.from_numpy(rng.uniform(0.0, 3.0, at).astype(np.float32)),
    )  # fmt: skip


def nothing_asked(*at):
    none, no = torch.full, torch.zeros
    return Asked(
        none(at, -1), none(at, -1), no(*at, 2, dtype=torch.bool), none((*at, 2, 2), -1),
        no(*at, 2, 2, dtype=torch.bool),
        none((*at, 2), -1), no(*at, 2, dtype=torch.bool), none((*at, 2), torch.nan),
        none(at, -1), none((*at, 3), torch.nan), torch.ones(at),
    )  # fmt: skip


def by_hand(raw, asked):
    """The same sums, frame by frame."""
    sums = {name: np.zeros(2) for name in PARTS}
    a = Asked(*(t.numpy() for t in asked))
    for at in np.ndindex(a.weight.shape):
        x, w = raw[at].numpy().astype(float), float(a.weight[at])

        def add(name, cost, w=w):
            sums[name] += (w * cost, w)

        if a.onset_bin[at] >= 0:
            logits = x[ly.ONSET].reshape(2, N_ONSET).copy()
            logits[~a.onset_risk[at]] = -np.inf
            h = hazards_of(logits)
            add("squeeze", -log_likelihood(h, a.onset_bin[at], a.onset_cause[at]))
        passages = sigmoid(x[ly.PASSAGE]).reshape(2, 2, 1, N_ONSET)
        peaks = sigmoid(x[ly.PEAK]).reshape(2, 1, N_PEAK)
        severity = pinball(torch.from_numpy(x[ly.SEVERITY]), torch.tensor(a.severity[at]).double())
        for side in range(2):
            for kind, name in enumerate(ly.PASSAGES):
                last, hit = a.passage_bin[at][kind, side], a.passage_hit[at][kind, side]
                if last >= 0:
                    add(name, -log_likelihood(passages[kind, side], last, 0 if hit else -1))
            last, hit = a.peak_bin[at][side], a.peak_hit[at][side]
            if last >= 0:
                add("peak", -log_likelihood(peaks[side], last, 0 if hit else -1))
            if not np.isnan(a.severity[at][side]):
                add("severity", severity[side].item())
        if a.phase[at] >= 0:
            logits = x[ly.PHASE]
            add("phase", np.log(np.exp(logits).sum()) - logits[a.phase[at]])
        for true, said in zip(a.vol[at], x[ly.VOL], strict=True):
            if not np.isnan(true):
                add("vol", (said - true) ** 2)
    return sums


@given(SEEDS)
def test_the_parts_are_sums_over_what_was_asked(seed):
    raw, asked = drawn(seed, 2, 7, ly.N_RAW).float(), asked_at_random(seed, 2, 7)
    found = ls.parts(raw, asked)
    assert tuple(found) == PARTS
    for name, expected in by_hand(raw, asked).items():
        np.testing.assert_allclose([t.item() for t in found[name]], expected, rtol=2e-5, atol=1e-5)
    cost = {name: i + 1.0 for i, name in enumerate(PARTS)}
    whole = sum(cost[name] * lost.item() for name, (lost, _) in found.items())
    assert ls.total(found, cost).item() == pytest.approx(whole, rel=1e-5)


def test_a_pmf_changes_onsets_and_passages_alone():
    raw, asked = drawn(0, 1, 9, ly.N_RAW).float(), asked_at_random(0, 1, 9)
    one, two = ls.parts(raw, asked), ls.parts(raw, asked, pmf=True)
    changed = [name for name in PARTS if one[name][0].item() != two[name][0].item()]
    assert changed == list(SCORED)


@pytest.mark.parametrize("pmf", [False, True])
def test_asking_nothing_costs_nothing_and_teaches_nothing(pmf):
    raw = drawn(1, 2, 3, ly.N_RAW).float().requires_grad_()
    costs = ls.parts(raw, nothing_asked(2, 3), pmf)
    for name, (lost, weight) in costs.items():
        assert (lost.item(), weight.item()) == (0.0, 0.0), name
    torch.autograd.backward(ls.total(costs, dict.fromkeys(PARTS, 1.0)))
    assert not raw.grad.any()


@pytest.mark.parametrize("pmf", [False, True])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e6])
def test_extreme_outputs_have_finite_gradients(pmf, size):
    rng = np.random.default_rng(0)
    raw = torch.from_numpy(size * rng.choice([-1.0, 0.0, 1.0], (4, 60, ly.N_RAW))).float()
    raw.requires_grad_()
    cost = ls.total(ls.parts(raw, asked_at_random(3, 4, 60), pmf), dict.fromkeys(PARTS, 1.0))
    torch.autograd.backward(cost)
    assert torch.isfinite(cost)
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("part", ["squeeze", "percent", "peak", "severity", "phase", "vol"])
def test_descending_the_loss_finds_what_is_true(part):
    """The minimum lies at the truth: propriety, by gradient descent on a constant."""
    truth = asked_at_random(5, 1, 150)._replace(
        weight=torch.ones(1, 150), onset_risk=torch.ones(1, 150, 2, dtype=torch.bool)
    )
    raw = torch.zeros(ly.N_RAW, requires_grad=True)
    optimiser = torch.optim.Adam([raw], lr=0.1)
    for _ in range(300 if part in ("severity", "vol") else 80):
        lost, weight = ls.parts(raw.expand(1, 150, -1), truth)[part]
        optimiser.zero_grad()
        torch.autograd.backward(lost / weight)
        optimiser.step()
    found = raw.detach().numpy()
    if part == "squeeze":
        last, cause = truth.onset_bin.numpy(), truth.onset_cause.numpy()
        reached = (last > 0).sum() + ((last == 0) & (cause >= 0)).sum()
        expected = ((last == 0) & (cause == 1)).sum() / reached
        assert hazards_of(found[ly.ONSET].reshape(2, N_ONSET))[1, 0] == pytest.approx(
            expected, abs=0.01
        )
    elif part == "phase":
        phase = truth.phase.numpy()
        share = np.bincount(phase[phase >= 0]) / (phase >= 0).sum()
        e = np.exp(found[ly.PHASE])
        np.testing.assert_allclose(e / e.sum(), share, atol=0.01)
    elif part == "vol":
        np.testing.assert_allclose(
            found[ly.VOL], np.nanmean(truth.vol.numpy()[0], axis=0), atol=0.05
        )
    elif part == "severity":
        assert found[ly.SEVERITY][0] == pytest.approx(
            np.nanquantile(truth.severity.numpy()[0, :, 0], 0.1), abs=0.15
        )
    else:
        places, last, hit = (
            (ly.PASSAGE, truth.passage_bin[0, :, 0, 0], truth.passage_hit[0, :, 0, 0])
            if part == "percent"
            else (ly.PEAK, truth.peak_bin[0, :, 0], truth.peak_hit[0, :, 0])
        )
        ended = ((last == 0) & hit).sum()
        expected = (ended / (ended + (last > 0).sum())).item()
        assert sigmoid(found[places][0]) == pytest.approx(expected, abs=0.01)


def test_a_side_inside_its_own_squeeze_is_taught_nothing():
    asked = nothing_asked(1, 1)._replace(
        onset_bin=torch.tensor([[4]]), onset_risk=torch.tensor([[[False, True]]])
    )
    raw = torch.zeros(1, 1, ly.N_RAW, requires_grad=True)
    cost, _ = ls.parts(raw, asked)["squeeze"]
    torch.autograd.backward(cost)
    taught = raw.grad[0, 0, ly.ONSET].reshape(2, N_ONSET)
    assert torch.equal(taught[0], torch.zeros(N_ONSET))
    assert (taught[1, :4] > 0.0).all()
