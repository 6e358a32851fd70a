from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Form(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORM_UNSPECIFIED: _ClassVar[Form]
    BITMAP: _ClassVar[Form]
    JSON: _ClassVar[Form]
FORM_UNSPECIFIED: Form
BITMAP: Form
JSON: Form

class DescribeRequest(_message.Message):
    __slots__ = ("model", "digest", "request_id", "columns")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    model: str
    digest: str
    request_id: str
    columns: bool
    def __init__(self, model: _Optional[str] = ..., digest: _Optional[str] = ..., request_id: _Optional[str] = ..., columns: _Optional[bool] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("party", "model", "digest", "forms", "max_rows", "columns")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FORMS_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    party: str
    model: str
    digest: str
    forms: _containers.RepeatedScalarFieldContainer[Form]
    max_rows: int
    columns: _containers.RepeatedCompositeFieldContainer[SplitColumns]
    def __init__(self, party: _Optional[str] = ..., model: _Optional[str] = ..., digest: _Optional[str] = ..., forms: _Optional[_Iterable[_Union[Form, str]]] = ..., max_rows: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[SplitColumns, _Mapping]]] = ...) -> None: ...

class SplitColumns(_message.Message):
    __slots__ = ("component", "columns")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    component: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, component: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ...) -> None: ...

class AnswerRequest(_message.Message):
    __slots__ = ("model", "digest", "request_id", "ids", "columns", "form")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    model: str
    digest: str
    request_id: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    columns: bool
    form: Form
    def __init__(self, model: _Optional[str] = ..., digest: _Optional[str] = ..., request_id: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ..., columns: _Optional[bool] = ..., form: _Optional[_Union[Form, str]] = ...) -> None: ...

class AnswerResponse(_message.Message):
    __slots__ = ("party", "digest", "question", "rows", "failed", "codes", "parts", "defaulted")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULTED_FIELD_NUMBER: _ClassVar[int]
    party: str
    digest: str
    question: bytes
    rows: int
    failed: _containers.RepeatedScalarFieldContainer[int]
    codes: bytes
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    defaulted: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, party: _Optional[str] = ..., digest: _Optional[str] = ..., question: _Optional[bytes] = ..., rows: _Optional[int] = ..., failed: _Optional[_Iterable[int]] = ..., codes: _Optional[bytes] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., defaulted: _Optional[_Iterable[int]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("component", "routes", "linear")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    LINEAR_FIELD_NUMBER: _ClassVar[int]
    component: str
    routes: Routes
    linear: Linear
    def __init__(self, component: _Optional[str] = ..., routes: _Optional[_Union[Routes, _Mapping]] = ..., linear: _Optional[_Union[Linear, _Mapping]] = ...) -> None: ...

class Routes(_message.Message):
    __slots__ = ("splits", "bits", "json")
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    splits: int
    bits: bytes
    json: bytes
    def __init__(self, splits: _Optional[int] = ..., bits: _Optional[bytes] = ..., json: _Optional[bytes] = ...) -> None: ...

class Linear(_message.Message):
    __slots__ = ("models", "sums", "columns", "terms")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    SUMS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    models: int
    sums: bytes
    columns: _containers.RepeatedScalarFieldContainer[str]
    terms: bytes
    def __init__(self, models: _Optional[int] = ..., sums: _Optional[bytes] = ..., columns: _Optional[_Iterable[str]] = ..., terms: _Optional[bytes] = ...) -> None: ...
