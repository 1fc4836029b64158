"""An exhaustive check of how attempts start, end and overlap. It uses the product's own tables.

Every order of events within a scenario's bounds is tried: requests that arrive late, replies that
are lost, processes that stop, workers that lose their lease, payers who pay twice or too late.
"""
