from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureVector(_message.Message):
    __slots__ = ("id", "names", "values", "units", "measured_w", "image", "text", "categories")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_W_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    values: _containers.RepeatedScalarFieldContainer[float]
    units: _containers.RepeatedScalarFieldContainer[str]
    measured_w: float
    image: bytes
    text: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., values: _Optional[_Iterable[float]] = ..., units: _Optional[_Iterable[str]] = ..., measured_w: _Optional[float] = ..., image: _Optional[bytes] = ..., text: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class MethodOptions(_message.Message):
    __slots__ = ("baseline", "baseline_row", "segments", "steps", "rule", "draws", "noise", "window", "stride", "layer")
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    BASELINE_ROW_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    baseline: str
    baseline_row: _containers.RepeatedScalarFieldContainer[float]
    segments: int
    steps: int
    rule: str
    draws: int
    noise: float
    window: int
    stride: int
    layer: str
    def __init__(self, baseline: _Optional[str] = ..., baseline_row: _Optional[_Iterable[float]] = ..., segments: _Optional[int] = ..., steps: _Optional[int] = ..., rule: _Optional[str] = ..., draws: _Optional[int] = ..., noise: _Optional[float] = ..., window: _Optional[int] = ..., stride: _Optional[int] = ..., layer: _Optional[str] = ...) -> None: ...

class Names(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class AttributionRequest(_message.Message):
    __slots__ = ("feature_vector", "model", "version", "method", "estimator", "budget", "samples", "seed", "groups", "request_id", "value", "target_stderr", "tier", "max_latency_ms", "labels", "output", "allow_lower_tier", "priority", "space", "options")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Names
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Names, _Mapping]] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FEATURE_VECTOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TARGET_STDERR_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    MAX_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LOWER_TIER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    feature_vector: _containers.RepeatedCompositeFieldContainer[FeatureVector]
    model: str
    version: str
    method: str
    estimator: str
    budget: int
    samples: int
    seed: int
    groups: _containers.MessageMap[str, Names]
    request_id: str
    value: str
    target_stderr: float
    tier: str
    max_latency_ms: float
    labels: _containers.ScalarMap[str, str]
    output: str
    allow_lower_tier: bool
    priority: int
    space: str
    options: MethodOptions
    def __init__(self, feature_vector: _Optional[_Iterable[_Union[FeatureVector, _Mapping]]] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., method: _Optional[str] = ..., estimator: _Optional[str] = ..., budget: _Optional[int] = ..., samples: _Optional[int] = ..., seed: _Optional[int] = ..., groups: _Optional[_Mapping[str, Names]] = ..., request_id: _Optional[str] = ..., value: _Optional[str] = ..., target_stderr: _Optional[float] = ..., tier: _Optional[str] = ..., max_latency_ms: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ..., output: _Optional[str] = ..., allow_lower_tier: _Optional[bool] = ..., priority: _Optional[int] = ..., space: _Optional[str] = ..., options: _Optional[_Union[MethodOptions, _Mapping]] = ...) -> None: ...

class AttributionResponse(_message.Message):
    __slots__ = ("model", "version", "sha256", "method", "game", "value", "estimator", "tier", "budget", "samples", "seed", "unit", "output", "features", "base_value", "request_id", "efficiency_gap", "timings_ms", "attributions", "gaps", "lowered_from", "space", "layout", "shape", "additive")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class GapsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    GAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    BASE_VALUE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EFFICIENCY_GAP_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    LOWERED_FROM_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    ADDITIVE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    sha256: str
    method: str
    game: str
    value: str
    estimator: str
    tier: str
    budget: int
    samples: int
    seed: int
    unit: str
    output: str
    features: _containers.RepeatedScalarFieldContainer[str]
    base_value: float
    request_id: str
    efficiency_gap: float
    timings_ms: _containers.ScalarMap[str, float]
    attributions: _containers.RepeatedCompositeFieldContainer[Attribution]
    gaps: _containers.ScalarMap[str, float]
    lowered_from: str
    space: str
    layout: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    additive: bool
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ..., method: _Optional[str] = ..., game: _Optional[str] = ..., value: _Optional[str] = ..., estimator: _Optional[str] = ..., tier: _Optional[str] = ..., budget: _Optional[int] = ..., samples: _Optional[int] = ..., seed: _Optional[int] = ..., unit: _Optional[str] = ..., output: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., base_value: _Optional[float] = ..., request_id: _Optional[str] = ..., efficiency_gap: _Optional[float] = ..., timings_ms: _Optional[_Mapping[str, float]] = ..., attributions: _Optional[_Iterable[_Union[Attribution, _Mapping]]] = ..., gaps: _Optional[_Mapping[str, float]] = ..., lowered_from: _Optional[str] = ..., space: _Optional[str] = ..., layout: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., additive: _Optional[bool] = ...) -> None: ...

class Attribution(_message.Message):
    __slots__ = ("id", "status", "reason", "prediction", "base_value", "attribution_shares", "fraction", "base_fraction", "stderr", "ess", "measured_w", "unexplained_w", "values", "stderr_values", "words")
    class AttributionSharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class FractionEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class StderrEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    BASE_VALUE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_SHARES_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    BASE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    ESS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_W_FIELD_NUMBER: _ClassVar[int]
    UNEXPLAINED_W_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    STDERR_VALUES_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    reason: str
    prediction: float
    base_value: float
    attribution_shares: _containers.ScalarMap[str, float]
    fraction: _containers.ScalarMap[str, float]
    base_fraction: float
    stderr: _containers.ScalarMap[str, float]
    ess: float
    measured_w: float
    unexplained_w: float
    values: _containers.RepeatedScalarFieldContainer[float]
    stderr_values: _containers.RepeatedScalarFieldContainer[float]
    words: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., prediction: _Optional[float] = ..., base_value: _Optional[float] = ..., attribution_shares: _Optional[_Mapping[str, float]] = ..., fraction: _Optional[_Mapping[str, float]] = ..., base_fraction: _Optional[float] = ..., stderr: _Optional[_Mapping[str, float]] = ..., ess: _Optional[float] = ..., measured_w: _Optional[float] = ..., unexplained_w: _Optional[float] = ..., values: _Optional[_Iterable[float]] = ..., stderr_values: _Optional[_Iterable[float]] = ..., words: _Optional[_Iterable[str]] = ...) -> None: ...

class EnergyRequest(_message.Message):
    __slots__ = ("feature_vector", "model", "version", "observed", "request_id", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FEATURE_VECTOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    feature_vector: _containers.RepeatedCompositeFieldContainer[FeatureVector]
    model: str
    version: str
    observed: _containers.RepeatedCompositeFieldContainer[Names]
    request_id: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, feature_vector: _Optional[_Iterable[_Union[FeatureVector, _Mapping]]] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., observed: _Optional[_Iterable[_Union[Names, _Mapping]]] = ..., request_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class EnergyResponse(_message.Message):
    __slots__ = ("model", "version", "sha256", "features", "conditional", "request_id", "timings_ms", "energies")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    ENERGIES_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    sha256: str
    features: _containers.RepeatedScalarFieldContainer[str]
    conditional: str
    request_id: str
    timings_ms: _containers.ScalarMap[str, float]
    energies: _containers.RepeatedCompositeFieldContainer[RowEnergy]
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., conditional: _Optional[str] = ..., request_id: _Optional[str] = ..., timings_ms: _Optional[_Mapping[str, float]] = ..., energies: _Optional[_Iterable[_Union[RowEnergy, _Mapping]]] = ...) -> None: ...

class RowEnergy(_message.Message):
    __slots__ = ("id", "status", "reason", "coalitions")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COALITIONS_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    reason: str
    coalitions: _containers.RepeatedCompositeFieldContainer[CoalitionEnergy]
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., coalitions: _Optional[_Iterable[_Union[CoalitionEnergy, _Mapping]]] = ...) -> None: ...

class CoalitionEnergy(_message.Message):
    __slots__ = ("observed", "g", "log_q", "mean", "variance", "mean_natural")
    class MeanEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class VarianceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MeanNaturalEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    G_FIELD_NUMBER: _ClassVar[int]
    LOG_Q_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    MEAN_NATURAL_FIELD_NUMBER: _ClassVar[int]
    observed: _containers.RepeatedScalarFieldContainer[str]
    g: float
    log_q: float
    mean: _containers.ScalarMap[str, float]
    variance: _containers.ScalarMap[str, float]
    mean_natural: _containers.ScalarMap[str, float]
    def __init__(self, observed: _Optional[_Iterable[str]] = ..., g: _Optional[float] = ..., log_q: _Optional[float] = ..., mean: _Optional[_Mapping[str, float]] = ..., variance: _Optional[_Mapping[str, float]] = ..., mean_natural: _Optional[_Mapping[str, float]] = ...) -> None: ...

class PredictionRequest(_message.Message):
    __slots__ = ("feature_vector", "model", "version", "request_id", "labels", "output", "explain", "tier", "target_stderr", "max_latency_ms", "groups", "priority", "space", "scores")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Names
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Names, _Mapping]] = ...) -> None: ...
    FEATURE_VECTOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    TARGET_STDERR_FIELD_NUMBER: _ClassVar[int]
    MAX_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    feature_vector: _containers.RepeatedCompositeFieldContainer[FeatureVector]
    model: str
    version: str
    request_id: str
    labels: _containers.ScalarMap[str, str]
    output: str
    explain: str
    tier: str
    target_stderr: float
    max_latency_ms: float
    groups: _containers.MessageMap[str, Names]
    priority: int
    space: str
    scores: int
    def __init__(self, feature_vector: _Optional[_Iterable[_Union[FeatureVector, _Mapping]]] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., output: _Optional[str] = ..., explain: _Optional[str] = ..., tier: _Optional[str] = ..., target_stderr: _Optional[float] = ..., max_latency_ms: _Optional[float] = ..., groups: _Optional[_Mapping[str, Names]] = ..., priority: _Optional[int] = ..., space: _Optional[str] = ..., scores: _Optional[int] = ...) -> None: ...

class PredictionResponse(_message.Message):
    __slots__ = ("model", "version", "sha256", "unit", "output", "request_id", "timings_ms", "predictions", "attribution_id", "space")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    sha256: str
    unit: str
    output: str
    request_id: str
    timings_ms: _containers.ScalarMap[str, float]
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    attribution_id: str
    space: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ..., unit: _Optional[str] = ..., output: _Optional[str] = ..., request_id: _Optional[str] = ..., timings_ms: _Optional[_Mapping[str, float]] = ..., predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., attribution_id: _Optional[str] = ..., space: _Optional[str] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("output", "score")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    output: str
    score: float
    def __init__(self, output: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("id", "status", "reason", "prediction", "measured_w", "unexplained_w", "scores")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    MEASURED_W_FIELD_NUMBER: _ClassVar[int]
    UNEXPLAINED_W_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    reason: str
    prediction: float
    measured_w: float
    unexplained_w: float
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., prediction: _Optional[float] = ..., measured_w: _Optional[float] = ..., unexplained_w: _Optional[float] = ..., scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ...) -> None: ...

class AttributionChunk(_message.Message):
    __slots__ = ("index", "request")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    index: int
    request: AttributionRequest
    def __init__(self, index: _Optional[int] = ..., request: _Optional[_Union[AttributionRequest, _Mapping]] = ...) -> None: ...

class AttributionChunkAnswer(_message.Message):
    __slots__ = ("index", "response", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    response: AttributionResponse
    error: ChunkError
    def __init__(self, index: _Optional[int] = ..., response: _Optional[_Union[AttributionResponse, _Mapping]] = ..., error: _Optional[_Union[ChunkError, _Mapping]] = ...) -> None: ...

class ChunkError(_message.Message):
    __slots__ = ("code", "message", "status", "retry_s")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RETRY_S_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    status: int
    retry_s: float
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., status: _Optional[int] = ..., retry_s: _Optional[float] = ...) -> None: ...

class AttributionByIdRequest(_message.Message):
    __slots__ = ("attribution_id", "wait_s")
    ATTRIBUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    attribution_id: str
    wait_s: float
    def __init__(self, attribution_id: _Optional[str] = ..., wait_s: _Optional[float] = ...) -> None: ...

class LaterAttribution(_message.Message):
    __slots__ = ("attribution_id", "ready", "response")
    ATTRIBUTION_ID_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    attribution_id: str
    ready: bool
    response: AttributionResponse
    def __init__(self, attribution_id: _Optional[str] = ..., ready: _Optional[bool] = ..., response: _Optional[_Union[AttributionResponse, _Mapping]] = ...) -> None: ...

class AttributionJobRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class AttributionJobResultRequest(_message.Message):
    __slots__ = ("id", "offset", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    offset: int
    limit: int
    def __init__(self, id: _Optional[str] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class AttributionJob(_message.Message):
    __slots__ = ("id", "state", "done", "total", "created", "ended", "reason", "model", "version", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: str
    done: int
    total: int
    created: str
    ended: str
    reason: str
    model: str
    version: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., created: _Optional[str] = ..., ended: _Optional[str] = ..., reason: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ForecastRequest(_message.Message):
    __slots__ = ("series", "model", "version", "request_id", "labels", "priority", "intervals", "attention", "attribution")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERIES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[ForecastSeries]
    model: str
    version: str
    request_id: str
    labels: _containers.ScalarMap[str, str]
    priority: int
    intervals: bool
    attention: bool
    attribution: ForecastWish
    def __init__(self, series: _Optional[_Iterable[_Union[ForecastSeries, _Mapping]]] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., intervals: _Optional[bool] = ..., attention: _Optional[bool] = ..., attribution: _Optional[_Union[ForecastWish, _Mapping]] = ...) -> None: ...

class ForecastSeries(_message.Message):
    __slots__ = ("name", "times", "epoch_s", "values", "exogenous")
    class ExogenousEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Numbers
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Numbers, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_S_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    EXOGENOUS_FIELD_NUMBER: _ClassVar[int]
    name: str
    times: _containers.RepeatedScalarFieldContainer[str]
    epoch_s: _containers.RepeatedScalarFieldContainer[float]
    values: _containers.RepeatedScalarFieldContainer[float]
    exogenous: _containers.MessageMap[str, Numbers]
    def __init__(self, name: _Optional[str] = ..., times: _Optional[_Iterable[str]] = ..., epoch_s: _Optional[_Iterable[float]] = ..., values: _Optional[_Iterable[float]] = ..., exogenous: _Optional[_Mapping[str, Numbers]] = ...) -> None: ...

class Numbers(_message.Message):
    __slots__ = ("numbers",)
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    numbers: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, numbers: _Optional[_Iterable[float]] = ...) -> None: ...

class ForecastWish(_message.Message):
    __slots__ = ("output", "method", "baseline", "budget", "samples", "steps", "seed")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    output: str
    method: str
    baseline: str
    budget: int
    samples: int
    steps: int
    seed: int
    def __init__(self, output: _Optional[str] = ..., method: _Optional[str] = ..., baseline: _Optional[str] = ..., budget: _Optional[int] = ..., samples: _Optional[int] = ..., steps: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class ForecastResponse(_message.Message):
    __slots__ = ("model", "version", "sha256", "unit", "zone", "step_s", "levels", "request_id", "timings_ms", "forecasts")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    FORECASTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    sha256: str
    unit: str
    zone: str
    step_s: int
    levels: _containers.RepeatedScalarFieldContainer[float]
    request_id: str
    timings_ms: _containers.ScalarMap[str, float]
    forecasts: _containers.RepeatedCompositeFieldContainer[Forecast]
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ..., unit: _Optional[str] = ..., zone: _Optional[str] = ..., step_s: _Optional[int] = ..., levels: _Optional[_Iterable[float]] = ..., request_id: _Optional[str] = ..., timings_ms: _Optional[_Mapping[str, float]] = ..., forecasts: _Optional[_Iterable[_Union[Forecast, _Mapping]]] = ...) -> None: ...

class Forecast(_message.Message):
    __slots__ = ("name", "status", "reason", "times", "epoch_s", "forecast", "lower", "upper", "filled", "attention", "attribution")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_S_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    reason: str
    times: _containers.RepeatedScalarFieldContainer[str]
    epoch_s: _containers.RepeatedScalarFieldContainer[int]
    forecast: _containers.RepeatedScalarFieldContainer[float]
    lower: _containers.RepeatedScalarFieldContainer[float]
    upper: _containers.RepeatedScalarFieldContainer[float]
    filled: int
    attention: _containers.RepeatedCompositeFieldContainer[ForecastAttention]
    attribution: ForecastAttribution
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., times: _Optional[_Iterable[str]] = ..., epoch_s: _Optional[_Iterable[int]] = ..., forecast: _Optional[_Iterable[float]] = ..., lower: _Optional[_Iterable[float]] = ..., upper: _Optional[_Iterable[float]] = ..., filled: _Optional[int] = ..., attention: _Optional[_Iterable[_Union[ForecastAttention, _Mapping]]] = ..., attribution: _Optional[_Union[ForecastAttribution, _Mapping]] = ...) -> None: ...

class ForecastAttention(_message.Message):
    __slots__ = ("layer", "query", "key", "weights")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    layer: str
    query: _containers.RepeatedScalarFieldContainer[str]
    key: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, layer: _Optional[str] = ..., query: _Optional[_Iterable[str]] = ..., key: _Optional[_Iterable[str]] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class ForecastAttribution(_message.Message):
    __slots__ = ("output", "unit", "method", "game", "estimator", "budget", "samples", "status", "reason", "additive", "prediction", "base_value", "efficiency_gap", "shares", "stderr")
    class SharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class StderrEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    GAME_FIELD_NUMBER: _ClassVar[int]
    ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ADDITIVE_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    BASE_VALUE_FIELD_NUMBER: _ClassVar[int]
    EFFICIENCY_GAP_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    output: str
    unit: str
    method: str
    game: str
    estimator: str
    budget: int
    samples: int
    status: str
    reason: str
    additive: bool
    prediction: float
    base_value: float
    efficiency_gap: float
    shares: _containers.ScalarMap[str, float]
    stderr: _containers.ScalarMap[str, float]
    def __init__(self, output: _Optional[str] = ..., unit: _Optional[str] = ..., method: _Optional[str] = ..., game: _Optional[str] = ..., estimator: _Optional[str] = ..., budget: _Optional[int] = ..., samples: _Optional[int] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., additive: _Optional[bool] = ..., prediction: _Optional[float] = ..., base_value: _Optional[float] = ..., efficiency_gap: _Optional[float] = ..., shares: _Optional[_Mapping[str, float]] = ..., stderr: _Optional[_Mapping[str, float]] = ...) -> None: ...
