"""Tests of the gateway sandboxes: the API, the pages, the faults and the control API."""
