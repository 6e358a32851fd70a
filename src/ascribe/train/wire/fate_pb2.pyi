from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QuantileMeta(_message.Message):
    __slots__ = ("quantile_method", "bin_num")
    QUANTILE_METHOD_FIELD_NUMBER: _ClassVar[int]
    BIN_NUM_FIELD_NUMBER: _ClassVar[int]
    quantile_method: str
    bin_num: int
    def __init__(self, quantile_method: _Optional[str] = ..., bin_num: _Optional[int] = ...) -> None: ...

class ObjectiveMeta(_message.Message):
    __slots__ = ("objective", "param")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    objective: str
    param: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, objective: _Optional[str] = ..., param: _Optional[_Iterable[float]] = ...) -> None: ...

class CriterionMeta(_message.Message):
    __slots__ = ("criterion_method", "criterion_param")
    CRITERION_METHOD_FIELD_NUMBER: _ClassVar[int]
    CRITERION_PARAM_FIELD_NUMBER: _ClassVar[int]
    criterion_method: str
    criterion_param: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, criterion_method: _Optional[str] = ..., criterion_param: _Optional[_Iterable[float]] = ...) -> None: ...

class DecisionTreeModelMeta(_message.Message):
    __slots__ = ("criterion_meta", "max_depth", "min_sample_split", "min_impurity_split", "min_leaf_node", "use_missing", "zero_as_missing")
    CRITERION_META_FIELD_NUMBER: _ClassVar[int]
    MAX_DEPTH_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLE_SPLIT_FIELD_NUMBER: _ClassVar[int]
    MIN_IMPURITY_SPLIT_FIELD_NUMBER: _ClassVar[int]
    MIN_LEAF_NODE_FIELD_NUMBER: _ClassVar[int]
    USE_MISSING_FIELD_NUMBER: _ClassVar[int]
    ZERO_AS_MISSING_FIELD_NUMBER: _ClassVar[int]
    criterion_meta: CriterionMeta
    max_depth: int
    min_sample_split: int
    min_impurity_split: float
    min_leaf_node: int
    use_missing: bool
    zero_as_missing: bool
    def __init__(self, criterion_meta: _Optional[_Union[CriterionMeta, _Mapping]] = ..., max_depth: _Optional[int] = ..., min_sample_split: _Optional[int] = ..., min_impurity_split: _Optional[float] = ..., min_leaf_node: _Optional[int] = ..., use_missing: _Optional[bool] = ..., zero_as_missing: _Optional[bool] = ...) -> None: ...

class BoostingTreeModelMeta(_message.Message):
    __slots__ = ("tree_meta", "learning_rate", "num_trees", "quantile_meta", "objective_meta", "task_type", "n_iter_no_change", "tol", "use_missing", "zero_as_missing", "work_mode", "module", "boosting_strategy")
    TREE_META_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    NUM_TREES_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_META_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_META_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    N_ITER_NO_CHANGE_FIELD_NUMBER: _ClassVar[int]
    TOL_FIELD_NUMBER: _ClassVar[int]
    USE_MISSING_FIELD_NUMBER: _ClassVar[int]
    ZERO_AS_MISSING_FIELD_NUMBER: _ClassVar[int]
    WORK_MODE_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    BOOSTING_STRATEGY_FIELD_NUMBER: _ClassVar[int]
    tree_meta: DecisionTreeModelMeta
    learning_rate: float
    num_trees: int
    quantile_meta: QuantileMeta
    objective_meta: ObjectiveMeta
    task_type: str
    n_iter_no_change: bool
    tol: float
    use_missing: bool
    zero_as_missing: bool
    work_mode: str
    module: str
    boosting_strategy: str
    def __init__(self, tree_meta: _Optional[_Union[DecisionTreeModelMeta, _Mapping]] = ..., learning_rate: _Optional[float] = ..., num_trees: _Optional[int] = ..., quantile_meta: _Optional[_Union[QuantileMeta, _Mapping]] = ..., objective_meta: _Optional[_Union[ObjectiveMeta, _Mapping]] = ..., task_type: _Optional[str] = ..., n_iter_no_change: _Optional[bool] = ..., tol: _Optional[float] = ..., use_missing: _Optional[bool] = ..., zero_as_missing: _Optional[bool] = ..., work_mode: _Optional[str] = ..., module: _Optional[str] = ..., boosting_strategy: _Optional[str] = ...) -> None: ...

class NodeParam(_message.Message):
    __slots__ = ("id", "sitename", "fid", "bid", "weight", "is_leaf", "left_nodeid", "right_nodeid", "missing_dir", "mo_weight")
    ID_FIELD_NUMBER: _ClassVar[int]
    SITENAME_FIELD_NUMBER: _ClassVar[int]
    FID_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    IS_LEAF_FIELD_NUMBER: _ClassVar[int]
    LEFT_NODEID_FIELD_NUMBER: _ClassVar[int]
    RIGHT_NODEID_FIELD_NUMBER: _ClassVar[int]
    MISSING_DIR_FIELD_NUMBER: _ClassVar[int]
    MO_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    id: int
    sitename: str
    fid: int
    bid: float
    weight: float
    is_leaf: bool
    left_nodeid: int
    right_nodeid: int
    missing_dir: int
    mo_weight: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, id: _Optional[int] = ..., sitename: _Optional[str] = ..., fid: _Optional[int] = ..., bid: _Optional[float] = ..., weight: _Optional[float] = ..., is_leaf: _Optional[bool] = ..., left_nodeid: _Optional[int] = ..., right_nodeid: _Optional[int] = ..., missing_dir: _Optional[int] = ..., mo_weight: _Optional[_Iterable[float]] = ...) -> None: ...

class DecisionTreeModelParam(_message.Message):
    __slots__ = ("tree", "split_maskdict", "missing_dir_maskdict", "leaf_count")
    class SplitMaskdictEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: float
        def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
    class MissingDirMaskdictEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    class LeafCountEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    TREE_FIELD_NUMBER: _ClassVar[int]
    SPLIT_MASKDICT_FIELD_NUMBER: _ClassVar[int]
    MISSING_DIR_MASKDICT_FIELD_NUMBER: _ClassVar[int]
    LEAF_COUNT_FIELD_NUMBER: _ClassVar[int]
    tree: _containers.RepeatedCompositeFieldContainer[NodeParam]
    split_maskdict: _containers.ScalarMap[int, float]
    missing_dir_maskdict: _containers.ScalarMap[int, int]
    leaf_count: _containers.ScalarMap[int, int]
    def __init__(self, tree: _Optional[_Iterable[_Union[NodeParam, _Mapping]]] = ..., split_maskdict: _Optional[_Mapping[int, float]] = ..., missing_dir_maskdict: _Optional[_Mapping[int, int]] = ..., leaf_count: _Optional[_Mapping[int, int]] = ...) -> None: ...

class FeatureImportanceInfo(_message.Message):
    __slots__ = ("sitename", "fid", "importance", "fullname", "importance2", "main")
    SITENAME_FIELD_NUMBER: _ClassVar[int]
    FID_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_FIELD_NUMBER: _ClassVar[int]
    FULLNAME_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE2_FIELD_NUMBER: _ClassVar[int]
    MAIN_FIELD_NUMBER: _ClassVar[int]
    sitename: str
    fid: int
    importance: float
    fullname: str
    importance2: float
    main: str
    def __init__(self, sitename: _Optional[str] = ..., fid: _Optional[int] = ..., importance: _Optional[float] = ..., fullname: _Optional[str] = ..., importance2: _Optional[float] = ..., main: _Optional[str] = ...) -> None: ...

class BoostingTreeModelParam(_message.Message):
    __slots__ = ("tree_num", "trees", "init_score", "losses", "tree_dim", "num_classes", "classes", "feature_importances", "feature_name_fid_mapping", "best_iteration", "tree_plan", "model_name", "anonymous_name_mapping")
    class FeatureNameFidMappingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    class AnonymousNameMappingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TREE_NUM_FIELD_NUMBER: _ClassVar[int]
    TREES_FIELD_NUMBER: _ClassVar[int]
    INIT_SCORE_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    TREE_DIM_FIELD_NUMBER: _ClassVar[int]
    NUM_CLASSES_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_IMPORTANCES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_NAME_FID_MAPPING_FIELD_NUMBER: _ClassVar[int]
    BEST_ITERATION_FIELD_NUMBER: _ClassVar[int]
    TREE_PLAN_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_NAME_MAPPING_FIELD_NUMBER: _ClassVar[int]
    tree_num: int
    trees: _containers.RepeatedCompositeFieldContainer[DecisionTreeModelParam]
    init_score: _containers.RepeatedScalarFieldContainer[float]
    losses: _containers.RepeatedScalarFieldContainer[float]
    tree_dim: int
    num_classes: int
    classes: _containers.RepeatedScalarFieldContainer[str]
    feature_importances: _containers.RepeatedCompositeFieldContainer[FeatureImportanceInfo]
    feature_name_fid_mapping: _containers.ScalarMap[int, str]
    best_iteration: int
    tree_plan: _containers.RepeatedScalarFieldContainer[str]
    model_name: str
    anonymous_name_mapping: _containers.ScalarMap[str, str]
    def __init__(self, tree_num: _Optional[int] = ..., trees: _Optional[_Iterable[_Union[DecisionTreeModelParam, _Mapping]]] = ..., init_score: _Optional[_Iterable[float]] = ..., losses: _Optional[_Iterable[float]] = ..., tree_dim: _Optional[int] = ..., num_classes: _Optional[int] = ..., classes: _Optional[_Iterable[str]] = ..., feature_importances: _Optional[_Iterable[_Union[FeatureImportanceInfo, _Mapping]]] = ..., feature_name_fid_mapping: _Optional[_Mapping[int, str]] = ..., best_iteration: _Optional[int] = ..., tree_plan: _Optional[_Iterable[str]] = ..., model_name: _Optional[str] = ..., anonymous_name_mapping: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PredictMeta(_message.Message):
    __slots__ = ("threshold",)
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    def __init__(self, threshold: _Optional[float] = ...) -> None: ...

class LRModelMeta(_message.Message):
    __slots__ = ("penalty", "tol", "alpha", "optimizer", "party_weight", "batch_size", "learning_rate", "max_iter", "early_stop", "re_encrypt_batches", "fit_intercept", "need_one_vs_rest", "predict_param", "reveal_strategy", "module")
    PENALTY_FIELD_NUMBER: _ClassVar[int]
    TOL_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    PARTY_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    MAX_ITER_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOP_FIELD_NUMBER: _ClassVar[int]
    RE_ENCRYPT_BATCHES_FIELD_NUMBER: _ClassVar[int]
    FIT_INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    NEED_ONE_VS_REST_FIELD_NUMBER: _ClassVar[int]
    PREDICT_PARAM_FIELD_NUMBER: _ClassVar[int]
    REVEAL_STRATEGY_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    penalty: str
    tol: float
    alpha: float
    optimizer: str
    party_weight: float
    batch_size: int
    learning_rate: float
    max_iter: int
    early_stop: str
    re_encrypt_batches: int
    fit_intercept: bool
    need_one_vs_rest: bool
    predict_param: PredictMeta
    reveal_strategy: str
    module: str
    def __init__(self, penalty: _Optional[str] = ..., tol: _Optional[float] = ..., alpha: _Optional[float] = ..., optimizer: _Optional[str] = ..., party_weight: _Optional[float] = ..., batch_size: _Optional[int] = ..., learning_rate: _Optional[float] = ..., max_iter: _Optional[int] = ..., early_stop: _Optional[str] = ..., re_encrypt_batches: _Optional[int] = ..., fit_intercept: _Optional[bool] = ..., need_one_vs_rest: _Optional[bool] = ..., predict_param: _Optional[_Union[PredictMeta, _Mapping]] = ..., reveal_strategy: _Optional[str] = ..., module: _Optional[str] = ...) -> None: ...

class CipherText(_message.Message):
    __slots__ = ("public_key", "cipher_text", "exponent", "is_obfuscator")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    CIPHER_TEXT_FIELD_NUMBER: _ClassVar[int]
    EXPONENT_FIELD_NUMBER: _ClassVar[int]
    IS_OBFUSCATOR_FIELD_NUMBER: _ClassVar[int]
    public_key: str
    cipher_text: str
    exponent: str
    is_obfuscator: str
    def __init__(self, public_key: _Optional[str] = ..., cipher_text: _Optional[str] = ..., exponent: _Optional[str] = ..., is_obfuscator: _Optional[str] = ...) -> None: ...

class SingleModel(_message.Message):
    __slots__ = ("iters", "loss_history", "is_converged", "weight", "intercept", "header", "best_iteration", "encrypted_weight")
    class WeightEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class EncryptedWeightEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: CipherText
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[CipherText, _Mapping]] = ...) -> None: ...
    ITERS_FIELD_NUMBER: _ClassVar[int]
    LOSS_HISTORY_FIELD_NUMBER: _ClassVar[int]
    IS_CONVERGED_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BEST_ITERATION_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTED_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    iters: int
    loss_history: _containers.RepeatedScalarFieldContainer[float]
    is_converged: bool
    weight: _containers.ScalarMap[str, float]
    intercept: float
    header: _containers.RepeatedScalarFieldContainer[str]
    best_iteration: int
    encrypted_weight: _containers.MessageMap[str, CipherText]
    def __init__(self, iters: _Optional[int] = ..., loss_history: _Optional[_Iterable[float]] = ..., is_converged: _Optional[bool] = ..., weight: _Optional[_Mapping[str, float]] = ..., intercept: _Optional[float] = ..., header: _Optional[_Iterable[str]] = ..., best_iteration: _Optional[int] = ..., encrypted_weight: _Optional[_Mapping[str, CipherText]] = ...) -> None: ...

class OneVsRestResult(_message.Message):
    __slots__ = ("completed_models", "one_vs_rest_classes")
    COMPLETED_MODELS_FIELD_NUMBER: _ClassVar[int]
    ONE_VS_REST_CLASSES_FIELD_NUMBER: _ClassVar[int]
    completed_models: _containers.RepeatedCompositeFieldContainer[SingleModel]
    one_vs_rest_classes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, completed_models: _Optional[_Iterable[_Union[SingleModel, _Mapping]]] = ..., one_vs_rest_classes: _Optional[_Iterable[str]] = ...) -> None: ...

class LRModelParam(_message.Message):
    __slots__ = ("iters", "loss_history", "is_converged", "weight", "intercept", "header", "one_vs_rest_result", "need_one_vs_rest", "best_iteration", "encrypted_weight")
    class WeightEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class EncryptedWeightEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: CipherText
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[CipherText, _Mapping]] = ...) -> None: ...
    ITERS_FIELD_NUMBER: _ClassVar[int]
    LOSS_HISTORY_FIELD_NUMBER: _ClassVar[int]
    IS_CONVERGED_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ONE_VS_REST_RESULT_FIELD_NUMBER: _ClassVar[int]
    NEED_ONE_VS_REST_FIELD_NUMBER: _ClassVar[int]
    BEST_ITERATION_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTED_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    iters: int
    loss_history: _containers.RepeatedScalarFieldContainer[float]
    is_converged: bool
    weight: _containers.ScalarMap[str, float]
    intercept: float
    header: _containers.RepeatedScalarFieldContainer[str]
    one_vs_rest_result: OneVsRestResult
    need_one_vs_rest: bool
    best_iteration: int
    encrypted_weight: _containers.MessageMap[str, CipherText]
    def __init__(self, iters: _Optional[int] = ..., loss_history: _Optional[_Iterable[float]] = ..., is_converged: _Optional[bool] = ..., weight: _Optional[_Mapping[str, float]] = ..., intercept: _Optional[float] = ..., header: _Optional[_Iterable[str]] = ..., one_vs_rest_result: _Optional[_Union[OneVsRestResult, _Mapping]] = ..., need_one_vs_rest: _Optional[bool] = ..., best_iteration: _Optional[int] = ..., encrypted_weight: _Optional[_Mapping[str, CipherText]] = ...) -> None: ...

class ImputerMeta(_message.Message):
    __slots__ = ("is_imputer", "strategy", "missing_value")
    IS_IMPUTER_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    MISSING_VALUE_FIELD_NUMBER: _ClassVar[int]
    is_imputer: bool
    strategy: str
    missing_value: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, is_imputer: _Optional[bool] = ..., strategy: _Optional[str] = ..., missing_value: _Optional[_Iterable[str]] = ...) -> None: ...

class OutlierMeta(_message.Message):
    __slots__ = ("is_outlier", "strategy", "outlier_value")
    IS_OUTLIER_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_VALUE_FIELD_NUMBER: _ClassVar[int]
    is_outlier: bool
    strategy: str
    outlier_value: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, is_outlier: _Optional[bool] = ..., strategy: _Optional[str] = ..., outlier_value: _Optional[_Iterable[str]] = ...) -> None: ...

class DataTransformMeta(_message.Message):
    __slots__ = ("input_format", "delimitor", "data_type", "tag_with_value", "tag_value_delimitor", "with_label", "label_name", "label_type", "output_format", "imputer_meta", "outlier_meta", "need_run", "exclusive_data_type", "with_match_id")
    class ExclusiveDataTypeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    DELIMITOR_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAG_WITH_VALUE_FIELD_NUMBER: _ClassVar[int]
    TAG_VALUE_DELIMITOR_FIELD_NUMBER: _ClassVar[int]
    WITH_LABEL_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    IMPUTER_META_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_META_FIELD_NUMBER: _ClassVar[int]
    NEED_RUN_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    WITH_MATCH_ID_FIELD_NUMBER: _ClassVar[int]
    input_format: str
    delimitor: str
    data_type: str
    tag_with_value: bool
    tag_value_delimitor: str
    with_label: bool
    label_name: str
    label_type: str
    output_format: str
    imputer_meta: ImputerMeta
    outlier_meta: OutlierMeta
    need_run: bool
    exclusive_data_type: _containers.ScalarMap[str, str]
    with_match_id: bool
    def __init__(self, input_format: _Optional[str] = ..., delimitor: _Optional[str] = ..., data_type: _Optional[str] = ..., tag_with_value: _Optional[bool] = ..., tag_value_delimitor: _Optional[str] = ..., with_label: _Optional[bool] = ..., label_name: _Optional[str] = ..., label_type: _Optional[str] = ..., output_format: _Optional[str] = ..., imputer_meta: _Optional[_Union[ImputerMeta, _Mapping]] = ..., outlier_meta: _Optional[_Union[OutlierMeta, _Mapping]] = ..., need_run: _Optional[bool] = ..., exclusive_data_type: _Optional[_Mapping[str, str]] = ..., with_match_id: _Optional[bool] = ...) -> None: ...

class ImputerParam(_message.Message):
    __slots__ = ("missing_replace_value", "missing_value_ratio")
    class MissingReplaceValueEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MissingValueRatioEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MISSING_REPLACE_VALUE_FIELD_NUMBER: _ClassVar[int]
    MISSING_VALUE_RATIO_FIELD_NUMBER: _ClassVar[int]
    missing_replace_value: _containers.ScalarMap[str, str]
    missing_value_ratio: _containers.ScalarMap[str, float]
    def __init__(self, missing_replace_value: _Optional[_Mapping[str, str]] = ..., missing_value_ratio: _Optional[_Mapping[str, float]] = ...) -> None: ...

class OutlierParam(_message.Message):
    __slots__ = ("outlier_replace_value", "outlier_value_ratio")
    class OutlierReplaceValueEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OutlierValueRatioEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    OUTLIER_REPLACE_VALUE_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_VALUE_RATIO_FIELD_NUMBER: _ClassVar[int]
    outlier_replace_value: _containers.ScalarMap[str, str]
    outlier_value_ratio: _containers.ScalarMap[str, float]
    def __init__(self, outlier_replace_value: _Optional[_Mapping[str, str]] = ..., outlier_value_ratio: _Optional[_Mapping[str, float]] = ...) -> None: ...

class DataTransformParam(_message.Message):
    __slots__ = ("header", "sid_name", "label_name", "imputer_param", "outlier_param", "anonymous_header")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SID_NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAME_FIELD_NUMBER: _ClassVar[int]
    IMPUTER_PARAM_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_PARAM_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _containers.RepeatedScalarFieldContainer[str]
    sid_name: str
    label_name: str
    imputer_param: ImputerParam
    outlier_param: OutlierParam
    anonymous_header: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, header: _Optional[_Iterable[str]] = ..., sid_name: _Optional[str] = ..., label_name: _Optional[str] = ..., imputer_param: _Optional[_Union[ImputerParam, _Mapping]] = ..., outlier_param: _Optional[_Union[OutlierParam, _Mapping]] = ..., anonymous_header: _Optional[_Iterable[str]] = ...) -> None: ...

class ScaleMeta(_message.Message):
    __slots__ = ("method", "mode", "area", "scale_column", "feat_upper", "feat_lower", "with_mean", "with_std", "need_run")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    SCALE_COLUMN_FIELD_NUMBER: _ClassVar[int]
    FEAT_UPPER_FIELD_NUMBER: _ClassVar[int]
    FEAT_LOWER_FIELD_NUMBER: _ClassVar[int]
    WITH_MEAN_FIELD_NUMBER: _ClassVar[int]
    WITH_STD_FIELD_NUMBER: _ClassVar[int]
    NEED_RUN_FIELD_NUMBER: _ClassVar[int]
    method: str
    mode: str
    area: str
    scale_column: _containers.RepeatedScalarFieldContainer[str]
    feat_upper: _containers.RepeatedScalarFieldContainer[str]
    feat_lower: _containers.RepeatedScalarFieldContainer[str]
    with_mean: bool
    with_std: bool
    need_run: bool
    def __init__(self, method: _Optional[str] = ..., mode: _Optional[str] = ..., area: _Optional[str] = ..., scale_column: _Optional[_Iterable[str]] = ..., feat_upper: _Optional[_Iterable[str]] = ..., feat_lower: _Optional[_Iterable[str]] = ..., with_mean: _Optional[bool] = ..., with_std: _Optional[bool] = ..., need_run: _Optional[bool] = ...) -> None: ...

class ColumnScaleParam(_message.Message):
    __slots__ = ("column_upper", "column_lower", "mean", "std")
    COLUMN_UPPER_FIELD_NUMBER: _ClassVar[int]
    COLUMN_LOWER_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    column_upper: float
    column_lower: float
    mean: float
    std: float
    def __init__(self, column_upper: _Optional[float] = ..., column_lower: _Optional[float] = ..., mean: _Optional[float] = ..., std: _Optional[float] = ...) -> None: ...

class ScaleParam(_message.Message):
    __slots__ = ("col_scale_param", "header")
    class ColScaleParamEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ColumnScaleParam
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ColumnScaleParam, _Mapping]] = ...) -> None: ...
    COL_SCALE_PARAM_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    col_scale_param: _containers.MessageMap[str, ColumnScaleParam]
    header: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, col_scale_param: _Optional[_Mapping[str, ColumnScaleParam]] = ..., header: _Optional[_Iterable[str]] = ...) -> None: ...

class OneHotMeta(_message.Message):
    __slots__ = ("transform_col_names", "header", "need_run")
    TRANSFORM_COL_NAMES_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    NEED_RUN_FIELD_NUMBER: _ClassVar[int]
    transform_col_names: _containers.RepeatedScalarFieldContainer[str]
    header: _containers.RepeatedScalarFieldContainer[str]
    need_run: bool
    def __init__(self, transform_col_names: _Optional[_Iterable[str]] = ..., header: _Optional[_Iterable[str]] = ..., need_run: _Optional[bool] = ...) -> None: ...

class ColsMap(_message.Message):
    __slots__ = ("values", "transformed_headers")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TRANSFORMED_HEADERS_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    transformed_headers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ..., transformed_headers: _Optional[_Iterable[str]] = ...) -> None: ...

class OneHotParam(_message.Message):
    __slots__ = ("col_map", "result_header")
    class ColMapEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ColsMap
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ColsMap, _Mapping]] = ...) -> None: ...
    COL_MAP_FIELD_NUMBER: _ClassVar[int]
    RESULT_HEADER_FIELD_NUMBER: _ClassVar[int]
    col_map: _containers.MessageMap[str, ColsMap]
    result_header: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, col_map: _Optional[_Mapping[str, ColsMap]] = ..., result_header: _Optional[_Iterable[str]] = ...) -> None: ...

class TransformMeta(_message.Message):
    __slots__ = ("transform_cols", "transform_type")
    TRANSFORM_COLS_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_TYPE_FIELD_NUMBER: _ClassVar[int]
    transform_cols: _containers.RepeatedScalarFieldContainer[int]
    transform_type: str
    def __init__(self, transform_cols: _Optional[_Iterable[int]] = ..., transform_type: _Optional[str] = ...) -> None: ...

class FeatureBinningMeta(_message.Message):
    __slots__ = ("need_run", "compress_thres", "head_size", "error", "bin_num", "cols", "adjustment_factor", "local_only", "transform_param", "method")
    NEED_RUN_FIELD_NUMBER: _ClassVar[int]
    COMPRESS_THRES_FIELD_NUMBER: _ClassVar[int]
    HEAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    BIN_NUM_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    ADJUSTMENT_FACTOR_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ONLY_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_PARAM_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    need_run: bool
    compress_thres: int
    head_size: int
    error: float
    bin_num: int
    cols: _containers.RepeatedScalarFieldContainer[str]
    adjustment_factor: float
    local_only: bool
    transform_param: TransformMeta
    method: str
    def __init__(self, need_run: _Optional[bool] = ..., compress_thres: _Optional[int] = ..., head_size: _Optional[int] = ..., error: _Optional[float] = ..., bin_num: _Optional[int] = ..., cols: _Optional[_Iterable[str]] = ..., adjustment_factor: _Optional[float] = ..., local_only: _Optional[bool] = ..., transform_param: _Optional[_Union[TransformMeta, _Mapping]] = ..., method: _Optional[str] = ...) -> None: ...

class IVParam(_message.Message):
    __slots__ = ("split_points",)
    SPLIT_POINTS_FIELD_NUMBER: _ClassVar[int]
    split_points: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, split_points: _Optional[_Iterable[float]] = ...) -> None: ...

class FeatureBinningResult(_message.Message):
    __slots__ = ("binning_result", "role", "party_id")
    class BinningResultEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: IVParam
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[IVParam, _Mapping]] = ...) -> None: ...
    BINNING_RESULT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    binning_result: _containers.MessageMap[str, IVParam]
    role: str
    party_id: str
    def __init__(self, binning_result: _Optional[_Mapping[str, IVParam]] = ..., role: _Optional[str] = ..., party_id: _Optional[str] = ...) -> None: ...

class FeatureBinningParam(_message.Message):
    __slots__ = ("binning_result", "host_results", "header")
    BINNING_RESULT_FIELD_NUMBER: _ClassVar[int]
    HOST_RESULTS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    binning_result: FeatureBinningResult
    host_results: _containers.RepeatedCompositeFieldContainer[FeatureBinningResult]
    header: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, binning_result: _Optional[_Union[FeatureBinningResult, _Mapping]] = ..., host_results: _Optional[_Iterable[_Union[FeatureBinningResult, _Mapping]]] = ..., header: _Optional[_Iterable[str]] = ...) -> None: ...

class FeatureSelectionMeta(_message.Message):
    __slots__ = ("filter_methods", "cols", "need_run")
    FILTER_METHODS_FIELD_NUMBER: _ClassVar[int]
    COLS_FIELD_NUMBER: _ClassVar[int]
    NEED_RUN_FIELD_NUMBER: _ClassVar[int]
    filter_methods: _containers.RepeatedScalarFieldContainer[str]
    cols: _containers.RepeatedScalarFieldContainer[str]
    need_run: bool
    def __init__(self, filter_methods: _Optional[_Iterable[str]] = ..., cols: _Optional[_Iterable[str]] = ..., need_run: _Optional[bool] = ...) -> None: ...

class LeftCols(_message.Message):
    __slots__ = ("original_cols", "left_cols")
    class LeftColsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bool] = ...) -> None: ...
    ORIGINAL_COLS_FIELD_NUMBER: _ClassVar[int]
    LEFT_COLS_FIELD_NUMBER: _ClassVar[int]
    original_cols: _containers.RepeatedScalarFieldContainer[str]
    left_cols: _containers.ScalarMap[str, bool]
    def __init__(self, original_cols: _Optional[_Iterable[str]] = ..., left_cols: _Optional[_Mapping[str, bool]] = ...) -> None: ...

class FeatureSelectionParam(_message.Message):
    __slots__ = ("final_left_cols",)
    FINAL_LEFT_COLS_FIELD_NUMBER: _ClassVar[int]
    final_left_cols: LeftCols
    def __init__(self, final_left_cols: _Optional[_Union[LeftCols, _Mapping]] = ...) -> None: ...

class Pipeline(_message.Message):
    __slots__ = ("inference_dsl", "train_dsl", "train_runtime_conf", "fate_version", "model_id", "model_version", "parent", "loaded_times", "roles", "work_mode", "initiator_role", "initiator_party_id", "runtime_conf_on_party", "parent_info")
    INFERENCE_DSL_FIELD_NUMBER: _ClassVar[int]
    TRAIN_DSL_FIELD_NUMBER: _ClassVar[int]
    TRAIN_RUNTIME_CONF_FIELD_NUMBER: _ClassVar[int]
    FATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    LOADED_TIMES_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    WORK_MODE_FIELD_NUMBER: _ClassVar[int]
    INITIATOR_ROLE_FIELD_NUMBER: _ClassVar[int]
    INITIATOR_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_CONF_ON_PARTY_FIELD_NUMBER: _ClassVar[int]
    PARENT_INFO_FIELD_NUMBER: _ClassVar[int]
    inference_dsl: bytes
    train_dsl: bytes
    train_runtime_conf: bytes
    fate_version: str
    model_id: str
    model_version: str
    parent: bool
    loaded_times: int
    roles: bytes
    work_mode: int
    initiator_role: str
    initiator_party_id: int
    runtime_conf_on_party: bytes
    parent_info: bytes
    def __init__(self, inference_dsl: _Optional[bytes] = ..., train_dsl: _Optional[bytes] = ..., train_runtime_conf: _Optional[bytes] = ..., fate_version: _Optional[str] = ..., model_id: _Optional[str] = ..., model_version: _Optional[str] = ..., parent: _Optional[bool] = ..., loaded_times: _Optional[int] = ..., roles: _Optional[bytes] = ..., work_mode: _Optional[int] = ..., initiator_role: _Optional[str] = ..., initiator_party_id: _Optional[int] = ..., runtime_conf_on_party: _Optional[bytes] = ..., parent_info: _Optional[bytes] = ...) -> None: ...
