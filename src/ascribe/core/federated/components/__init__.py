"""Components of a pipeline: one file each.

A component prepares rows (`local_inference(context, rows) -> rows`), or reports (`local_inference(context, rows) ->
part`) and, on the guest, merges (`merge_remote_inference(context, local, remote) -> answer`).
"""
