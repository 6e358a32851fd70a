"""Servers of a model that several parties hold: the guest, which clients ask, and its hosts.

wire        Ask and Reply as messages, every length checked; `text` is the form of FATE-Serving
features    where a host has its columns: a file, a table of SQL, an HTTP service, a cache
host_room   what a host does with a question; host_door, host: its gRPC service, its server
link        the guest's way to one host; exchange: to all of them at once, under one deadline
partial     what the caller gets where a host did not answer: nothing, or bounds
scored      a request on the guest: one exchange while its own half runs, then the merge and the explanation
publishing  what of that its own callers are shown
guest_room  the room behind the usual doors; fate, fate_rest, fate_rpc: the calls of FATE-Serving; guest: the server

`core.federated` is the mathematics. What leaves a host is in docs/federated.md.
"""
