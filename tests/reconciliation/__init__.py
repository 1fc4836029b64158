"""The reconciler: pure comparison, the operation on PostgreSQL, and the gateways' own records."""
