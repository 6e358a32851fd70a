"""The training loop (pitfall P15): one optimiser, shuffled batches, the best checkpoint, an end in time."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ascribe.train import loop
from ascribe.train.loop import History, Loop, train

SHORT = Loop(epochs=4, batch=4, lr=1e-2, patience=10)


def weight() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(2, 1, bias=False)


def pull(network: nn.Linear):
    """A loss that draws the weights towards (3, -2)."""
    return lambda index, t: ((network.weight - torch.tensor([[3.0, -2.0]])) ** 2).sum()


def run(validation: list[float], options: Loop = SHORT, rows: int = 10) -> tuple[History, nn.Linear, list]:
    """Validation losses as given; also the weights as they were at each validation."""
    network, seen = weight(), []

    def validate() -> float:
        seen.append(network.weight.detach().clone())
        return validation[len(seen) - 1]

    history = train(network, rows, pull(network), validate, options, np.random.default_rng(0))
    return history, network, seen


def test_one_optimiser_takes_every_step(monkeypatch):
    made, taken = [], []

    class Counting(torch.optim.AdamW):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

        def step(self, *args, **kwargs):
            taken.append(self)
            return super().step(*args, **kwargs)

    monkeypatch.setattr(torch.optim, "AdamW", Counting)
    history, _, _ = run([4.0, 3, 2, 1])
    assert len(made) == 1
    assert history.steps == len(taken) == 4 * 3  # 10 rows in batches of 4, 4, 2


def batches(seed: int) -> list[np.ndarray]:
    network, seen = weight(), []

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        seen.append(index)
        return network.weight.sum()

    train(network, 10, loss, lambda: -float(len(seen)), SHORT, np.random.default_rng(seed))
    return seen


def test_batch_order_differs_per_epoch_and_repeats_per_seed():
    seen = batches(0)
    epochs = [np.concatenate(seen[k : k + 3]) for k in range(0, 12, 3)]
    assert all(sorted(order) == list(range(10)) for order in epochs)  # each row once, none padded
    assert len({order.tobytes() for order in epochs}) == 4
    assert [b.tolist() for b in batches(0)] == [b.tolist() for b in seen]
    assert [b.tolist() for b in batches(1)] != [b.tolist() for b in seen]


def test_the_returned_weights_are_those_of_the_best_epoch():
    history, network, seen = run([3.0, 1.0, 2.0, 1.5])
    assert history.validation == [3.0, 1.0, 2.0, 1.5]
    assert (history.best_epoch, history.best) == (1, 1.0)
    assert torch.equal(network.weight, seen[1])
    assert not torch.equal(seen[1], seen[3])
    assert not network.training


def test_the_returned_weights_reproduce_the_best_validation_loss():
    """An honest overfit: ten rows of noise, thirty features."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(30, 16), nn.SiLU(), nn.Linear(16, 1))
    x, y, xv, yv = torch.randn(10, 30), torch.randn(10, 1), torch.randn(50, 30), torch.randn(50, 1)
    history = train(
        network, 10, lambda i, t: ((network(x[i]) - y[i]) ** 2).mean(),
        lambda: float(((network(xv) - yv) ** 2).mean()), Loop(epochs=30, batch=5, patience=30),
        np.random.default_rng(0),
    )  # fmt: skip
    assert history.best == min(history.validation) < history.validation[-1]
    with torch.no_grad():
        assert float(((network(xv) - yv) ** 2).mean()) == history.best


def test_it_stops_when_nothing_gets_better():
    options = replace(SHORT, epochs=100, patience=2)
    history, _, _ = run([3.0, 2.0, *np.linspace(2.1, 9, 98)], options)
    assert history.best_epoch == 1
    assert len(history.validation) == 2 + 3  # patience is exceeded, not reached


def test_equal_is_not_better():
    history, network, seen = run([1.0, 1.0, 1.0, 1.0])
    assert history.best_epoch == 0
    assert torch.equal(network.weight, seen[0])


def test_an_epoch_that_is_not_a_number_is_never_the_best():
    history, network, seen = run([2.0, float("nan"), 1.0, 1.5])
    assert torch.equal(network.weight, seen[2])
    assert (history.best_epoch, history.best) == (2, 1.0)


def test_a_loss_that_is_not_finite_skips_its_step():
    network, calls = weight(), []

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        calls.append(t)
        return network.weight.sum() * (float("nan") if len(calls) % 2 else 1.0)

    history = train(network, 10, loss, lambda: -float(len(calls)), SHORT, np.random.default_rng(0))
    assert (len(calls), history.steps) == (12, 6)
    assert torch.isfinite(network.weight).all()


def test_the_share_of_training_rises_from_nothing_to_one():
    network, shares, told = weight(), [], []

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        shares.append(t)
        return network.weight.sum()

    train(network, 10, loss, lambda: -float(len(shares)), SHORT, np.random.default_rng(0),
          lambda done, text: told.append((done, text)))  # fmt: skip
    assert shares == pytest.approx(np.arange(12) / 12)
    assert [done for done, _ in told] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert told[0][1].startswith("epoch 1, validation ")
    assert told[-1][1] == "best validation -12.0000"


def test_with_nothing_to_validate_on_the_last_weights_are_kept():
    network, told = weight(), []
    history = train(network, 10, pull(network), None, replace(SHORT, patience=0), np.random.default_rng(0),
                    lambda done, text: told.append(text))  # fmt: skip
    assert (history.validation, history.best_epoch, history.steps) == ([], 3, 12)
    assert told == ["epoch 1", "epoch 2", "epoch 3", "epoch 4", "4 epochs"]
    _, _, seen = run([4.0, 3, 2, 1])
    assert torch.equal(network.weight, seen[-1])
    assert not network.training


def test_it_ends_in_time_and_the_schedule_with_it(monkeypatch):
    """By a clock that moves 1 ms with every batch: 5 ms an epoch."""
    network, shares = weight(), []
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: 7 + len(shares) / 1000))

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        shares.append(t)
        return pull(network)(index, t)

    options = Loop(epochs=100_000, batch=4, patience=100_000, max_seconds=0.402)
    history = train(network, 20, loss, lambda: 0.0, options, np.random.default_rng(0))
    assert history.seconds == pytest.approx(0.405)  # the epoch in which time ran out is the last
    assert shares == pytest.approx([*(np.arange(402) / 402), 1, 1, 1])
    assert (history.steps, len(history.validation)) == (405, 81)


def test_the_rate_of_learning_warms_and_then_falls(monkeypatch):
    rates = []

    class Noting(torch.optim.AdamW):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    monkeypatch.setattr(torch.optim, "AdamW", Noting)
    run([1.0] * 40, replace(SHORT, epochs=40, patience=99))
    peak = int(np.argmax(rates))
    assert rates[0] == pytest.approx(0.05 * SHORT.lr)
    assert max(rates) == pytest.approx(SHORT.lr, rel=1e-3)
    assert 0.05 < peak / len(rates) < 0.15
    assert rates[-1] < 0.03 * SHORT.lr
