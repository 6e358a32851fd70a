"""Shapley values of a linear model of several parties: the part of a player less its part at the reference."""

from __future__ import annotations

from collections.abc import Mapping

from ascribe.core.arrays import Float, np
from ascribe.core.federated.components.linear import LinearModel
from ascribe.core.federated.merged import Answer

__all__ = ["linear_values"]


def linear_values(
    model: LinearModel,
    answer: Answer,
    names: Mapping[str, str],
    reference: np.ndarray | None = None,
    references: Mapping[str, np.ndarray] | None = None,
) -> tuple[tuple[str, ...], Float[np.ndarray, " k"], Float[np.ndarray, "b k p"]]:
    """Players, base (K,) and values (b, K, p):  phi_c = w_c (x_c - reference_c),  phi_host = s_host - references[host].

    `reference (n,)`: the guest's columns where nobody is known, such as means of its background rows; `references`:
    (K,) of each host, such as the mean of its part over the training ids, agreed on once. 0 where not given. Hosts
    that told their parts by column play by column, each with reference 0 then, and its intercept in the base. The
    values of a host that did not answer are NaN, as its rows have no margin.
    """
    at = np.zeros(len(model.columns)) if reference is None else reference
    there = model.terms(at[None])[0]  # (K, n)
    base = model.intercept + there.sum(axis=1)
    players, values = list(model.columns), [answer.terms[model.party] - there]
    for host in model.hosts:
        label = names.get(host, host)
        own = np.broadcast_to(np.asarray((references or {}).get(host, 0.0), dtype=float), base.shape)
        if host in answer.terms and host not in (references or {}):
            terms = answer.terms[host]
            players += [f"{label}.{column}" for column in answer.term_columns[host]]
            rest = answer.sums[host] - terms.sum(axis=2)  # its intercept
            good = np.flatnonzero(answer.code == 0)
            base = base + (rest[good[0]] if len(good) else 0.0)
            values.append(terms)
        else:
            players.append(label)
            base = base + own
            part = answer.sums.get(host, np.full(answer.margin.shape, np.nan))
            values.append((part - own)[:, :, None])
    return tuple(players), base, np.concatenate(values, axis=2)
