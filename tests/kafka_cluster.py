"""A Kafka-protocol cluster with faults at will: librdkafka's mock brokers, real TCP, in this process.

It speaks to any client on this machine. It keeps 5 MiB a partition, so produce in step with consumption.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

PRODUCE, FETCH, METADATA, COMMIT, JOIN, HEARTBEAT = 0, 1, 3, 8, 11, 12  # ApiKeys
DROP, NOT_LEADER, TIMED_OUT, REBALANCING = -195, 6, 7, 27

P, S, I32, I16 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int16
SIGNATURES = {
    "rd_kafka_conf_new": (P, []),
    "rd_kafka_new": (P, [ctypes.c_int, P, ctypes.c_char_p, ctypes.c_size_t]),
    "rd_kafka_mock_cluster_new": (P, [P, ctypes.c_int]),
    "rd_kafka_mock_cluster_bootstraps": (S, [P]),
    "rd_kafka_mock_topic_create": (ctypes.c_int, [P, S, ctypes.c_int, ctypes.c_int]),
    "rd_kafka_mock_push_request_errors_array": (None, [P, I16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)]),
    "rd_kafka_mock_clear_request_errors": (None, [P, I16]),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, [P, I32]),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, [P, I32]),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [P, I32, ctypes.c_int]),
    "rd_kafka_mock_partition_set_leader": (ctypes.c_int, [P, S, I32, I32]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [P, I32]),
    "rd_kafka_mock_cluster_destroy": (None, [P]),
    "rd_kafka_destroy": (None, [P]),
}


def _library() -> ctypes.CDLL:
    (place,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka-*.so*")
    lib = ctypes.CDLL(str(place))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(lib, name)  # AttributeError where the wheel no longer has it
        function.restype, function.argtypes = result, arguments
    return lib


class Cluster:
    """`brokers` brokers with ids 1, 2, ...; topics are made before use."""

    def __init__(self, brokers: int = 3) -> None:
        self._lib = _library()
        text = ctypes.create_string_buffer(512)
        self._handle = self._lib.rd_kafka_new(0, self._lib.rd_kafka_conf_new(), text, 512)
        assert self._handle, text.value
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._handle, brokers)
        self.bootstrap = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def topic(self, name: str, partitions: int) -> None:
        assert self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) == 0

    def fail(self, api: int, errors: Sequence[int]) -> None:
        """The next requests of a kind answer with these errors."""
        array = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(errors), array)

    def heal(self, api: int) -> None:
        self._lib.rd_kafka_mock_clear_request_errors(self._cluster, api)

    def down(self, broker: int = -1) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def up(self, broker: int = -1) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def rtt(self, ms: int, broker: int = -1) -> None:
        self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, broker, ms)

    def leader(self, topic: str, partition: int, broker: int) -> None:
        self._lib.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker)

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._handle)


@contextmanager
def cluster(brokers: int = 3) -> Iterator[Cluster]:
    """A cluster until the caller is done; close every client before."""
    made = Cluster(brokers)
    try:
        yield made
    finally:
        made.close()
