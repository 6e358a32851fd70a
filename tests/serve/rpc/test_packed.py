"""Answers written as bytes at once read as the message that protobuf builds field by field."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.serve import messages as said
from ascribe.serve.rpc import messages as rpc_messages
from ascribe.serve.rpc import packed
from ascribe.serve.wire import attribution_pb2 as pb

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.lists(st.text(max_size=200).filter(lambda t: t.isprintable()), max_size=5, unique=True)


@st.composite
def answers(draw: st.DrawFn) -> said.AttributionResponse:
    names = draw(NAMES)

    def numbers() -> dict[str, float]:
        kept = names if draw(st.booleans()) else [name for name in names if draw(st.booleans())]
        return {name: draw(NUMBERS) for name in kept}

    rows = [
        said.Attribution(
            id=draw(st.text("row-1é", max_size=4)), status="ok", reason=draw(st.sampled_from(["", "why " * 60])),
            prediction=draw(st.none() | NUMBERS), base_value=draw(st.none() | NUMBERS), attribution_shares=numbers(),
            fraction=numbers(), base_fraction=draw(st.none() | NUMBERS), stderr=numbers(),
            ess=draw(st.none() | NUMBERS), measured_w=draw(st.none() | NUMBERS),
            unexplained_w=draw(st.none() | NUMBERS),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    return said.AttributionResponse(
        model="m", version="1", sha256="", method="compiled_shap", game="conditional", value="surrogate", estimator="",
        tier="fast", budget=2**40, samples=0, seed=-1, unit="W", output="power", features=names, base_value=-0.0,
        request_id="r", efficiency_gap=1e-300, timings_ms={"total": 1.5}, attributions=rows, gaps={"efficiency_gap": 0},
    )  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(answers())
def test_the_bytes_read_as_the_message(answer: said.AttributionResponse) -> None:
    read = pb.AttributionResponse.FromString(packed.attributions(answer))
    built = rpc_messages.attributions(answer)
    assert read == built
    assert read.SerializeToString(deterministic=True) == built.SerializeToString(deterministic=True)


def test_a_message_of_many_rows_and_players_reads_alike() -> None:
    names = [f"counter-{k}" for k in range(300)]  # a row is longer than two bytes of length can say
    row = said.Attribution("", "ok", "", 1.0, 2.0, *({name: k / 7 for k, name in enumerate(names)},) * 2, None)
    row.stderr = dict.fromkeys(names, 0.0)
    odd = said.Attribution("", "ok", "", attribution_shares={names[1]: 1.0, names[0]: 2.0})  # another order, and fewer
    answer = said.AttributionResponse(
        *("",) * 8, 0, 0, 0, "W", "", names, 0.0, "", 0.0, {}, [row, odd, row] * 20
    )  # fmt: skip
    assert pb.AttributionResponse.FromString(packed.attributions(answer)) == rpc_messages.attributions(answer)
