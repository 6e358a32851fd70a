"""What is said of an attribution, in English and in Chinese: a table of templates.

A share "accounts for" a part of the prediction; nothing here says "because". A language is one row of `PHRASES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

__all__ = ["PHRASES", "Phrases"]


@dataclass(frozen=True)
class Phrases:
    """Templates of one language. `usual`, `reference`, `base`: what the prediction is compared with, by game: above,
    below and equal to it. `comma`, `last`, `space`: how parts and sentences are joined.
    """

    draws: str
    quantity: str
    probability: str
    margin: str
    probability_of: str
    margin_of: str
    usual: tuple[str, str, str]
    reference: tuple[str, str, str]
    base: tuple[str, str, str]
    shares: str
    first: str
    many: str
    further: str
    unclear: str
    piece: str
    others: str
    own: str
    error: str
    error_means: str
    row: str
    word: str
    left: str
    caution: str
    no_answer: str
    reason: str
    conditional: str
    region: str
    raising: str
    lowering: str
    attention: str
    looked: str
    attention_means: str
    slope: str
    hidden: str
    at: str
    map: str
    steep: str
    hole: str
    counts: str
    unanswered: str
    range: str
    range_usual: str
    sizes: str
    changed: str
    changed_parts: str
    status: Mapping[str, str]
    comma: str = ", "
    last: str = " and "
    space: str = " "
    stop: str = "."


ENGLISH = Phrases(
    draws="{who} draws {prediction}",
    quantity="{output} of {who} is {prediction}",
    probability="the probability of {output} for {who} is {prediction}",
    margin="the margin of {output} for {who} is {prediction}",
    probability_of="the probability of {output}",
    margin_of="the margin of {output}",
    usual=(", {by} more than usual ({base})", ", {by} less than usual ({base})", ", as usual ({base})"),
    reference=(
        ", {by} more than at the reference ({base})", ", {by} less than at the reference ({base})",
        ", as at the reference ({base})",
    ),
    base=(
        ", {by} more than the base value ({base})", ", {by} less than the base value ({base})",
        ", as the base value ({base})",
    ),
    shares="{parts}",
    first="{name} accounts for {value}",
    many="{name} account for {value}",
    further="{name} for {value}",
    unclear="not to be told from zero: {parts}",
    piece="{name} with {value}",
    others="{count} others together",
    own="{name} = {value}",
    error="{value} (± {error})",
    error_means="± is one standard error",
    row="row {row}",
    word="“{word}”",
    left="the method leaves {value} over",
    caution="caution: {status}",
    no_answer="there is no answer for {who}: {status}",
    reason=" ({reason})",
    conditional="a share is what an input tells about the prediction, not what would change without it",
    region="the region around x {x}, y {y} ({share} % of the picture)",
    raising="all pixels that raise it",
    lowering="all pixels that lower it",
    attention="for {who} ({output}: {prediction}) the network looked most at {parts}",
    looked="{name} ({value})",
    attention_means="attention says where a network looked, not what the prediction is made of",
    slope="for {who} ({output}: {prediction}) the prediction is steepest at {parts}; slopes do not add up to it",
    hidden="for {who} ({output}: {prediction}) the prediction falls most without {parts}; falls do not add up to it",
    at="{name} ({value})",
    map="for {who} ({output}: {prediction}) the map is strongest around x {x}, y {y}; a map does not add up to it",
    steep="for {who} ({output}: {prediction}) the prediction is steepest around x {x}, y {y}; slopes do not sum to it",
    hole="for {who} ({output}: {prediction}) the prediction falls most when the part around x {x}, y {y} is hidden",
    counts="rows answered: {count}",
    unanswered="rows answered: {count}; without an answer: {missing}",
    range="{output} runs from {low} to {high}, {mean} on average",
    range_usual="{output} runs from {low} to {high}, {mean} on average; usual is {base}",
    sizes="on average over the rows and without sign, {parts}",
    changed="from {start} to {end}, {who} went from {old} to {new} ({by})",
    changed_parts=": {parts}",
    status={
        "out_of_domain": "a value lies outside what the training rows covered",
        "low_ess": "answered without weights, which would leave too few completions effective",
        "above_target": "the error asked for was not reached within the budget",
        "not_finite": "the model gave no finite number for the row or its completions",
        "invalid": "a value is missing, not a number, or physically impossible",
    },
)  # fmt: skip

CHINESE = Phrases(
    draws="{who} 的功率为 {prediction}",
    quantity="{who} 的 {output} 为 {prediction}",
    probability="{who} 属于“{output}”的概率为 {prediction}",
    margin="{who} 在“{output}”上的得分为 {prediction}",
    probability_of="“{output}”的概率",
    margin_of="“{output}”的得分",
    usual=(",比通常值({base})高 {by}", ",比通常值({base})低 {by}", ",与通常值({base})相同"),
    reference=(",比参考点({base})高 {by}", ",比参考点({base})低 {by}", ",与参考点({base})相同"),
    base=(",比基准值({base})高 {by}", ",比基准值({base})低 {by}", ",与基准值({base})相同"),
    shares="其中{parts}",
    first="{name} 占 {value}",
    many="{name} 占 {value}",
    further="{name} 占 {value}",
    unclear="与零无法区分的有:{parts}",
    piece="{name} {value}",
    others="其余 {count} 项合计",
    own="{name} = {value}",
    error="{value}(± {error})",
    error_means="± 为一个标准误",
    row="第 {row} 行",
    word="“{word}”",
    left="方法未分配的余量为 {value}",
    caution="注意:{status}",
    no_answer="{who} 没有答案:{status}",
    reason="({reason})",
    conditional="份额表示该输入提供了多少关于预测的信息,不表示没有它时预测会改变多少",
    region="x {x}、y {y} 附近的区域(占图像 {share} %)",
    raising="使其升高的全部像素",
    lowering="使其降低的全部像素",
    attention="对于 {who}({output}:{prediction}),网络最关注的是 {parts}",
    looked="{name}({value})",
    attention_means="注意力只说明网络看了哪里,不说明预测由什么构成",
    slope="对于 {who}({output}:{prediction}),预测最陡处为 {parts};斜率之和不等于预测",
    hidden="对于 {who}({output}:{prediction}),缺少以下各项时预测下降最多:{parts};各项下降之和不等于预测",
    at="{name}({value})",
    map="对于 {who}({output}:{prediction}),响应图在 x {x}、y {y} 附近最强;响应图之和不等于预测",
    steep="对于 {who}({output}:{prediction}),预测在 x {x}、y {y} 附近最陡;斜率之和不等于预测",
    hole="对于 {who}({output}:{prediction}),遮住 x {x}、y {y} 附近的部分时预测下降最多",
    counts="共回答 {count} 行",
    unanswered="共回答 {count} 行,{missing} 行没有答案",
    range="{output} 在 {low} 到 {high} 之间,平均 {mean}",
    range_usual="{output} 在 {low} 到 {high} 之间,平均 {mean};通常值为 {base}",
    sizes="按各行平均、不计正负,{parts}",
    changed="从 {start} 到 {end},{who} 由 {old} 变为 {new}({by})",
    changed_parts=",其中{parts}",
    status={
        "out_of_domain": "某个值超出训练数据的范围",
        "low_ess": "未加权作答,加权后有效补全数过少",
        "above_target": "预算内未达到要求的误差",
        "not_finite": "模型没有给出有限的数值",
        "invalid": "某个值缺失、不是数字或物理上不可能",
    },
    comma="、",
    last="、",
    space="",
    stop="。",
)

# Chinese sentences have full-width marks; the source keeps the plain ones, which no eye confuses
WIDE = str.maketrans({",": "\uff0c", ":": "\uff1a", ";": "\uff1b", "(": "\uff08", ")": "\uff09"})


def _wide(phrases: Phrases) -> Phrases:
    held: dict[str, object] = {}
    for f in fields(phrases):
        value = getattr(phrases, f.name)
        if isinstance(value, str):
            value = value.translate(WIDE)
        elif isinstance(value, tuple):
            value = tuple(text.translate(WIDE) for text in value)
        else:
            value = {word: text.translate(WIDE) for word, text in value.items()}
        held[f.name] = value
    return Phrases(**held)  # type: ignore[arg-type]


PHRASES = {"en": ENGLISH, "zh": _wide(CHINESE)}
