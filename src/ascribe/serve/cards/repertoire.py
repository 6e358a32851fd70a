"""GET /v1/models/NAME/explainers: what a model can be asked, output by output."""

from __future__ import annotations

import msgspec

from ascribe.serve.cards.served import TierCard

__all__ = ["AskingCard", "ExplainersCard", "RepertoireCard"]


class AskingCard(msgspec.Struct):
    """One method. `needs`: capabilities of the model; `takes`: options of its own; `spends`: how often the model is
    asked for one row, at most, where a request says nothing of it; `where` it can be asked like that: cli, python,
    rest, grpc. What is not offered by rest and grpc may be with a smaller budget.
    """

    needs: list[str]
    takes: list[str]
    spends: int
    where: list[str]


class RepertoireCard(msgspec.Struct):
    """Of one output. `tiers`: fastest first, as measured on this server; `value` answers v(S) unless another of
    `values` is asked for; `details` of each of `methods`; `usual`: the method where a request names none.
    """

    output: str
    unit: str
    methods: list[str]
    tiers: dict[str, TierCard]
    values: list[str]
    value: str
    estimators: list[str]
    details: dict[str, AskingCard] = {}
    usual: str = ""


class ExplainersCard(msgspec.Struct):
    """The main output first. `classes`: of a classifier, all of which can be asked the same, in each of `spaces`."""

    model: str
    version: str
    outputs: list[RepertoireCard]
    classes: list[str] = []
    spaces: list[str] = []
